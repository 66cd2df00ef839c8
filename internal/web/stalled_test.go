package web

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// pipes is a listener whose connections have no network, so that the clock of a
// test can stand in for the one on the wall.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// connect returns the client's end of a new connection.
func (p *pipes) connect() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

func (p *pipes) dial(t *testing.T, protocol string) *tls.Conn {
	t.Helper()
	c := tls.Client(p.connect(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// overTLS runs f in a bubble with a server of a file of 3 MB.
func overTLS(t *testing.T, f func(t *testing.T, p *pipes)) {
	dir := t.TempDir()
	pair(t, dir, 1)
	if err := os.WriteFile(dir+"/big.bin", make([]byte, 3_000_000), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := locations(config.Location{Path: "/", Alias: value.Path(dir)})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem")}
	synctest.Test(t, func(t *testing.T) {
		s, err := Compile(cfg, Deps{})
		if err != nil {
			t.Fatal(err)
		}
		srv, p := NewServer(s, nil), newPipes()
		done := make(chan error, 1)
		go func() { done <- srv.ServeTLS(p) }()
		f(t, p)
		if err := srv.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-done
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// An h2 is a client of HTTP/2 that opens windows only when it is told to.
type h2 struct {
	c     *tls.Conn
	mu    sync.Mutex
	reset int           // streams
	got   int           // bytes of DATA
	gone  time.Duration // after which the connection was closed
	done  chan struct{}
}

func frame(kind, flags byte, stream uint32, body ...byte) []byte {
	b := []byte{byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), body...)
}

// newH2 begins a connection whose streams have a window of that many bytes.
func newH2(t *testing.T, c *tls.Conn, window byte) *h2 {
	h := &h2{c: c, done: make(chan struct{})}
	start := time.Now()
	go func() {
		defer close(h.done)
		var head [9]byte
		for {
			if _, err := io.ReadFull(c, head[:]); err != nil {
				break
			}
			body := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
			if _, err := io.ReadFull(c, body); err != nil {
				break
			}
			h.mu.Lock()
			switch kind, flags := head[3], head[4]; {
			case kind == 0:
				h.got += len(body)
			case kind == 3:
				h.reset++
			case kind == 6 && flags&1 == 0: // a PING: answered, as every client does
				go func() { _, _ = c.Write(frame(6, 1, 0, body...)) }()
			}
			h.mu.Unlock()
		}
		h.gone = time.Since(start)
	}()
	h.send(t, append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0, 0, 4, 0, 0, 0, window)...), frame(4, 1, 0))
	return h
}

func (h *h2) send(t *testing.T, frames ...[]byte) {
	t.Helper()
	if _, err := h.c.Write(bytes.Join(frames, nil)); err != nil {
		t.Fatal(err)
	}
}

// get asks for the file on a stream.
func get(stream uint32) []byte {
	return frame(1, 5, stream, append([]byte("\x82\x87\x41\x09localhost\x04\x08"), "/big.bin"...)...)
}

func (h *h2) count(n *int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return *n
}

func TestAnHTTP2ClientThatOpensNoWindowIsClosed(t *testing.T) {
	overTLS(t, func(t *testing.T, p *pipes) {
		h := newH2(t, p.dial(t, "h2"), 0)
		time.Sleep(time.Second) // its settings are in force
		for i := range uint32(50) {
			h.send(t, get(1+2*i))
		}
		time.Sleep(time.Second)
		if n := h.count(&h.reset); n != 50-maxStreams {
			t.Errorf("%d of 50 streams are refused, want all but %d", n, maxStreams)
		}
		<-h.done
		if h.gone > 60*time.Second {
			t.Errorf("closed after %s", h.gone)
		}
	})
}

// A film that is paused must not end the one that plays beside it.
func TestAStalledStreamIsResetBesideOneThatMoves(t *testing.T) {
	overTLS(t, func(t *testing.T, p *pipes) {
		h := newH2(t, p.dial(t, "h2"), 0)
		time.Sleep(time.Second)
		h.send(t, get(1), get(3))
		for range 90 { // 16 KiB a second of the second one
			h.send(t, frame(8, 0, 3, 0, 0, 0x40, 0))
			h.send(t, frame(8, 0, 0, 0, 0, 0x40, 0))
			time.Sleep(time.Second)
		}
		if n := h.count(&h.reset); n != 1 {
			t.Errorf("%d streams are reset, want the one that is stalled", n)
		}
		if n := h.count(&h.got); n != 90*0x4000 {
			t.Errorf("the other one got %d bytes, want %d", n, 90*0x4000)
		}
		_ = h.c.Close()
		<-h.done
	})
}

// A body that is announced and never comes holds no connection with TLS, either.
func TestABodyThatNeverComesOverTLS(t *testing.T) {
	for _, framing := range []string{"Content-Length: 1000000", "Content-Length: 10", "Transfer-Encoding: chunked"} {
		for _, request := range []string{"GET /big.bin", "POST /big.bin", "PUT /nothing"} {
			overTLS(t, func(t *testing.T, p *pipes) {
				c := p.dial(t, "http/1.1")
				start := time.Now()
				if _, err := c.Write([]byte(request + " HTTP/1.1\r\nHost: localhost\r\n" + framing + "\r\n\r\n")); err != nil {
					t.Fatal(err)
				}
				answer, _ := io.ReadAll(c)
				if !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
					t.Errorf("%s, %s: no answer", request, framing)
				}
				if took := time.Since(start); took > http1.BodyTimeout+5*time.Second {
					t.Errorf("%s, %s: closed after %s", request, framing, took)
				}
			})
		}
	}
}

// What is sent to many is open once.
func TestAFileIsOpenOnceHoweverManyAskForIt(t *testing.T) {
	t.Parallel()
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := newOpenFiles(time.Now)
	var first *os.File
	var dones []func()
	for i := range 20 {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		fi, _ := f.Stat()
		got, done := o.share(f, fi)
		dones = append(dones, done)
		if i == 0 {
			first = got
		}
		if got != first || i > 0 && f.Close() == nil {
			t.Fatalf("request %d holds a descriptor of its own", i)
		}
	}
	for _, done := range dones {
		if _, err := first.ReadAt(make([]byte, 1), 0); err != nil {
			t.Fatal(err)
		}
		done()
	}
	if first.Close() == nil || len(o.byID) != 0 {
		t.Error("the file is still open after the last request")
	}
}

// nginx's plain proxy_pass speaks HTTP/1.0 with the upstream's name as Host and
// no header that says whom it speaks for.
func TestStatIsNotServedByHTTP10(t *testing.T) {
	t.Parallel()
	block := locations(config.Location{Path: "/stat", Stat: &config.Stat{}}, config.Location{Path: "/metrics", Metrics: true})
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<rtmp/>") })
	s := site(t, Deps{Stat: func(config.Stat) http.Handler { return page }, Metrics: page}, block)
	for _, path := range []string{"/stat", "/metrics"} {
		for minor, want := range map[int]int{0: 403, 1: 200} {
			r := httptest.NewRequest("GET", path, nil)
			r.RemoteAddr, r.Host, r.ProtoMinor = "127.0.0.1:4711", "127.0.0.1:8080", minor
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != want || want == 403 && !strings.Contains(w.Body.String(), "HTTP/1.0") {
				t.Errorf("%s by HTTP/1.%d: %d %s", path, minor, w.Code, w.Body)
			}
		}
	}
}
