package web

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

func TestAGrowingSegmentIsSentAsItComes(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{true, false} {
		s, live, dir := liveSite(t, Deps{})
		g := new(segstore.Growing)
		live.set(dir+"/test-2.m4s", segstore.File{App: "show", Stream: "test", Kind: segstore.Segment, MaxAge: time.Minute, Growing: g})
		g.Add([]byte("first "))
		addr, _ := serveSite(t, s)
		c := dial(t, addr)
		fmt.Fprintf(c, "GET /live/test-2.m4s HTTP/1.1\r\nHost: localhost\r\n\r\n")
		br := bufio.NewReader(c)
		r, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		differs(t, "type", r.Header.Get("Content-Type"), "video/iso.segment")
		differs(t, "cache", r.Header.Get("Cache-Control"), "max-age=60")
		differs(t, "length", r.ContentLength, int64(-1))
		for _, piece := range []string{"first ", "second ", "third "} { // each is there before the next one is made
			got := make([]byte, len(piece))
			if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != piece {
				t.Fatalf("%q (%v), want %q", got, err, piece)
			}
			switch piece {
			case "first ":
				g.Add([]byte("second "))
			case "second ":
				g.Add([]byte("third "))
			}
		}
		g.End(whole)
		rest, err := io.ReadAll(r.Body)
		if whole {
			if err != nil || len(rest) > 0 {
				t.Errorf("after the end: %q (%v)", rest, err)
			}
			fmt.Fprintf(c, "GET /live/test.m3u8 HTTP/1.1\r\nHost: localhost\r\n\r\n") // the connection serves on
			if r, err = http.ReadResponse(br, nil); err != nil || r.StatusCode != 200 {
				t.Errorf("the next request: %v (%v)", r, err)
			}
		} else if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("a segment that was given up ends with %v", err)
		}
	}
}

func TestAnMPDHasTheOpenSegmentForWhoAsks(t *testing.T) {
	t.Parallel()
	s, live, dir := liveSite(t, Deps{})
	f := playlist("<MPD plain/>")
	f.Low = new(segstore.Low)
	live.set(dir+"/test.mpd", f)
	differs(t, "without a version", bodyOf(t, ask(t, s, "GET /live/test.mpd")), "<MPD plain/>")
	f.Low.Publish(segstore.NewEdition(segstore.TextsFunc(texts("<MPD low/>", "")), new(segstore.Gzipper)))
	for _, c := range []struct{ what, agent, want string }{
		{"/live/test.mpd", "Mozilla/5.0", "<MPD low/>"},
		{"/live/test.mpd?_ll=0", "Mozilla/5.0", "<MPD plain/>"},
		{"/live/test.mpd", "VLC/3.0.20 LibVLC/3.0.20", "<MPD plain/>"},
		{"/live/test.mpd?_ll=1", "VLC/3.0.20 LibVLC/3.0.20", "<MPD low/>"},
	} {
		r := ask(t, s, "GET "+c.what, "User-Agent: "+c.agent)
		differs(t, c.what+" "+c.agent, bodyOf(t, r), c.want)
		differs(t, c.what+" type", r.Header.Get("Content-Type"), "application/dash+xml")
		again := ask(t, s, "GET "+c.what, "User-Agent: "+c.agent, "If-None-Match: "+r.Header.Get("Etag"))
		differs(t, c.what+" again", again.StatusCode, 304)
	}
	differs(t, "cache", ask(t, s, "GET /live/test.mpd").Header.Get("Cache-Control"), "no-cache")
}
