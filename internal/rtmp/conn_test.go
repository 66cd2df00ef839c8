package rtmp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Conns start no goroutine; clients and servers in these tests end theirs.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testServer accepts one connection on a loopback port and answers as a server
// does: it takes every connect and publish but those of names with "bad".
// Messages of media go to media; the session's end is on done.
type testServer struct {
	url   string
	media chan Message
	done  chan error
	conn  chan *Conn
	said  chan Connect
}

func startServer(t *testing.T, o Options) *testServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, o)
}

func serveOn(t *testing.T, ln net.Listener, o Options) *testServer {
	t.Cleanup(func() { ln.Close() })
	s := &testServer{
		url:   "rtmp://" + ln.Addr().String(),
		media: make(chan Message, 10000),
		done:  make(chan error, 1),
		conn:  make(chan *Conn, 1),
		said:  make(chan Connect, 1),
	}
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			s.done <- err
			return
		}
		defer nc.Close()
		c, err := Accept(nc, o)
		if err != nil {
			s.done <- err
			return
		}
		s.conn <- c
		s.done <- s.serve(c)
	}()
	return s
}

func (s *testServer) serve(c *Conn) error {
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if m.Type != TypeCommandAMF0 && m.Type != TypeCommandAMF3 {
			s.media <- m
			continue
		}
		cmd, err := ParseCommand(m)
		if err != nil {
			return err
		}
		if err := s.answer(c, m.StreamID, cmd); err != nil {
			return err
		}
		if err := c.Flush(); err != nil {
			return err
		}
	}
}

func (s *testServer) answer(c *Conn, streamID uint32, cmd Command) error {
	name := ""
	if len(cmd.Args) > 0 {
		name, _ = cmd.Args[0].(string)
	}
	switch cmd.Name {
	case "connect":
		connect, err := ParseConnect(cmd)
		if err != nil {
			return err
		}
		select {
		case s.said <- connect:
		default:
		}
		if strings.Contains(connect.App, "bad") {
			return c.WriteConnectError(cmd.Transaction, StatusConnectRejected, "no application "+connect.App)
		}
		return c.WriteConnectResult(cmd.Transaction, connect)
	case "createStream":
		return c.WriteCommand(0, "_result", cmd.Transaction, nil, 1)
	case "publish":
		if strings.Contains(name, "bad") {
			return c.WriteStatus(streamID, "error", StatusPublishBadName, "Already publishing")
		}
		c.Authorise()
		if err := c.WriteUserControl(StreamBegin, streamID); err != nil {
			return err
		}
		return c.WriteStatus(streamID, "status", StatusPublishStart, "Start publishing")
	case "play":
		if strings.Contains(name, "bad") {
			return c.WriteStatus(streamID, "error", StatusPlayStreamNotFound, "No such stream")
		}
		if err := c.WriteStatus(streamID, "status", StatusPlayReset, "Reset"); err != nil {
			return err
		}
		if err := c.WriteMessage(Message{Type: TypeVideo, ChunkStreamID: csidVideo, StreamID: streamID, Timestamp: 1, Payload: []byte("early")}); err != nil {
			return err
		}
		if err := c.WriteStatus(streamID, "status", StatusPlayStart, "Start live"); err != nil {
			return err
		}
		return c.WriteMessage(Message{Type: TypeVideo, ChunkStreamID: csidVideo, StreamID: streamID, Timestamp: 2, Payload: []byte("late")})
	}
	return nil
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestClientPublishes(t *testing.T) {
	for name, o := range map[string]ClientOptions{
		"with digests":          {},
		"with simple handshake": {Simple: true},
		"in chunks of 128":      {Options: Options{ChunkSize: 128}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			s := startServer(t, Options{})
			c, err := Dial(ctx, s.url+"/live", o)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := c.Publish(ctx, "test"); err != nil {
				t.Fatal(err)
			}
			for i := range 10 {
				m := Message{Type: TypeVideo, ChunkStreamID: csidVideo, StreamID: c.StreamID, Timestamp: uint32(i) * 0x3fffffff, Payload: make([]byte, i*10000)}
				if err := c.WriteMessage(m); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Unpublish(); err != nil {
				t.Fatal(err)
			}
			c.Close()
			if err := <-s.done; err != io.EOF {
				t.Errorf("the server ended with %v, want io.EOF", err)
			}
			for i := range 10 {
				m := <-s.media
				if m.Timestamp != uint32(i)*0x3fffffff || len(m.Payload) != i*10000 {
					t.Errorf("message %d: timestamp %d, %d bytes", i, m.Timestamp, len(m.Payload))
				}
			}
			sc := <-s.conn
			if got, want := sc.BytesIn(), c.BytesOut(); got != want {
				t.Errorf("server counts %d bytes in, client %d out", got, want)
			}
		})
	}
}

func TestClientIsTold(t *testing.T) {
	refused := func(t *testing.T, err error, code string) {
		t.Helper()
		var s *StatusError
		if !errors.As(err, &s) || s.Code != code {
			t.Errorf("got %v, want a StatusError of %s", err, code)
		}
	}
	t.Run("that the application does not exist", func(t *testing.T) {
		s := startServer(t, Options{})
		_, err := Dial(testContext(t), s.url+"/bad", ClientOptions{})
		refused(t, err, StatusConnectRejected)
	})
	t.Run("that the name is taken", func(t *testing.T) {
		s := startServer(t, Options{})
		c, err := Dial(testContext(t), s.url+"/live", ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		refused(t, c.Publish(testContext(t), "bad"), StatusPublishBadName)
	})
	t.Run("that there is nothing to play", func(t *testing.T) {
		s := startServer(t, Options{})
		c, err := Dial(testContext(t), s.url+"/live", ClientOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		refused(t, c.Play(testContext(t), "bad"), StatusPlayStreamNotFound)
	})
}

func TestClientPlays(t *testing.T) {
	s := startServer(t, Options{})
	ctx := testContext(t)
	c, err := Dial(ctx, s.url+"/live", ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Play(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"early", "late"} {
		m, err := c.ReadMessage()
		if err != nil || string(m.Payload) != want {
			t.Fatalf("got %q, %v, want %q", m.Payload, err, want)
		}
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, "rtmp://"+ln.Addr().String()+"/live", ClientOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
}

func TestDialOverTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	ln, err := tls.Listen("tcp", "127.0.0.1:0", web.TLS)
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, ln, Options{})
	url := "rtmps" + strings.TrimPrefix(s.url, "rtmp") + "/live"
	ctx := testContext(t)
	roots := web.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	c, err := Dial(ctx, url, ClientOptions{TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Publish(ctx, "test"); err != nil {
		t.Fatal(err)
	}
	if got := <-s.said; got.TCURL != url {
		t.Errorf("tcUrl is %q, want %q", got.TCURL, url)
	}

	refusing, err := tls.Listen("tcp", "127.0.0.1:0", web.TLS)
	if err != nil {
		t.Fatal(err)
	}
	s = serveOn(t, refusing, Options{})
	_, err = Dial(ctx, "rtmps"+strings.TrimPrefix(s.url, "rtmp")+"/live", ClientOptions{TLS: &tls.Config{RootCAs: x509.NewCertPool()}})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate nobody vouches for: got %v", err)
	}
}

func TestDialSaysWhoItIs(t *testing.T) {
	cases := []struct {
		name string
		path string
		o    ClientOptions
		want Connect
	}{
		{"by default", "/live/deep?token=a%20b", ClientOptions{}, Connect{App: "live/deep", Args: "token=a%20b", TCURL: "/live/deep?token=a%20b", FlashVer: "FMLE/3.0 (compatible; rtmpd)"}},
		{
			"as told", "/live",
			ClientOptions{App: "other", TCURL: "rtmp://elsewhere/other", FlashVer: "v", SWFURL: "s", PageURL: "p"},
			Connect{App: "other", TCURL: "rtmp://elsewhere/other", FlashVer: "v", SWFURL: "s", PageURL: "p"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, Options{})
			cl, err := Dial(testContext(t), strings.Replace(s.url, "//", "//user:secret@", 1)+c.path, c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer cl.Close()
			if strings.HasPrefix(c.want.TCURL, "/") {
				c.want.TCURL = s.url + c.want.TCURL
			}
			got := <-s.said
			if !got.Enhanced || got.CapsEx != CapMultitrack|CapModEx || len(got.FourCCs) != 12 {
				t.Errorf("announced %v, capsEx %d", got.FourCCs, got.CapsEx)
			}
			got.Enhanced, got.FourCCs, got.VideoFourCC, got.AudioFourCC, got.CapsEx = false, nil, nil, nil, 0
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("\n got %+v\nwant %+v", got, c.want)
			}
		})
	}
	for _, url := range []string{"http://127.0.0.1/live", "127.0.0.1:1935", "rtmp://%zz"} {
		if _, err := Dial(t.Context(), url, ClientOptions{}); err == nil {
			t.Errorf("%s is dialled", url)
		}
	}
}

// A writer, the reader's own replies and a status from a third party share one
// connection; what arrives must be whole messages.
func TestWritesFromManyGoroutines(t *testing.T) {
	server, client := net.Pipe()
	c := newConn(server, Options{}.withDefaults(), 0)
	peer := newConn(client, Options{}.withDefaults(), 0)
	peer.Authorise()
	const each = 200
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range each {
				if err := c.WriteMessage(message(uint32(10+w), TypeVideo, uint32(i), strings.Repeat(string(rune('a'+w)), 1+i*7))); err != nil {
					t.Error(err)
				}
				if i%3 == w {
					if err := c.Flush(); err != nil {
						t.Error(err)
					}
				}
			}
			if err := c.Flush(); err != nil {
				t.Error(err)
			}
		})
	}
	var next [3]int
	for range 3 * each {
		m, err := peer.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		w := int(m.ChunkStreamID - 10)
		if want := strings.Repeat(string(rune('a'+w)), 1+next[w]*7); string(m.Payload) != want || int(m.Timestamp) != next[w] {
			t.Fatalf("writer %d: message %d is at %d and has %d bytes", w, next[w], m.Timestamp, len(m.Payload))
		}
		next[w]++
	}
	writers.Wait()
	server.Close()
}

func TestReadMessageAllocatesOnce(t *testing.T) {
	wire, messages := benchStream(128)
	conn, peer := connOver("", Options{Ping: time.Minute})
	peer.in = &cycle{b: wire}
	conn.Authorise()
	got := testing.AllocsPerRun(20, func() {
		for range messages {
			if _, err := conn.ReadMessage(); err != nil {
				t.Fatal(err)
			}
		}
	})
	// An acknowledgement every 2.5 MB is not a message's.
	if got < float64(messages) || got > float64(messages)+3 {
		t.Errorf("%v allocations for %d messages, want one each", got, messages)
	}
}
