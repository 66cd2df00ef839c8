package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/progressive"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// A fakeBroadcaster has one stream, base+x, in one directory. What stays says counts from
// the second look on.
type fakeBroadcaster struct {
	fakeAudience
	dir    string
	stream *live.Stream
	stays  func() error
}

func (b *fakeBroadcaster) Broadcast(_ context.Context, dir, name string) (s progressive.Source, ok bool) {
	if dir != b.dir || name != "base+x" {
		return s, false
	}
	return progressive.Source{File: segstore.File{App: "live", Stream: name, Kind: segstore.Playlist}, Live: b.stream}, true
}

func (b *fakeBroadcaster) Stays(context.Context, viewers.Visit) error { return b.stays() }

// broadcasting is a site with such a stream, of 3 s; finish adds another second and
// ends it.
func broadcasting(t *testing.T, dir string, cfg config.HTTP, stays func() error) (s *Site, b *fakeBroadcaster, finish func()) {
	t.Helper()
	b = &fakeBroadcaster{dir: dir + "/live", stream: live.NewStream("live", "base+x", live.Options{}), stays: stays}
	script := mediatest.NewScript(t).Play(3 * time.Second)
	for _, p := range script.Packets {
		b.stream.Write(p)
	}
	done := len(script.Packets)
	return site(t, Deps{Audience: b, Live: &fakeLive{dirs: map[string][]string{b.dir: nil}}}, cfg), b, func() {
		for _, p := range script.Play(time.Second).Packets[done:] {
			b.stream.Write(p)
		}
		b.stream.Close()
	}
}

func stay() error { return nil }

// HTTP/2 and HTTP/1.1, plain and over TLS, get the same bytes, as they come; a wildcard
// stream is found however its name is written.
func TestAStreamIsSentOverEveryHTTP(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 1)
	cfg := locations(config.Location{Path: "/live", Root: value.Path(dir)})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem"), MinVersion: tls.VersionTLS13}
	s, _, finish := broadcasting(t, dir, cfg, stay)
	secure, _ := listenTLS(t, s)
	plainCfg := locations(config.Location{Path: "/live", Root: value.Path(dir)})
	plain, b, finishPlain := broadcasting(t, dir, plainCfg, stay)
	addr, _ := serveSite(t, plain)
	answers := make(map[string]*http.Response)
	for name, c := range map[string]struct {
		h2  bool
		url string
	}{
		"HTTP/2.0": {true, "https://" + secure + "/live/base+x.flv"},
		"HTTP/1.1": {false, "https://" + secure + "/live/base%20x.flv"},
		"plain":    {false, "http://" + addr + "/live/base/x.flv"},
	} {
		r, err := client(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: c.h2}).Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		differs(t, name, r.StatusCode, 200)
		if name != "plain" {
			differs(t, "protocol", r.Proto, name)
		}
		answers[name] = r
	}
	for name, r := range answers {
		head := make([]byte, 3)
		if _, err := io.ReadFull(r.Body, head); err != nil || string(head) != "FLV" {
			t.Errorf("%s: %q (%v)", name, head, err)
		}
	}
	finish()
	finishPlain()
	var first []byte
	for name, r := range answers {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s ends with %v", name, err)
		}
		if first == nil {
			first = body
		}
		if len(body) == 0 || !bytes.Equal(body, first) {
			t.Errorf("%s: %d bytes, want %d", name, len(body), len(first))
		}
	}
	if n := b.stream.Snapshot().Cursors; n != 0 {
		t.Errorf("%d viewers are left", n)
	}
}

// A viewer that takes nothing is cut off once it may no longer watch, though a write to it
// is under way; one that hangs up is forgotten at once.
func TestAViewerThatTakesNothingIsCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	refused := make(chan struct{})
	s, b, finish := broadcasting(t, dir, locations(config.Location{Path: "/live", Root: value.Path(dir)}), func() error {
		select {
		case <-refused:
			return &viewers.Denial{Status: http.StatusForbidden}
		default:
			return nil
		}
	})
	addr, _ := serveSite(t, s)
	gone := dial(t, addr)
	fmt.Fprintf(gone, "GET /live/base+x.ts HTTP/1.1\r\nHost: localhost\r\n\r\n")
	waitFor(t, func() bool { return b.stream.Snapshot().Cursors == 1 })
	_ = gone.Close()
	waitFor(t, func() bool { return b.stream.Snapshot().Cursors == 0 })

	c := dial(t, addr)
	fmt.Fprintf(c, "GET /live/base+x.ts HTTP/1.1\r\nHost: localhost\r\n\r\n")
	waitFor(t, func() bool { return b.stream.Snapshot().Cursors == 1 })
	script := mediatest.NewScript(t)
	script.At, script.Size, script.Audio = 4*time.Second, 256<<10, nil
	for _, p := range script.Play(4 * time.Second).Packets { // 25 MB: more than sockets hold
		b.stream.Write(p)
	}
	close(refused)
	waitFor(t, func() bool { return b.stream.Snapshot().Cursors == 0 })
	finish()
}
