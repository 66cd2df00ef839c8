package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// exchangeBytes sends raw bytes and returns all that comes back until the
// server closes.
func exchangeBytes(t *testing.T, addr, send string) string {
	t.Helper()
	c := dial(t, addr)
	if _, err := io.WriteString(c, send); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return string(b)
}

// An encoder with the wrong port waits for an answer, and so does HTTP.
func TestRTMPOnThisPortIsClosedAndReported(t *testing.T) {
	t.Parallel()
	log, logged := observed()
	addr, _ := serveSite(t, site(t, Deps{Log: log}, locations(config.Location{Path: "/", Root: value.Path(t.TempDir())})))
	for range 2 {
		if got := exchangeBytes(t, addr, "\x03"+strings.Repeat("\x00", 1536)); got != "" {
			t.Errorf("answered %q", got)
		}
	}
	if n := logged.FilterMessageSnippet("this looks like RTMP").Len(); n != 1 {
		t.Errorf("%d log lines, want one", n)
	}
}

func TestConnectionsStayAndPipelinesAreAnswered(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.ts", "AAAA", "b.ts", "BBBB")
	addr, _ := serveSite(t, site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)})))
	for _, c := range []struct {
		name, send string
		answers    int
	}{
		{"keep-alive by default", "GET /a.ts HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\nHost: h\r\n\r\nGET /b.ts HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 3},
		{"close means close", "GET /a.ts HTTP/1.1\r\nHost: h\r\nConnection: Close\r\n\r\nGET /b.ts HTTP/1.1\r\nHost: h\r\n\r\n", 1},
		{"HTTP/1.0 closes", "GET /a.ts HTTP/1.0\r\n\r\nGET /b.ts HTTP/1.0\r\n\r\n", 1},
		{"HTTP/1.0 stays if asked", "GET /a.ts HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b.ts HTTP/1.0\r\n\r\n", 2},
		{"a bad request ends it", "GET /a.ts HTTP/1.1\r\nHost: h\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /b.ts HTTP/1.1\r\nHost: h\r\n\r\n", 2},
		{"HEAD has no body", "HEAD /a.ts HTTP/1.1\r\nHost: h\r\n\r\nHEAD /b.ts HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 2},
		{"a body is not the next request", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 37\r\n\r\nGET /a.ts HTTP/1.1\r\nHost: h\r\n\r\n", 1},
		{"nor is one in chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n", 1},
	} {
		got := exchangeBytes(t, addr, c.send)
		if n := strings.Count(got, "HTTP/1.1 "); n != c.answers {
			t.Errorf("%s: %d answers, want %d:\n%s", c.name, n, c.answers, got)
		}
		if strings.Contains(c.send, "HEAD") && strings.Contains(got, "AAAA") {
			t.Errorf("%s: has a body", c.name)
		}
	}
}

func TestBadRequestsAreToldWhy(t *testing.T) {
	t.Parallel()
	addr, _ := serveSite(t, site(t, Deps{}, locations(config.Location{Path: "/", Health: true})))
	for _, c := range []struct{ name, send, want string }{
		{"no Host", "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"},
		{"a long head", "GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("a", 2*http1.MaxHeader) + "\r\n\r\n", "HTTP/1.1 431 Request Header Fields Too Large"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 505"},
		{"expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: wonders\r\n\r\n", "HTTP/1.1 417"},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 204"},
		{"CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 400"},
		{"a large body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("a", 100_000), "HTTP/1.1 405"},
	} {
		if got := exchangeBytes(t, addr, c.send); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %.100q, want %s", c.name, got, c.want)
		}
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, "big.ts", strings.Repeat("a", 1<<20))
		l := newPipes()
		log, logs := observed()
		srv := NewServer(site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)})), log)
		run(t, srv, func() error { return srv.Serve(l) })
		for _, c := range []struct {
			name  string
			play  func(net.Conn)
			limit time.Duration
		}{
			{"says nothing", func(net.Conn) {}, http1.HeaderTimeout},
			{"says nothing more", func(c net.Conn) {
				go io.WriteString(c, "GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
				_, _ = http.ReadResponse(bufio.NewReader(c), nil)
			}, http1.IdleTimeout},
			{"drips a head", func(c net.Conn) {
				go func() {
					for _, b := range []byte("GET / HTTP/1.1\r\nHost: " + strings.Repeat("h", 1000)) {
						if _, err := c.Write([]byte{b}); err != nil {
							return
						}
						time.Sleep(time.Second)
					}
				}()
			}, http1.HeaderTimeout + time.Second},
			{"takes nothing", func(c net.Conn) {
				_, _ = io.WriteString(c, "GET /big.ts HTTP/1.1\r\nHost: h\r\n\r\n")
				time.Sleep(http1.WriteTimeout + time.Second)
			}, http1.WriteTimeout + 2*time.Second},
		} {
			conn := l.connect()
			begin := time.Now()
			c.play(conn)
			_, err := io.Copy(io.Discard, conn)
			if took := time.Since(begin); took < c.limit-2*time.Second || took > c.limit || err != nil {
				t.Errorf("%s: held for %v, want about %v (%v)", c.name, took, c.limit, err)
			}
			_ = conn.Close()
		}
		if n := logs.FilterMessage("request handler panicked").Len(); n > 0 {
			t.Errorf("%d panics", n)
		}
	})
}

func TestASwapReachesTheNextRequestAndLosesNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a/n.txt", "old", "b/n.txt", "new")
	mk := func(sub string) *Site {
		s, err := Compile(locations(config.Location{Path: "/", Alias: value.Path(dir + "/" + sub)}), Deps{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	addr, srv := serveSite(t, mk("a"))
	var seen [2]atomic.Int64
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			c := client(t, &http.Transport{})
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := c.Get("http://" + addr + "/n.txt")
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(r.Body)
				_ = r.Body.Close()
				switch {
				case err == nil && string(b) == "old":
					seen[0].Add(1)
				case err == nil && string(b) == "new":
					seen[1].Add(1)
				default:
					t.Errorf("got %d %q, %v", r.StatusCode, b, err)
				}
			}
		})
	}
	for i := range 100 {
		if err := srv.Swap(mk([]string{"b", "a"}[i%2])).Close(); err != nil {
			t.Error(err)
		}
		was := seen[0].Load() + seen[1].Load()
		waitFor(t, func() bool { return seen[0].Load()+seen[1].Load() > was })
	}
	waitFor(t, func() bool { return seen[0].Load() > 0 })
	close(stop)
	wg.Wait()
	if seen[1].Load() == 0 {
		t.Error("no request saw the new site")
	}
	last := srv.site.Load()
	if err := last.Close(); err != nil {
		t.Error(err)
	}
	r, err := client(t, &http.Transport{}).Get("http://" + addr + "/n.txt")
	if err != nil {
		t.Fatal(err)
	}
	bodyOf(t, r)
	differs(t, "after the last site was closed", r.StatusCode, 503)
}

func TestShutdownLetsRequestsEndAndClosesTheIdle(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		entered <- struct{}{}
		<-leave
		_, _ = io.WriteString(w, "done")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(site(t, Deps{Player: player(page)}, locations(config.Location{Path: "/", Player: &config.Player{}}, config.Location{Path: "/h", Health: true})), nil)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	idle, busy := dial(t, l.Addr().String()), dial(t, l.Addr().String())
	fmt.Fprintf(idle, "GET /h HTTP/1.1\r\nHost: h\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-entered
	down := make(chan error, 1)
	go func() { down <- srv.Shutdown(t.Context()) }()
	if _, err := io.Copy(io.Discard, idle); err != nil {
		t.Errorf("the idle connection: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
	select {
	case err := <-down:
		t.Fatalf("shutdown did not wait (%v)", err)
	default:
	}
	close(leave)
	r, err := http.ReadResponse(bufio.NewReader(busy), nil)
	if err != nil {
		t.Fatal(err)
	}
	differs(t, "the request under way", bodyOf(t, r), "done")
	if err := <-down; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if err := srv.Serve(l); err != nil {
		t.Errorf("serving after the end: %v", err)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(site(t, Deps{Player: player(page)}, locations(config.Location{Path: "/", Player: &config.Player{}})), nil)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	c := dial(t, l.Addr().String())
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	<-entered
	if err := srv.Shutdown(expired()); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	<-served
}

func TestAHandlerLearnsThatItsClientHasGone(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan struct{})
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quick" {
			return
		}
		close(entered)
		<-r.Context().Done()
		close(left)
	})
	addr, _ := serveSite(t, site(t, Deps{Stat: func(config.Stat) http.Handler { return page }}, locations(config.Location{Path: "/", Stat: &config.Stat{}})))
	c := dial(t, addr)
	for range 3 { // watching ends with each request
		fmt.Fprintf(c, "GET /quick HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(c, "GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-entered
	_ = c.Close()
	<-left
}

func TestAPanicEndsOneConnectionOnly(t *testing.T) {
	t.Parallel()
	log, logs := observed()
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/quiet" {
			panic(http.ErrAbortHandler)
		}
		panic("a bug")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(site(t, Deps{Player: player(page)}, locations(config.Location{Path: "/", Player: &config.Player{}}, config.Location{Path: "/h", Health: true})), log)
	run(t, srv, func() error { return srv.Serve(l) })
	for _, p := range []string{"/loud", "/quiet"} {
		differs(t, p, exchangeBytes(t, l.Addr().String(), "GET "+p+" HTTP/1.1\r\nHost: h\r\n\r\n"), "")
	}
	differs(t, "lines", logs.FilterMessage("request handler panicked").Len(), 1)
	if got := exchangeBytes(t, l.Addr().String(), "GET /h HTTP/1.0\r\n\r\n"); !strings.HasSuffix(got, "ok\n") {
		t.Errorf("after a panic: %q", got)
	}
}

func TestPROXYHeadersAreAMustFromThoseNamed(t *testing.T) {
	t.Parallel()
	cfg := locations(
		config.Location{Path: "/", Health: true, Access: rules("192.0.2.0/24")},
		config.Location{Path: "/stat", Stat: &config.Stat{}},
	)
	cfg.ProxyProtocol = loopback()
	stat := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	addr, _ := serveSite(t, site(t, Deps{Stat: func(config.Stat) http.Handler { return stat }}, cfg))
	const get = "GET / HTTP/1.0\r\n\r\n"
	for _, c := range []struct{ name, send, want string }{
		{"v1", "PROXY TCP4 192.0.2.7 10.0.0.1 5555 80\r\n" + get, "HTTP/1.1 200"},
		{"v1 of somebody else", "PROXY TCP4 203.0.113.7 10.0.0.1 5555 80\r\n" + get, "HTTP/1.1 403"},
		{"v2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x15\xb3\x00\x50" + get, "HTTP/1.1 200"},
		{"stat is not local through it", "PROXY TCP4 127.0.0.1 127.0.0.1 5555 80\r\nGET /stat HTTP/1.0\r\nHost: localhost\r\n\r\n", "HTTP/1.1 403"},
		{"missing", get, ""},
	} {
		if got := exchangeBytes(t, addr, c.send); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	plain, _ := serveSite(t, site(t, Deps{}, locations(config.Location{Path: "/", Health: true})))
	if got := exchangeBytes(t, plain, "PROXY TCP4 192.0.2.7 10.0.0.1 5555 80\r\n"+get); !strings.HasPrefix(got, "HTTP/1.1 400") {
		t.Errorf("a PROXY header from anyone else: got %q", got)
	}
}

func TestUnixSockets(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "web-unix-") // t.TempDir is too long for a socket's name
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	data := strings.Repeat("0123456789", 50_000)
	write(t, dir, "a.ts", data)
	l, err := net.Listen("unix", dir+"/s")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)})), nil)
	run(t, srv, func() error { return srv.Serve(l) })
	c := client(t, &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", dir+"/s")
	}})
	r, err := c.Get("http://h/a.ts")
	if err != nil {
		t.Fatal(err)
	}
	differs(t, "bytes", len(bodyOf(t, r)), len(data))
}

func TestAFileThatShrinksEndsTheConnection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.ts", strings.Repeat("a", 8<<20))
	addr, _ := serveSite(t, site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)})))
	c := dial(t, addr)
	fmt.Fprintf(c, "GET /a.ts HTTP/1.1\r\nHost: h\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(dir+"/a.ts", 100); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r.Body); err == nil {
		// All of it was in the sockets already, on a machine with large ones: then it was complete.
		if r.ContentLength != 8<<20 {
			t.Errorf("length %d", r.ContentLength)
		}
		return
	} else if !errors.Is(err, io.ErrUnexpectedEOF) && !strings.Contains(err.Error(), "reset") {
		t.Errorf("got %v", err)
	}
}
