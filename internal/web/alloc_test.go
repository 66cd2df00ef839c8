package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// These are the requests of a viewer, without the network: parse, decide,
// format. The bounds leave no room for a copy of the header or the body.
const (
	maxAllocsPlaylist = 20
	maxAllocsFragment = 24
)

// viewer is one connection whose requests are played by hand.
type viewer struct {
	srv *plain
	c   *plainConn
	w   *writer
	req string
	in  *replay
}

// replay gives the same request each time it is rewound.
type replay struct {
	text string
	at   int
}

func (r *replay) Read(p []byte) (int, error) {
	if r.at >= len(r.text) {
		return 0, io.EOF
	}
	n := copy(p, r.text[r.at:])
	r.at += n
	return n, nil
}

// sink is a connection that takes everything.
type sink struct {
	net.Conn
	got int64
}

func (s *sink) Write(p []byte) (int, error)      { s.got += int64(len(p)); return len(p), nil }
func (s *sink) SetDeadline(time.Time) error      { return nil }
func (s *sink) SetReadDeadline(time.Time) error  { return nil }
func (s *sink) SetWriteDeadline(time.Time) error { return nil }

func newViewer(tb testing.TB, path string) (*viewer, *sink) {
	tb.Helper()
	dir := tb.TempDir()
	write(tb, dir, "live/test-1.ts", "fragment")
	live := &fakeLive{dirs: map[string][]string{dir + "/live": {"test.m3u8"}}}
	live.set(dir+"/live/test.m3u8", playlist(list))
	live.set(dir+"/live/test-1.ts", LiveFile{Kind: Segment, ETag: `"1"`, MaxAge: time.Minute})
	out, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	cfg := locations(config.Location{Path: "/live", Root: value.Path(dir)})
	cfg.AccessLog, cfg.TrustedProxies = "x", loopback()
	s := site(tb, Deps{Live: live, OpenLog: func(string) (io.WriteCloser, error) { return out, nil }}, cfg)
	to := &sink{}
	v := &viewer{in: &replay{}, srv: newPlain(NewServer(s, nil), s.log)}
	v.req = "GET " + path + " HTTP/1.1\r\nHost: live.example:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\nAccept-Language: en\r\nReferer: http://live.example/\r\nConnection: keep-alive\r\n\r\n"
	v.c = &plainConn{conn: &conn{Conn: to}, srv: v.srv, addr: "192.0.2.7:4711", br: bufio.NewReader(v.in)}
	v.w = &writer{c: v.c.conn, br: v.c.br, date: &v.srv.date, header: make(http.Header)}
	return v, to
}

func (v *viewer) ask() error {
	v.in.text, v.in.at = v.req, 0
	v.c.state.Store(connIdle)
	r, err := v.c.next(context.Background(), time.Minute)
	if err != nil {
		return err
	}
	if !v.c.answer(v.w, r) {
		return errors.New("the answer ended the connection")
	}
	return nil
}

func TestAllocationsPerRequest(t *testing.T) {
	for path, limit := range map[string]float64{"/live/test.m3u8": maxAllocsPlaylist, "/live/test-1.ts": maxAllocsFragment} {
		v, to := newViewer(t, path)
		n := testing.AllocsPerRun(500, func() {
			if err := v.ask(); err != nil {
				t.Error(err)
			}
		})
		if n > limit || to.got == 0 {
			t.Errorf("%s: got %v allocations, want at most %v", path, n, limit)
		}
	}
}

func BenchmarkPlaylist(b *testing.B) { benchmarkRequest(b, "/live/test.m3u8") }
func BenchmarkFragment(b *testing.B) { benchmarkRequest(b, "/live/test-1.ts") }

func benchmarkRequest(b *testing.B, path string) {
	v, _ := newViewer(b, path)
	b.ReportAllocs()
	for b.Loop() {
		if err := v.ask(); err != nil {
			b.Fatal(err)
		}
	}
}
