package hooks

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

var publishEvent = Publish(ffmpeg, Stream{Name: "s", Args: "tok=1"}, "live")

func TestWhatIsSent(t *testing.T) {
	type request struct{ line, host, body, contentType, agent, auth, extra string }
	seen := make(chan request, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		if len(r.Header["X-Idempotency-Key"]) > 0 {
			t.Error("the mark that a call may be repeated is sent")
		}
		seen <- request{
			r.Method + " " + r.RequestURI, r.Host, string(b), r.Header.Get("Content-Type"), r.Header.Get("User-Agent"),
			user + ":" + password, r.Header.Get("X-Extra"),
		}
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	const form = "tok=1&" + ffmpegForm + "&clientid=1&call=publish&name=s&type=live"
	const urlencoded = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, method, url string
		headers           map[string]value.Secret
		want              request
	}{
		{"post", "post", srv.URL + "/on?x=1", nil, request{"POST /on?x=1", host, form, urlencoded, "rtmpd", ":", ""}},
		{"get", "get", srv.URL + "/on", nil, request{"GET /on?" + form, host, "", urlencoded, "rtmpd", ":", ""}},
		{"get to a URL with a query", "get", srv.URL + "/on?x=1", nil, request{"GET /on?x=1&" + form, host, "", urlencoded, "rtmpd", ":", ""}},
		{"no path", "get", srv.URL, nil, request{"GET /?" + form, host, "", urlencoded, "rtmpd", ":", ""}},
		{
			"userinfo and headers", "post", "http://u:p%40@" + host + "/",
			map[string]value.Secret{"X-Extra": "e", "Host": "hooks.example", "User-Agent": "nginx"},
			request{"POST /", "hooks.example", form, urlencoded, "nginx", "u:p@", "e"},
		},
	} {
		_, caller, _ := newTestClient(t)
		n := notify()
		n.Method, n.Headers = c.method, c.headers
		if _, err := caller.Ask(t.Context(), value.URL(c.url), n, publishEvent); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := <-seen; got != c.want {
			t.Errorf("%s: the hook sees\n%+v, want\n%+v", c.name, got, c.want)
		}
	}
}

func TestNoTargetIsAYes(t *testing.T) {
	c, caller, _ := newTestClient(t)
	if v, err := caller.Ask(t.Context(), "", notify(), publishEvent); v.Name != "" || err != nil {
		t.Errorf("got %+v, %v", v, err)
	}
	if n := c.Stats()[OnPublish].Calls; n != 0 {
		t.Errorf("%d calls were made", n)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	for _, secure := range []bool{false, true} {
		var conns atomic.Int32
		var proto atomic.Value
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			proto.Store(r.Proto)
			fmt.Fprintln(w, "thanks")
		}))
		srv.EnableHTTP2 = true
		srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		}
		want := "HTTP/1.1"
		if secure {
			srv.StartTLS()
			want = "HTTP/2.0"
		} else {
			srv.Start()
		}
		c, caller, _ := newTestClient(t)
		if secure {
			c.transport.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig
		}
		for range 20 {
			if _, err := caller.Ask(t.Context(), value.URL(srv.URL), notify(), publishEvent); err != nil {
				t.Fatal(err)
			}
		}
		if conns.Load() != 1 || proto.Load() != want {
			t.Errorf("20 calls took %d connections of %s, want 1 of %s", conns.Load(), proto.Load(), want)
		}
		c.Close(time.Now())
		srv.Close()
	}
}

func TestAnUnknownCertificateRefuses(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	_, caller, _ := newTestClient(t)
	_, err := caller.Ask(t.Context(), value.URL(srv.URL), notify(), publishEvent)
	var unknown *tls.CertificateVerificationError
	if !errors.As(err, &unknown) || err.Error() != "on_publish could not be asked" {
		t.Errorf("got %v", err)
	}
}

// Most servers close an idle connection after some seconds, possibly while the next
// call is being sent on it. That call is retried on a new connection.
func TestAConnectionThatTheHookClosedIsNoDeadHook(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var conns atomic.Int32
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			r := bufio.NewReader(nc)
			if req, err := http.ReadRequest(r); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				fmt.Fprint(nc, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				_, _ = http.ReadRequest(r) // the next one has been sent: too late
			}
			nc.Close()
		}
	}()
	_, caller, _ := newTestClient(t)
	for range 3 {
		if _, err := caller.Ask(t.Context(), value.URL("http://"+ln.Addr().String()), notify(), publishEvent); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections, want 3: each closed while the next call was on its way", n)
	}
	ln.Close()
	caller.client.Close(time.Now())
	<-served
}

func TestTheAddressIsLookedUpAtEachDial(t *testing.T) {
	hits := make(chan string, 2)
	answer := func(name string) *httptest.Server {
		return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			hits <- name
		}))
	}
	old, moved := answer("old"), answer("moved")
	defer old.Close()
	defer moved.Close()
	c, caller, _ := newTestClient(t)
	at := old.Listener.Addr().String()
	var asked []string
	c.transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = append(asked, address)
		return new(net.Dialer).DialContext(ctx, network, at)
	}
	for range 2 {
		if _, err := caller.Ask(t.Context(), "http://hooks.example/x", notify(), publishEvent); err != nil {
			t.Fatal(err)
		}
		at = moved.Listener.Addr().String()
	}
	if a, b := <-hits, <-hits; a != "old" || b != "moved" || asked[1] != "hooks.example:80" {
		t.Errorf("the calls went to %s and %s, dialled as %q", a, b, asked)
	}
}

// A bad answer gives a no within notify_timeout. Little of it is read, and the client
// does not learn the hook's address.
func TestBadAnswers(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	endless := func(w io.Writer, line string) {
		for {
			if _, err := io.WriteString(w, line); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		name   string
		answer func(nc net.Conn)
		want   string // the refusal's words; empty: a yes
	}{
		{"hangs", func(net.Conn) { <-hang }, "on_publish gave no answer in time"},
		{"hangs up", func(net.Conn) {}, "on_publish could not be asked"},
		{"garbage", func(nc net.Conn) { fmt.Fprint(nc, "\x00\xffI am no HTTP server\n\n") }, "could not be asked"},
		{"RTMP", func(nc net.Conn) { _, _ = nc.Write(make([]byte, 3073)) }, "could not be asked"},
		{"half a status line", func(nc net.Conn) { fmt.Fprint(nc, "HTTP/1.1 20") }, "could not be asked"},
		{"headers without end", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 200 OK\r\n")
			endless(nc, "X-Filler: "+strings.Repeat("x", 1000)+"\r\n")
		}, "could not be asked"},
		{"one header line without end", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 200 OK\r\nX: ")
			endless(nc, strings.Repeat("x", 1000))
		}, "could not be asked"},
		{"100 Continue without end", func(nc net.Conn) { endless(nc, "HTTP/1.1 100 Continue\r\n\r\n") }, "could not be asked"},
		{"a yes with 10 GB", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
			endless(nc, strings.Repeat("x", 4096))
		}, ""},
		{"a no with 10 GB", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n")
			endless(nc, "1000\r\n"+strings.Repeat("x", 4096)+"\r\n")
		}, "refused by on_publish: 403 Forbidden"},
		{"a yes whose body hangs", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
			<-hang
		}, ""},
		{"a yes without length on an open connection, as of HTTP/1.0", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.0 200 OK\r\n\r\n")
			<-hang
		}, ""},
		{"302 out of the directory", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 302 Found\r\nLocation: ../../x\r\nContent-Length: 0\r\n\r\n")
		}, "redirects to what is no name"},
		{"302 with bytes after a bare CR", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 302 Found\r\nLocation: a\rb\r\nContent-Length: 0\r\n\r\n")
		}, "could not be asked"},
		{"302 with an encoded CR LF", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 302 Found\r\nLocation: /a%0D%0Ab\r\nContent-Length: 0\r\n\r\n")
		}, "redirects to what is no name"},
		{"gzip that nobody asked for", func(nc net.Conn) {
			fmt.Fprint(nc, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc")
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			sent := make(chan int64, 1)
			go func() {
				nc, err := ln.Accept()
				if err != nil {
					sent <- 0
					return
				}
				defer nc.Close()
				if req, err := http.ReadRequest(bufio.NewReader(nc)); err == nil {
					_, _ = io.Copy(io.Discard, req.Body)
				}
				count := &countingConn{Conn: nc}
				if c.want == "on_publish gave no answer in time" || c.name == "a yes whose body hangs" || strings.Contains(c.name, "HTTP/1.0") {
					go func() { c.answer(count); nc.Close() }()
					sent <- 0
					<-hang
					return
				}
				c.answer(count)
				sent <- count.n
			}()
			_, caller, _ := newTestClient(t)
			n := notify()
			n.Timeout = 2 * time.Second
			if strings.HasPrefix(c.want, "on_publish gave no") {
				n.Timeout = 50 * time.Millisecond
			}
			v, err := caller.Ask(t.Context(), value.URL("http://hookuser:hookpass@"+ln.Addr().String()+"/?hooktoken=1"), n, publishEvent)
			switch {
			case c.want == "" && (err != nil || v.Name != ""):
				t.Errorf("got %+v, %v, want a yes", v, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want a refusal with %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "127.0.0.1"):
				t.Errorf("the client learns the address of the hook: %v", err)
			}
			// What the hook got rid of is what was read, and the sockets' buffers.
			if n := <-sent; n > 16<<20 {
				t.Errorf("%d bytes were taken from the hook", n)
			}
		})
	}
}

type countingConn struct {
	net.Conn
	n int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.n += int64(n)
	return n, err
}

func TestNoRedirectIsFollowed(t *testing.T) {
	var second atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { second.Store(true) }))
	defer other.Close()
	srv := httptest.NewServer(http.RedirectHandler(other.URL+"/alice", http.StatusTemporaryRedirect))
	defer srv.Close()
	_, caller, _ := newTestClient(t)
	v, err := caller.Ask(t.Context(), value.URL(srv.URL), notify(), publishEvent)
	if v.Name != "alice" || err != nil || second.Load() {
		t.Errorf("got %+v, %v, followed %t", v, err, second.Load())
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	_, caller, logs := newTestClient(t)
	n := notify()
	n.Headers = map[string]value.Secret{"Authorization": "hooksecret", "X-Bad": "hooksecret\n"}
	for _, target := range []value.URL{
		"http://u:hooksecret@127.0.0.1:1/hooksecret?token=hooksecret", "http://[::1/hooksecret", "https://u:hooksecret@127.0.0.1:1/",
	} {
		e := Publish(ffmpeg, Stream{Name: "s", Args: "token=hooksecret"}, "live")
		if _, err := caller.Ask(t.Context(), target, n, e); err == nil || strings.Contains(err.Error()+fmt.Sprint(errors.Unwrap(err)), "hooksecret") {
			t.Errorf("got %v (%v)", err, errors.Unwrap(err))
		}
	}
	all := logs.All()
	if len(all) != 1 || all[0].Message != "hook gives no answer" {
		t.Errorf("%d lines are logged, want one for the hook that went down", len(all))
	}
	for _, line := range all {
		if strings.Contains(fmt.Sprint(line.Message, line.ContextMap()), "hooksecret") {
			t.Errorf("logged: %s %v", line.Message, line.ContextMap())
		}
	}
}

func TestAClientThatIsGoneEndsItsCall(t *testing.T) {
	asked := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer srv.Close()
	c, caller, logs := newTestClient(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := caller.Ask(ctx, value.URL(srv.URL), notify(), publishEvent)
	if !errors.Is(err, context.Canceled) || c.Stats()[OnPublish].Failed != 0 || logs.Len() != 0 {
		t.Errorf("got %v, %+v, %d lines", err, c.Stats()[OnPublish], logs.Len())
	}
}

func TestCallsAreCounted(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	c, caller, logs := newTestClient(t)
	ask := func() error {
		_, err := caller.Ask(t.Context(), value.URL(srv.URL), notify(), publishEvent)
		return err
	}
	if err := ask(); err != nil {
		t.Error(err)
	}
	status = http.StatusForbidden
	if err := ask(); err == nil {
		t.Error("403 is no refusal")
	}
	srv.Close()
	for range 3 {
		if err := ask(); err == nil {
			t.Error("a hook that is down is no refusal")
		}
	}
	s := c.Stats()[OnPublish]
	var buckets uint64
	for _, n := range s.Latency {
		buckets += n
	}
	if s.Hook != OnPublish || s.Calls != 5 || s.Refused != 1 || s.Failed != 3 || buckets != 5 || s.Took <= 0 {
		t.Errorf("got %+v", s)
	}
	if n := logs.FilterMessage("hook gives no answer").Len(); n != 1 {
		t.Errorf("three failures in a row make %d lines, want 1", n)
	}
}
