package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Over HTTP/2 a player's requests that wait, for playlists and for a part, share one
// connection with those that are answered at once (RFC 8216bis §6.2.5, appendix B.1).
func TestRequestsThatWaitShareAnHTTP2Connection(t *testing.T) {
	t.Parallel()
	_, live, dir := liveSite(t, Deps{})
	hints := &hintedLive{fakeLive: live, dir: dir}
	counted := &countedHints{hintedLive: hints}
	low := new(segstore.Low)
	f := playlist(list)
	f.Low, f.Target = low, 100*time.Second
	live.set(dir+"/test.m3u8", f)
	coming := make(chan segstore.File)
	hints.coming.Store(&coming)
	low.Publish(lowEdition(7, 2, "two"))
	pair(t, dir, 1)
	cfg := locations(config.Location{Path: "/live", Alias: value.Path(dir)})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem")}
	addr, _ := listenTLS(t, site(t, Deps{Live: counted}, cfg))

	var connections atomic.Int64
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	c := client(t, &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		connections.Add(1)
		return dialer.DialContext(ctx, network, address)
	}})
	c.Timeout = 2 * time.Minute
	get := func(path string) (string, error) {
		r, err := c.Get("https://" + addr + path)
		if err != nil {
			return "", err
		}
		defer func() { _ = r.Body.Close() }()
		b, err := io.ReadAll(r.Body)
		return fmt.Sprint(r.Proto, " ", r.StatusCode, " ", string(b)), err
	}
	first, err := get("/live/test.m3u8") // the connection that all share
	differs(t, "at once", first, "HTTP/2.0 200 two")
	if err != nil {
		t.Fatal(err)
	}

	const waiting = 30
	answers := make(chan string, waiting+1)
	for i := range waiting + 1 {
		path := fmt.Sprintf("/live/test.m3u8?_HLS_msn=7&_HLS_part=2&n=%d", i)
		if i == waiting {
			path = "/live/test-7.2.m4s"
		}
		go func() {
			answer, err := get(path)
			if err != nil {
				answer = err.Error()
			}
			answers <- answer
		}()
	}
	waitFor(t, func() bool { return counted.playlists.Load() == waiting+1 && counted.parts.Load() == 1 })
	again, err := get("/live/test.m3u8") // while all wait
	differs(t, "while others wait", again, "HTTP/2.0 200 two")
	if err != nil || len(answers) > 0 {
		t.Errorf("%d answers before the part is there, %v", len(answers), err)
	}
	coming <- segstore.File{App: "show", Stream: "test", Kind: segstore.Part, Body: []byte("part"), ETag: `"p"`, MaxAge: time.Minute}
	differs(t, "the part", <-answers, "HTTP/2.0 200 part")
	low.Publish(lowEdition(7, 3, "three"))
	for range waiting {
		differs(t, "a playlist that was waited for", <-answers, "HTTP/2.0 200 three")
	}
	differs(t, "connections", connections.Load(), 1)
}

// countedHints counts the requests that look for playlists, and those that wait for a part.
type countedHints struct {
	*hintedLive
	playlists, parts atomic.Int64
}

func (c *countedHints) Lookup(p string) (segstore.File, bool) {
	f, ok := c.hintedLive.Lookup(p)
	if ok && f.Low != nil {
		c.playlists.Add(1)
	}
	return f, ok
}

func (c *countedHints) Hinted(ctx context.Context, p string) (segstore.File, bool) {
	c.parts.Add(1)
	return c.hintedLive.Hinted(ctx, p)
}
