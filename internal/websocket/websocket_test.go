package websocket

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clientFrame is a frame as clients send it, with the mask of RFC 6455 §5.7's example.
func clientFrame(first byte, payload string) []byte {
	mask := []byte{0x37, 0xfa, 0x21, 0x3d}
	b := []byte{first}
	switch n := len(payload); {
	case n <= maxControl:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, masked|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, masked|127), uint64(n))
	}
	b = append(b, mask...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

// RFC 6455 §1.3 has the example of the key.
func TestTheHandshakeOfTheSpecification(t *testing.T) {
	if got := acceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("got %s", got)
	}
}

func request(headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestHandshakesThatAreRefused(t *testing.T) {
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
	for name, c := range map[string]struct {
		headers []string
		status  int
	}{
		"a plain request":                        {nil, 426},
		"another protocol":                       {[]string{"Connection: Upgrade", "Upgrade: h2c", key, "Sec-WebSocket-Version: 13"}, 426},
		"another version":                        {[]string{"Connection: Upgrade", "Upgrade: websocket", key, "Sec-WebSocket-Version: 8"}, 426},
		"no key":                                 {[]string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"}, 400},
		"a short key":                            {[]string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: AAAA", "Sec-WebSocket-Version: 13"}, 400},
		"a connection that can't be handed over": {[]string{"Connection: keep-alive, Upgrade", "Upgrade: WebSocket", key, "Sec-WebSocket-Version: 13"}, 501},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			if c, err := Accept(w, request(c.headers...)); err == nil {
				c.Close(GoingAway, "")
				t.Error("accepted")
			}
			if w.Code != c.status {
				t.Errorf("status %d, want %d", w.Code, c.status)
			}
		})
	}
}

// dial serves one WebSocket with serve and returns the client's end after the handshake.
func dial(t *testing.T, serve func(*Conn)) (net.Conn, *bufio.Reader) {
	t.Helper()
	done := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		c, err := Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		serve(c)
	}))
	nc, err := net.Dial("tcp", site.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		<-done
		site.Close()
	})
	if err := nc.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(nc, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake: %v, %v", resp, err)
	}
	return nc, br
}

// serverFrame reads a frame of the server.
func serverFrame(t *testing.T, r *bufio.Reader) (op byte, payload string) {
	t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	n := uint64(head[1])
	switch n {
	case 126:
		b := make([]byte, 2)
		_, _ = io.ReadFull(r, b)
		n = uint64(binary.BigEndian.Uint16(b))
	case 127:
		b := make([]byte, 8)
		_, _ = io.ReadFull(r, b)
		n = binary.BigEndian.Uint64(b)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	if head[0]&final == 0 {
		t.Errorf("a frame that is not the last: %#x", head[0])
	}
	return head[0] & 0x0f, string(b)
}

func TestTextsOfEveryLengthArrive(t *testing.T) {
	texts := []string{"", "{}", strings.Repeat("ä", 63), strings.Repeat("x", 200), strings.Repeat("y", 1<<16+1)}
	_, br := dial(t, func(c *Conn) {
		for _, text := range texts {
			if err := c.Send([]byte(text)); err != nil {
				t.Error(err)
			}
		}
		if c.Send([]byte{0xff}) == nil {
			t.Error("bytes that are no text were sent")
		}
		c.Close(GoingAway, "the server stops")
		if !errors.Is(c.Send([]byte("late")), errClosed) {
			t.Error("sent behind the close")
		}
	})
	for _, text := range texts {
		if op, got := serverFrame(t, br); op != opText || got != text {
			t.Errorf("opcode %d, %.40q (%d bytes), want %.40q", op, got, len(got), text)
		}
	}
	if op, got := serverFrame(t, br); op != opClose || got != "\x03\xe9the server stops" {
		t.Errorf("opcode %d, %q", op, got)
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Errorf("behind the close: %v", err)
	}
}

func TestWhatClientsSend(t *testing.T) {
	for name, c := range map[string]struct {
		send     []byte
		wantOp   byte
		wantText string
	}{
		"a ping is answered":                {clientFrame(final|opPing, "are you there"), opPong, "are you there"},
		"a close is answered":               {clientFrame(final|opClose, "\x03\xe8bye"), opClose, "\x03\xe8"},
		"a close without a code":            {clientFrame(final|opClose, ""), opClose, "\x03\xe8"},
		"a close with a code of nobody":     {clientFrame(final|opClose, "\x03\xed"), opClose, "\x03\xe8"},
		"messages are passed over":          {append(clientFrame(final|opText, strings.Repeat("hello", 100)), clientFrame(final|opPing, "x")...), opPong, "x"},
		"pieces of messages, too":           {append(append(clientFrame(opText, "a"), clientFrame(final, "b")...), clientFrame(final|opPing, "y")...), opPong, "y"},
		"a long message ends it":            {clientFrame(final|opText, strings.Repeat("x", MaxFrame+1)), opClose, "\x03\xf1nothing is to be said here"},
		"a length beyond all reason":        {[]byte{final | opText, masked | 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, opClose, "\x03\xf1nothing is to be said here"},
		"a frame without a mask":            {[]byte{final | opText, 1, 'x'}, opClose, "\x03\xeawebsocket: bad frame: not masked"},
		"a reserved bit":                    {clientFrame(final|0x40|opText, "x"), opClose, "\x03\xeawebsocket: bad frame: a reserved bit"},
		"an opcode that does not exist":     {clientFrame(final|0x3, "x"), opClose, "\x03\xeawebsocket: bad frame: opcode 3"},
		"a control frame that is in pieces": {clientFrame(opPing, "x"), opClose, "\x03\xeawebsocket: bad frame: a control frame in pieces"},
		"a control frame that is too long":  {clientFrame(final|opPing, strings.Repeat("x", 126)), opClose, "\x03\xeawebsocket: bad frame: a control frame in pieces"},
	} {
		t.Run(name, func(t *testing.T) {
			nc, br := dial(t, func(c *Conn) {
				_ = c.Drain() // the frames say why
				c.Close(GoingAway, "")
			})
			if _, err := nc.Write(c.send); err != nil {
				t.Fatal(err)
			}
			if op, got := serverFrame(t, br); op != c.wantOp || got != c.wantText {
				t.Errorf("opcode %d, %q; want %d, %q", op, got, c.wantOp, c.wantText)
			}
		})
	}
}

// A client that neither sends nor answers pings is let go after a minute, and one that
// takes nothing after ten seconds.
func TestSilentClientsAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := &Conn{nc: ours, br: bufio.NewReader(ours)}
		begin := time.Now()
		var timeout net.Error
		if err := c.Drain(); !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(begin) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		begin = time.Now()
		if err := c.Ping(); !errors.As(err, &timeout) || !timeout.Timeout() || time.Since(begin) != 10*time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

// FuzzReadFrame: no panic, bounded memory, and no more than the frame is read.
func FuzzReadFrame(f *testing.F) {
	for _, b := range [][]byte{
		clientFrame(final|opText, "Hello"), clientFrame(opText, "Hel"), clientFrame(final|opPing, "x"), clientFrame(final|opClose, "\x03\xe8"),
		clientFrame(final|opText, strings.Repeat("x", 300)),
		{final | opText, masked | 127, 0, 0, 0, 1, 0, 0, 0, 0},
		{0x80},
		{},
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		r := bufio.NewReaderSize(bytes.NewReader(b), 16)
		op, payload, err := readFrame(r)
		if err == nil && (op > opPong || len(payload) > maxControl) {
			t.Errorf("opcode %d, %d bytes", op, len(payload))
		}
	})
}
