package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// lowEdition is a low-latency playlist whose segment next is not complete and has so many
// parts. The one before has 5.
func lowEdition(next uint64, parts int, text string) *segstore.Edition {
	e := segstore.NewEdition(segstore.TextsFunc(texts(text, "delta of "+text)), new(segstore.Gzipper))
	e.Next, e.Parts, e.Last, e.Ahead = next, parts, 5, 3
	return e
}

// texts are those of a version; without a delta: "".
func texts(body, delta string) func() ([]byte, []byte) {
	return func() ([]byte, []byte) {
		if delta == "" {
			return []byte(body), nil
		}
		return []byte(body), []byte(delta)
	}
}

// lowSite is a site with one such playlist.
func lowSite(t *testing.T) (*Site, *segstore.Low, *hintedLive) {
	t.Helper()
	s, live, dir := liveSite(t, Deps{})
	hints := &hintedLive{fakeLive: live}
	s.deps.Live = hints
	f := playlist(list)
	f.Low, f.Target = new(segstore.Low), 4*time.Second
	live.set(dir+"/test.m3u8", f)
	hints.dir = dir
	return s, f.Low, hints
}

// hintedLive knows a part that comes when the test says so.
type hintedLive struct {
	*fakeLive
	dir    string
	coming atomic.Pointer[chan segstore.File]
}

func (h *hintedLive) Hinted(ctx context.Context, absPath string) (segstore.File, bool) {
	c := h.coming.Load()
	if c == nil || absPath != h.dir+"/test-7.2.m4s" {
		return segstore.File{}, false
	}
	select {
	case f := <-*c:
		return f, true
	case <-ctx.Done():
		return segstore.File{}, false
	}
}

// RFC 8216bis §6.2.5: what is answered at once.
func TestDeliveryDirectives(t *testing.T) {
	t.Parallel()
	s, low, _ := lowSite(t)
	differs(t, "before the first part", bodyOf(t, ask(t, s, "GET /live/test.m3u8")), list)
	low.Publish(lowEdition(7, 2, "low"))
	const vlc = "VLC/3.0.20 LibVLC/3.0.20"
	for _, c := range []struct {
		query, agent string
		status       int
		body, cache  string
	}{
		{"", "", 200, "low", "max-age=2"},
		{"", vlc, 200, list, "max-age=2"},
		{"?_ll=1", vlc, 200, "low", "max-age=2"},
		{"?_ll=0", "", 200, list, "max-age=2"},
		{"?token=a%20b&_ll=0", "", 200, list, "max-age=2"},
		{"?_HLS_skip=YES", "", 200, "delta of low", "max-age=2"},
		{"?_HLS_skip=v2", "", 200, "delta of low", "max-age=2"},
		{"?_HLS_skip=NO", "", 200, "low", "max-age=2"},
		{"?_HLS_msn=6", "", 200, "low", "max-age=24"},
		{"?_HLS_msn=6", vlc, 200, "low", "max-age=24"},
		{"?_HLS_msn=0", "", 200, "low", "max-age=24"},
		{"?_HLS_msn=7&_HLS_part=1", "", 200, "low", "max-age=24"},
		{"?_HLS_msn=6&_HLS_part=5", "", 200, "low", "max-age=24"}, // part 0 of segment 7
		{"?_HLS_msn=6&_HLS_part=4&_HLS_skip=YES", "", 200, "delta of low", "max-age=24"},
		{"?_HLS_msn=9", "", 400, "", ""},
		{"?_HLS_msn=9&_HLS_part=0", "", 400, "", ""},
		{"?_HLS_msn=7&_HLS_part=5", "", 400, "", ""}, // beyond the Advance Part Limit
		{"?_HLS_part=1", "", 400, "", ""},
		{"?_HLS_part=1&_HLS_skip=YES", "", 400, "", ""},
		{"?_HLS_msn=x", "", 400, "", ""},
		{"?_HLS_msn=-1", "", 400, "", ""},
		{"?_HLS_msn=99999999999999999999", "", 400, "", ""},
		{"?_HLS_msn=7&_HLS_part=x", "", 400, "", ""},
		{"?_HLS_msn=7&_HLS_part=-1", "", 400, "", ""},
		{"?_HLS_msn=%zz", "", 400, "", ""},
	} {
		r := ask(t, s, "GET /live/test.m3u8"+c.query, "User-Agent: "+c.agent)
		what := c.query + " " + c.agent
		differs(t, what, r.StatusCode, c.status)
		differs(t, what+": CORS", r.Header.Get("Access-Control-Allow-Origin"), "*")
		if c.status != 200 {
			continue
		}
		differs(t, what, bodyOf(t, r), c.body)
		differs(t, what+": cache", r.Header.Get("Cache-Control"), c.cache)
		differs(t, what+": type", r.Header.Get("Content-Type"), "application/vnd.apple.mpegurl")
	}

	r := ask(t, s, "GET /live/test.m3u8?_HLS_msn=7&_HLS_part=1&_HLS_skip=YES", "Accept-Encoding: gzip")
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	differs(t, "compressed", string(text), "delta of low")
	differs(t, "compressed: Vary", r.Header.Get("Vary"), "Accept-Encoding")

	// Directives mean nothing for a playlist that has ended.
	e := segstore.NewEdition(segstore.TextsFunc(texts("whole", "")), new(segstore.Gzipper))
	e.Ended = true
	low.Publish(e)
	differs(t, "ended", bodyOf(t, ask(t, s, "GET /live/test.m3u8?_HLS_msn=99&_HLS_part=7&_HLS_skip=YES")), "whole")
}

func TestARequestWaitsForItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, low, _ := lowSite(t)
		low.Publish(lowEdition(7, 2, "two"))
		type answer struct {
			query, body string
			status      int
			after       time.Duration
		}
		from := time.Now()
		answers := make(chan answer, 10)
		for _, query := range []string{"?_HLS_msn=7&_HLS_part=2", "?_HLS_msn=7", "?_HLS_msn=8&_HLS_part=0"} {
			go func() {
				r := ask(t, s, "GET /live/test.m3u8"+query)
				answers <- answer{query, bodyOf(t, r), r.StatusCode, time.Since(from)}
			}()
		}
		for _, step := range []struct {
			next  uint64
			parts int
			text  string
			want  string
		}{
			{7, 3, "three", "?_HLS_msn=7&_HLS_part=2"},
			{8, 0, "whole", "?_HLS_msn=7"},
		} {
			time.Sleep(time.Second)
			synctest.Wait()
			if len(answers) > 0 {
				t.Fatalf("%+v before %s", <-answers, step.text)
			}
			low.Publish(lowEdition(step.next, step.parts, step.text))
			a := <-answers
			if a.query != step.want || a.body != step.text || a.status != 200 {
				t.Errorf("with %s: %+v", step.text, a)
			}
		}
		// Nothing more comes: three target durations after the request, not before.
		if a := <-answers; a.status != http.StatusServiceUnavailable || a.after != 12*time.Second {
			t.Errorf("%+v", a)
		}
	})
}

// A player that leaves is not waited for.
func TestAWaitingRequestEndsWithItsPlayer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, low, _ := lowSite(t)
		low.Publish(lowEdition(7, 2, "two"))
		ctx, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		from := time.Now()
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/live/test.m3u8?_HLS_msn=7", nil).WithContext(ctx))
		differs(t, "it waited for", time.Since(from), time.Second)
	})
}

func TestAHintedPartIsSentWhenItIsWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, live := lowSite(t)
		differs(t, "what nobody announced", ask(t, s, "GET /live/test-7.2.m4s").StatusCode, 404)
		coming := make(chan segstore.File)
		live.coming.Store(&coming)
		answers := make(chan *http.Response, 1)
		go func() { answers <- ask(t, s, "GET /live/test-7.2.m4s") }()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(answers) > 0 {
			t.Fatal("an answer before the part")
		}
		coming <- segstore.File{App: "show", Stream: "test", Kind: segstore.Part, Body: []byte("part"), ETag: `"p"`, MaxAge: time.Minute}
		r := <-answers
		differs(t, "body", bodyOf(t, r), "part")
		differs(t, "length", r.Header.Get("Content-Length"), "4")
		differs(t, "cache", r.Header.Get("Cache-Control"), "max-age=60")
		differs(t, "type", r.Header.Get("Content-Type"), "video/iso.segment")

		from := time.Now()
		differs(t, "a part that does not come", ask(t, s, "GET /live/test-7.2.m4s").StatusCode, 404)
		differs(t, "after", time.Since(from), hintWait)
	})
}

// A part is in memory while its segment grows, then it is a range of the segment's file.
func TestPartsOfAWholeSegment(t *testing.T) {
	t.Parallel()
	s, live, dir := liveSite(t, Deps{})
	write(t, dir, "test-7.m4s", "firstsecondthird")
	live.set(dir+"/test-7.m4s", segstore.File{App: "show", Stream: "test", Kind: segstore.Segment, ETag: `"s7"`, MaxAge: time.Minute})
	live.set(dir+"/test-7.1.m4s", segstore.File{
		App: "show", Stream: "test", Kind: segstore.Part, Size: 6, ETag: `"p"`, MaxAge: time.Minute,
		Range: segstore.Range{Name: "test-7.m4s", Offset: 5},
	})
	r := ask(t, s, "GET /live/test-7.1.m4s")
	differs(t, "body", bodyOf(t, r), "second")
	differs(t, "length", r.Header.Get("Content-Length"), "6")
	r = ask(t, s, "GET /live/test-7.1.m4s", "Range: bytes=1-3")
	differs(t, "range", bodyOf(t, r), "eco")
	differs(t, "status", r.StatusCode, 206)
}

func FuzzDeliveryDirectives(f *testing.F) {
	for _, query := range []string{
		"_HLS_msn=7&_HLS_part=2", "_HLS_msn=7&_HLS_skip=YES", "_HLS_skip=v2", "_ll=0", "_ll=1&token=x", "_HLS_part=1", "_HLS_msn=18446744073709551615",
		"_HLS_msn=7&_HLS_msn=8", "_HLS_msn=%37", "_HLS_msn=7;_HLS_part=2", "_hls_msn=7", "a=_HLS_msn%3d7", "_HLS_msn", "%_HLS_",
	} {
		f.Add(query, "Mozilla/5.0", uint64(7), 2)
	}
	f.Add("", "VLC/3.0.20", uint64(0), 0)
	f.Fuzz(func(t *testing.T, query, agent string, next uint64, parts int) {
		fuzztime.Bound(t)
		q, err := lowQueryOf(query, agent)
		if err != nil {
			return
		}
		if q.waits && q.plain || q.part >= 0 && !q.waits || q.part < -1 || !q.waits && q.segment != 0 {
			t.Fatalf("%q: %+v", query, q)
		}
		if !strings.Contains(query, "_") && (q.waits || q.delta) {
			t.Fatalf("%q: %+v", query, q)
		}
		// Whatever is asked for, the answer comes or the request is refused at once when
		// the time is up.
		var low segstore.Low
		low.Publish(lowEdition(next%(1<<62), max(parts, 0)%1000, "x"))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		e, err := low.Wait(ctx, q.segment, q.part, 0)
		switch {
		case err == nil && !bytes.Equal(e.Body(), []byte("x")), err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, segstore.ErrAhead):
			t.Fatalf("%+v: %v", q, err)
		}
	})
}
