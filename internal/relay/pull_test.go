package relay

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// An overheard connection keeps what is read from it.
type overheard struct {
	net.Conn
	mu   sync.Mutex
	read bytes.Buffer
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.read.Write(p[:n])
	return n, err
}

func (o *overheard) has(b []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Contains(o.read.Bytes(), b)
}

// playOnce pulls until the other server ends it, and returns what came.
func playOnce(t *testing.T, cfg config.Pull) (got []rtmp.Message, err error) {
	t.Helper()
	p, err := NewPull(cfg, Options{App: "edge", Name: "cam", Expand: func(string) string { return "cam" }, Via: func() []string { return []string{"mark"} }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	err = p.Play(ctx, func(m rtmp.Message) error { got = append(got, m); return nil })
	return got, err
}

// A pull asks for the stream as its block says, hands on media and data, and ends
// with the stream over there.
func TestWhatAPullAsksForAndGets(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	f.plays = func(c *rtmp.Conn) error {
		err := errors.Join(
			c.WriteData(1, "|RtmpSampleAccess", true, true), c.WriteData(1, "onMetaData", amf.ECMAArray{{Name: "width", Value: 1.0}}),
			c.WriteMessage(rtmp.Message{Type: rtmp.TypeVideo, StreamID: 1, ChunkStreamID: 6, Timestamp: 7, Payload: []byte("\x17\x01\x00\x00\x00v")}),
			c.WriteStatus(1, "status", rtmp.StatusPlayUnpublishNotify, "over"), c.Flush())
		if err == nil {
			_, err = c.ReadMessage() // it closes
		}
		return err
	}
	for i, c := range []struct {
		name        string
		change      func(*config.Pull)
		app, stream string
		play        []amf.Value
	}{
		{"live", func(*config.Pull) {}, "live", "cam", []amf.Value{-1000.0, -1000.0}},
		{"not live alone", func(p *config.Pull) { p.Live = false }, "live", "cam", []amf.Value{-2000.0, -1000.0}},
		{"a part of a file", func(p *config.Pull) { p.Start, p.Stop = 2*time.Second, 5*time.Second }, "live", "cam", []amf.Value{2000.0, 3000.0}},
		{"all that may be said", func(p *config.Pull) {
			p.Remote.App, p.Remote.PlayPath, p.Remote.TCURL, p.Remote.PageURL, p.Remote.SWFURL, p.Remote.FlashVer = "a", "n", "rtmp://x/y", "p", "s", "f"
		}, "a", "n", []amf.Value{-1000.0, -1000.0}},
		{"a key", func(p *config.Pull) { p.Remote.Key = "secret" }, "live", "secret", []amf.Value{-1000.0, -1000.0}},
	} {
		cfg := config.Pull{Name: "far", Live: true, Remote: remote(f, "/live")}
		c.change(&cfg)
		got, err := playOnce(t, cfg)
		if !errors.Is(err, ErrEnded) || len(got) != 2 || got[0].Type != rtmp.TypeDataAMF0 || got[1].Timestamp != 7 {
			t.Errorf("%s: %v, %d messages", c.name, err, len(got))
		}
		s := f.session(i)
		if s.connect.App != c.app || s.name != c.stream || len(s.play) != 2 || s.play[0] != c.play[0] || s.play[1] != c.play[1] || len(s.connect.Via) != 1 || s.connect.Via[0] != "mark" {
			t.Errorf("%s: %+v, play %q %v", c.name, s.connect, s.name, s.play)
		}
		if c.stream == "n" && (s.connect.TCURL != "rtmp://x/y" || s.connect.PageURL != "p" || s.connect.SWFURL != "s" || s.connect.FlashVer != "f") {
			t.Errorf("%s: %+v", c.name, s.connect)
		}
	}
}

// queue of a pull is the buffer that the other server is told of, as relay_buffer.
func TestAPullSaysItsBuffer(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	heard := make(chan *overheard, 1)
	f := &far{TB: t, plays: func(c *rtmp.Conn) error { return errEnough }}
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		o := &overheard{Conn: nc}
		heard <- o
		_ = f.serve(o)
		nc.Close()
	}()
	r := config.Remote{URL: value.RTMPURL("rtmp://" + ln.Addr().String() + "/live"), Queue: 5 * time.Second}
	if _, err := playOnce(t, config.Pull{Remote: r}); err == nil {
		t.Error("a connection that was closed is no error")
	}
	if o := <-heard; !o.has([]byte{0, 3, 0, 0, 0, 1, 0, 0, 0x13, 0x88}) { // SetBufferLength, stream 1, 5000 ms
		t.Error("the other server is not told of the buffer")
	}
}

// A refusal is in the other server's words, without the key.
func TestAPullThatIsRefused(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	f.plays = func(c *rtmp.Conn) error {
		_ = c.WriteStatus(1, "error", rtmp.StatusPlayStreamNotFound, "no such stream: my-secret")
		return c.Flush()
	}
	r := remote(f, "/live")
	r.Key = "my-secret"
	_, err := playOnce(t, config.Pull{Remote: r})
	if err == nil || strings.Contains(err.Error(), "my-secret") || !strings.Contains(err.Error(), "no such stream: (hidden)") {
		t.Errorf("got %v", err)
	}
}

func TestLocalName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cfg  config.Pull
		want string
	}{
		{config.Pull{Remote: config.Remote{URL: "rtmp://h/live"}}, ""},
		{config.Pull{Remote: config.Remote{URL: "rtmp://h/live/cam?x=y"}}, "cam"},
		{config.Pull{Stream: "main", Remote: config.Remote{URL: "rtmp://h/live/cam"}}, "main"},
		{config.Pull{Remote: config.Remote{URL: "rtmp://h/live", PlayPath: "cam"}}, "cam"},
		{config.Pull{Remote: config.Remote{URL: "rtmp://h/live/x-$name"}}, ""},
		{config.Pull{Remote: config.Remote{URL: "rtmp://h/a/b", Key: "k"}}, ""},
	} {
		if got := LocalName(&c.cfg); got != c.want {
			t.Errorf("%v: %q, want %q", c.cfg.Remote.URL.Reveal(), got, c.want)
		}
	}
}
