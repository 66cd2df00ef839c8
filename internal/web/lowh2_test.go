package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
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

// BenchmarkPlayersThatWait has 5000 players wait for each part of one stream. The goals are
// less than 100 MB for all, and 50 ms from a part to the last answer. The players are in
// the same process, and in the figures: one thread asks and reads for all of them, so that
// their share is small.
func BenchmarkPlayersThatWait(b *testing.B) {
	const players = 5000
	top := b.TempDir()
	dir := top + "/live"
	write(b, dir, "test.m3u8", list)
	live := &countedLive{fakeLive: &fakeLive{dirs: map[string][]string{dir: {"test.m3u8"}}}}
	f := playlist(list)
	f.Low, f.Target = new(segstore.Low), 100*time.Second
	live.set(dir+"/test.m3u8", f)
	text := string(make([]byte, 2000)) // a playlist of such a length
	f.Low.Publish(lowEdition(7, 2, text))
	s := site(b, Deps{Live: live}, locations(config.Location{Path: "/live", Root: value.Path(top)}))
	addr, _ := serveSite(b, s)
	before := memory()
	conns := make([]int, players)
	for i := range conns {
		conns[i] = dialPlain(b, addr)
	}
	part, asked := 2, int64(0)
	ask := func() {
		request := fmt.Appendf(nil, "GET /live/test.m3u8?_HLS_msn=7&_HLS_part=%d HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n", part)
		for _, c := range conns {
			if _, err := syscall.Write(c, request); err != nil {
				b.Fatal(err)
			}
		}
		for asked += players; live.n.Load() < asked; {
			time.Sleep(time.Millisecond)
		}
		part++
	}
	ask()
	used := memory() - before
	var longest, sum time.Duration
	n := 0
	in := make([]byte, 4096)
	for b.Loop() {
		b.StopTimer()
		runtime.GC()
		edition := lowEdition(7, part, text)
		n++
		b.StartTimer()
		begun := time.Now()
		f.Low.Publish(edition)
		for _, c := range conns {
			if n, err := syscall.Read(c, in); err != nil || !bytes.HasPrefix(in[:n], []byte("HTTP/1.1 200 ")) {
				b.Fatalf("%q, %v", in[:n], err)
			}
		}
		took := time.Since(begun)
		b.StopTimer()
		longest, sum = max(longest, took), sum+took
		ask()
		b.StartTimer()
	}
	b.ReportMetric(float64(used)/1e6, "MB/all")
	b.ReportMetric(float64(sum.Milliseconds())/float64(n), "ms/part")
	b.ReportMetric(float64(longest.Milliseconds()), "ms/part-max")
	b.Logf("%d players: %.0f MB (goal: 100), a part to all of them in %.0f ms (goal: 50), at most %d", players, float64(used)/1e6, float64(sum.Milliseconds())/float64(n), longest.Milliseconds())
}

// dialPlain connects a socket of which the runtime does not know: what comes wakes nobody
// but who reads.
func dialPlain(b *testing.B, addr string) int {
	b.Helper()
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		b.Fatal(err)
	}
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = syscall.Close(s) })
	if err := syscall.Connect(s, &syscall.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		b.Fatal(err)
	}
	return s
}
