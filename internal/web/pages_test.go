package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

// waiting has WebSockets that say nothing and end with the server.
func waiting(ended chan<- struct{}) func(config.Player) (PageFunc, error) {
	return func(config.Player) (PageFunc, error) {
		return func(w http.ResponseWriter, r *http.Request, v pages.Visit) {
			c, err := websocket.Accept(w, r)
			if err != nil {
				return
			}
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_ = c.Drain()
			}()
			select {
			case <-v.Ending:
			case <-gone:
			}
			c.Close(websocket.GoingAway, "")
			<-gone
			ended <- struct{}{}
		}, nil
	}
}

// upgrade asks for a WebSocket and returns the status.
func upgrade(t *testing.T, c net.Conn, path string, headers ...string) (status int, br *bufio.Reader) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: tv.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, strings.Join(headers, ""))
	br = bufio.NewReader(c)
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, br
}

// closeCode reads the frame that ends a WebSocket.
func closeCode(t *testing.T, br *bufio.Reader) int {
	t.Helper()
	var frame [4]byte
	if _, err := io.ReadFull(br, frame[:]); err != nil {
		t.Fatal(err)
	}
	if frame[0] != 0x88 {
		t.Fatalf("no close: %x", frame)
	}
	return int(binary.BigEndian.Uint16(frame[2:]))
}

// A stop ends the WebSockets at once and waits for them, with TLS too, where net/http knows
// nothing of them.
func TestAStopEndsTheWebSockets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 1)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %t", secure), func(t *testing.T) {
			ended := make(chan struct{}, 10)
			cfg := locations(config.Location{Path: "/", Player: &config.Player{}})
			if secure {
				cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem")}
			}
			s := site(t, Deps{Player: waiting(ended)}, cfg)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			srv := NewServer(s, nil)
			served := make(chan error, 1)
			go func() {
				if secure {
					served <- srv.ServeTLS(l)
				} else {
					served <- srv.Serve(l)
				}
			}()
			open := func() net.Conn {
				if !secure {
					return dial(t, l.Addr().String())
				}
				c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = c.Close() })
				return c
			}
			status, br := upgrade(t, open(), "/x")
			differs(t, "status", status, 101)
			gone := open()
			upgrade(t, gone, "/x")
			_ = gone.Close()
			<-ended // with its client
			if err := srv.Shutdown(t.Context()); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			select {
			case <-ended:
			default:
				t.Error("the stop did not wait for the WebSocket")
			}
			if err := <-served; err != nil {
				t.Error(err)
			}
			differs(t, "code", closeCode(t, br), websocket.GoingAway)
		})
	}
}

// A client that takes nothing can't hold up a stop for longer than it may last.
func TestAStopCutsAWebSocketThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 1)
	entered, cut := make(chan struct{}), make(chan struct{})
	stubborn := func(config.Player) (PageFunc, error) {
		return func(w http.ResponseWriter, r *http.Request, _ pages.Visit) {
			c, err := websocket.Accept(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			close(entered)
			_ = c.Drain()
			close(cut)
		}, nil
	}
	cfg := locations(config.Location{Path: "/", Player: &config.Player{}})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem")}
	addr, srv := listenTLS(t, site(t, Deps{Player: stubborn}, cfg))
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	upgrade(t, c, "/")
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_ = srv.Shutdown(ctx) // it may say that time was over
	<-cut
}

// A reload ends the WebSockets of the Site that was: another one answers now.
func TestAClosedSiteEndsItsWebSockets(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 1)
	s, err := Compile(locations(config.Location{Path: "/", Player: &config.Player{}}), Deps{Player: waiting(ended)})
	if err != nil {
		t.Fatal(err)
	}
	next := site(t, Deps{}, locations(config.Location{Path: "/h", Health: true}))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(s, nil)
	run(t, srv, func() error { return srv.Serve(l) })
	_, br := upgrade(t, dial(t, l.Addr().String()), "/x")
	if err := srv.Swap(next).Close(); err != nil {
		t.Error(err)
	}
	differs(t, "code", closeCode(t, br), websocket.GoingAway)
	<-ended
}

// Browsers ask nobody before a page of another site opens a WebSocket: cors_origins must
// be kept here.
func TestWebSocketsOfOtherSites(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 100)
	cfg := locations(
		config.Location{Path: "/open", Player: &config.Player{}},
		config.Location{Path: "/some", Player: &config.Player{}, CORSOrigins: value.Origins{"https://forum.example"}},
		config.Location{Path: "/none", Player: &config.Player{}, CORSOrigins: value.Origins{}},
		config.Location{Path: "/guarded", Player: &config.Player{}, Access: rules("192.0.2.0/24")},
		config.Location{Path: "/other", Health: true},
	)
	cfg.PublicURL, cfg.TrustedProxies = value.BaseURLs{"https://public.example/mist"}, loopback()
	addr, _ := serveSite(t, site(t, Deps{Player: waiting(ended)}, cfg))
	for what, want := range map[string]int{
		"/open":                                101,
		"/open Origin: https://evil.example":   101,
		"/some Origin: https://forum.example":  101,
		"/some Origin: https://evil.example":   403,
		"/some Origin: https://public.example": 101, // its own, behind a proxy
		"/some Origin: http://public.example":  403,
		"/some Origin: null":                   403,
		"/some Origin: http://tv.example":      101, // its own
		"/some":                                101, // no browser
		"/none Origin: https://forum.example":  403,
		"/guarded Origin: http://tv.example":   403,
		"/other Origin: http://tv.example":     200, // it knows no upgrade
	} {
		path, header, _ := strings.Cut(what, " ")
		if header != "" {
			header += "\r\n"
		}
		if status, _ := upgrade(t, dial(t, addr), path, header); status != want {
			t.Errorf("%s: %d, want %d", what, status, want)
		}
	}
}

// What a page is told about its visitor.
func TestWhatAPageIsTold(t *testing.T) {
	t.Parallel()
	var got pages.Visit
	deps := Deps{
		Live: &fakeLive{dirs: map[string][]string{"/srv/hls": {"test.m3u8"}}},
		Player: func(config.Player) (PageFunc, error) {
			return func(_ http.ResponseWriter, _ *http.Request, v pages.Visit) { got = v }, nil
		},
	}
	token := value.Secret("a-token-that-is-long")
	cfg := locations(
		config.Location{Path: "/live", Alias: "/srv/hls"},
		config.Location{Path: "/", Player: &config.Player{}},
		config.Location{Path: "/a/b", Player: &config.Player{}},
	)
	cfg.TrustedProxies = loopback()
	s := site(t, deps, cfg)
	for what, want := range map[string]string{
		"GET /test.html":            " /test.html 0 http://tv.example",
		"GET /":                     " / 0 http://tv.example",
		"GET /embed/x":              " /embed/x 1 http://tv.example",
		"GET /a/b":                  "/a/b  -1 http://tv.example",
		"GET /a/b/":                 "/a/b / 0 http://tv.example",
		"GET /a/b/show/test.html":   "/a/b /show/test.html 1 http://tv.example",
		"GET /a/b//show//test.html": "/a/b /show/test.html 3 http://tv.example", // as the browser sees it
	} {
		ask(t, s, what, "Host: tv.example")
		differs(t, what, fmt.Sprint(got.Location, " ", got.Path, " ", got.Depth, " ", got.Base()), want)
		differs(t, what, got.PlaylistPath("/srv/hls", "test.m3u8"), "/live/test.m3u8")
		differs(t, what, got.PlaylistPath("/srv/other", "test.m3u8"), "")
	}

	// Only what a visitor may have is named.
	cfg.Locations[0].Access = rules("192.0.2.0/24")
	s = site(t, deps, cfg)
	ask(t, s, "GET /test.html")
	differs(t, "a stranger's path", got.PlaylistPath("/srv/hls", "test.m3u8"), "")
	ask(t, s, "GET /test.html", "peer: 192.0.2.1")
	differs(t, "a friend's path", got.PlaylistPath("/srv/hls", "test.m3u8"), "/live/test.m3u8")
	cfg.Locations[0].Access, cfg.Locations[0].Token = nil, token
	s = site(t, deps, cfg)
	ask(t, s, "GET /test.html")
	differs(t, "behind credentials", got.PlaylistPath("/srv/hls", "test.m3u8"), "")
	cfg.Locations[1].Token = token
	s = site(t, deps, cfg)
	ask(t, s, "GET /test.html", "Authorization: Bearer "+token.Reveal())
	differs(t, "both behind credentials", got.PlaylistPath("/srv/hls", "test.m3u8"), "/live/test.m3u8")
}
