package web

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// These are the requests of a viewer, without the network: parse, decide,
// format. The bounds leave no room for a copy of the header or the body.
const (
	maxAllocsPlaylist = 20
	maxAllocsFragment = 24
)

// replay is a connection that sends the same request for as long as more says,
// and takes every answer.
type replay struct {
	net.Conn
	request string
	more    func() bool
	got     int64
	closed  chan struct{}
	once    sync.Once
}

func (r *replay) Read(p []byte) (int, error) {
	if !r.more() {
		return 0, io.EOF
	}
	return copy(p, r.request), nil
}

func (r *replay) Write(p []byte) (int, error)      { r.got += int64(len(p)); return len(p), nil }
func (r *replay) Close() error                     { r.once.Do(func() { close(r.closed) }); return nil }
func (r *replay) SetDeadline(time.Time) error      { return nil }
func (r *replay) SetReadDeadline(time.Time) error  { return nil }
func (r *replay) SetWriteDeadline(time.Time) error { return nil }
func (r *replay) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8080} }
func (r *replay) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711} }

// newViewer serves a live stream. play sends requests for path on one connection
// until more is false, and returns how many bytes were answered.
func newViewer(tb testing.TB, path string) (play func(more func() bool) (got int64)) {
	tb.Helper()
	dir := tb.TempDir()
	write(tb, dir, "live/test-1.ts", "fragment")
	live := &fakeLive{dirs: map[string][]string{dir + "/live": {"test.m3u8"}}}
	live.set(dir+"/live/test.m3u8", playlist(list))
	live.set(dir+"/live/test-1.ts", segstore.File{Kind: segstore.Segment, ETag: `"1"`, MaxAge: time.Minute})
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	cfg := locations(config.Location{Path: "/live", Root: value.Path(dir)})
	cfg.AccessLog, cfg.TrustedProxies = "x", loopback()
	s := site(tb, Deps{Live: live, OpenLog: func(string) (io.WriteCloser, error) { return out, nil }}, cfg)
	l, srv := newPipes(), NewServer(s, nil)
	run(tb, srv, func() error { return srv.Serve(l) })
	request := "GET " + path + " HTTP/1.1\r\nHost: live.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nAccept-Language: en\r\nReferer: http://live.example/\r\nConnection: keep-alive\r\n\r\n"
	return func(more func() bool) int64 {
		c := &replay{request: request, more: more, closed: make(chan struct{})}
		l.conns <- c
		<-c.closed
		return c.got
	}
}

func TestAllocationsPerRequest(t *testing.T) {
	const requests = 2000 // a connection's own few allocations do not count among them
	for path, limit := range map[string]float64{"/live/test.m3u8": maxAllocsPlaylist, "/live/test-1.ts": maxAllocsFragment} {
		play := newViewer(t, path)
		n := testing.AllocsPerRun(1, func() {
			left := requests
			if got := play(func() bool { left--; return left >= 0 }); got < requests*100 {
				t.Errorf("%s: %d bytes were answered to %d requests", path, got, requests)
			}
		}) / requests
		if underRace { // a sync.Pool then loses one in four of what it is given
			limit += 2
		}
		if n > limit {
			t.Errorf("%s: got %v allocations, want at most %v", path, n, limit)
		}
	}
}

func BenchmarkPlaylist(b *testing.B) { benchmarkRequest(b, "/live/test.m3u8") }
func BenchmarkFragment(b *testing.B) { benchmarkRequest(b, "/live/test-1.ts") }

func benchmarkRequest(b *testing.B, path string) {
	play := newViewer(b, path)
	b.ReportAllocs()
	play(b.Loop)
}
