package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// site compiles an http block that is closed with the test.
func site(tb testing.TB, d Deps, cfg config.HTTP) *Site {
	tb.Helper()
	s, err := Compile(cfg, d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// player has h answer for player locations.
func player(h http.Handler) func(config.Player) (PageFunc, error) {
	return func(config.Player) (PageFunc, error) {
		return func(w http.ResponseWriter, r *http.Request, _ pages.Visit) { h.ServeHTTP(w, r) }, nil
	}
}

func locations(l ...config.Location) config.HTTP { return config.HTTP{Locations: l} }

// ask sends a request without a network. Words are "GET /path" and then
// "Name: value" headers; "peer: addr" is the address of the connection.
func ask(tb testing.TB, h http.Handler, what string, headers ...string) *http.Response {
	tb.Helper()
	method, target, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = "198.51.100.7:4711"
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "peer":
			r.RemoteAddr = net.JoinHostPort(value, "4711")
		case "Host":
			r.Host = value
		default:
			r.Header.Add(name, value)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(tb testing.TB, r *http.Response) string {
	tb.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		tb.Fatal(err)
	}
	_ = r.Body.Close()
	return string(b)
}

// write makes files below dir: name, content, name, content …
func write(tb testing.TB, dir string, files ...string) {
	tb.Helper()
	for i := 0; i < len(files); i += 2 {
		name := filepath.Join(dir, files[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(files[i+1]), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
}

// fakeLive is a packager's directory in memory.
type fakeLive struct {
	mu    sync.Mutex
	files map[string]segstore.File
	dirs  map[string][]string
}

func (f *fakeLive) Lookup(p string) (segstore.File, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lf, ok := f.files[p]
	return lf, ok
}

func (f *fakeLive) set(p string, lf segstore.File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files == nil {
		f.files = make(map[string]segstore.File)
	}
	f.files[p] = lf
}
func (f *fakeLive) Streams(dir string) []string { return f.dirs[dir] }
func (f *fakeLive) Paths() (out []string) {
	for d := range f.dirs {
		out = append(out, d)
	}
	return out
}

// playlist is a live playlist with the bytes given.
func playlist(body string) segstore.File {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = io.WriteString(w, body)
	_ = w.Close()
	return segstore.File{
		App: "show", Stream: "test", Kind: segstore.Playlist, Body: []byte(body), Gzip: func() []byte { return z.Bytes() }, ETag: `"abc"`,
		ModTime: time.Date(2026, 11, 21, 2, 0, 0, 0, time.UTC), MaxAge: 2 * time.Second,
	}
}

// observed is a logger and what it was told.
func observed() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zap.DebugLevel)
	return zap.New(core), logs
}

// serveSite serves a Site on a real socket until the test ends.
func serveSite(tb testing.TB, s *Site) (addr string, srv *Server) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	srv = NewServer(s, nil)
	run(tb, srv, func() error { return srv.Serve(l) })
	return l.Addr().String(), srv
}

// run serves until the test ends, and checks that serving then ends cleanly.
func run(tb testing.TB, srv *Server, serve func() error) {
	done := make(chan error, 1)
	go func() { done <- serve() }()
	tb.Cleanup(func() {
		if err := srv.Shutdown(expired()); err != nil && !strings.Contains(err.Error(), "context") {
			tb.Error(err)
		}
		if err := <-done; err != nil {
			tb.Errorf("serve: %v", err)
		}
	})
}

// expired is a context that is over: what is still going on is cut.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// dial connects for a test that writes its own bytes.
func dial(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	return c
}

// client is an http.Client that leaves nothing behind.
func client(tb testing.TB, t *http.Transport) *http.Client {
	tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{
		Transport: t, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func prefixes(s ...string) (out []netip.Prefix) {
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

func itoa(n int) string { return strconv.Itoa(n) }

// zapPath is the field files are logged under.
func zapPath(p string) zap.Field { return zap.String("path", p) }

func loopback() []netip.Prefix { return prefixes("127.0.0.0/8", "::1/128") }

func rules(allow ...string) (r value.Rules) {
	for _, prefix := range allow {
		r = append(r, value.Rule{Allow: true, Prefix: netip.MustParsePrefix(prefix)})
	}
	return append(r, value.Rule{All: true})
}

// differs reports a mismatch, got before want.
func differs[T cmp.Ordered](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if got != want {
		tb.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// waitFor polls until ok; the bound is ten times what any machine needs.
func waitFor(tb testing.TB, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("waited 20 s in vain")
		}
	}
}

func dialable(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// startProxy runs a program in the foreground with a config file until the test
// is over, and returns its pid once it listens.
func startProxy(tb testing.TB, conf, addr, name string, args ...string) int {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name+".conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		tb.Fatal(err)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("%s is not installed: apt-get install %s", name, name)
	}
	cmd := exec.Command(path, append(args, file)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitFor(tb, func() bool { return dialable(addr) })
	return cmd.Process.Pid
}
