// Package websocket is the server side of RFC 6455 as far as a server needs it that
// pushes short texts, or media, and listens to nothing: messages of the client are read and
// discarded, pings are answered, a close is returned.
//
// Two goroutines use a Conn: one calls Drain until it returns, the other one Send,
// SendBytes and Ping. Every read and every write has a deadline.
package websocket

import (
	"bufio"
	"crypto/sha1" //nolint:gosec // RFC 6455 §4.2.2 names it
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// Silence is how long a client may send nothing; it answers pings, so that a
	// living one is not silent for longer than they are apart.
	Silence = 60 * time.Second
	// WriteTimeout is for each frame, closeTimeout for the last one.
	WriteTimeout = 10 * time.Second
	closeTimeout = time.Second
	// MaxFrame bounds what a client may send in one frame. What it sends means
	// nothing here.
	MaxFrame = 4096
	// maxControl is the longest payload of a control frame (RFC 6455 §5.5).
	maxControl = 125
)

// Codes of a close (RFC 6455 §7.4.1).
const (
	Normal        = 1000
	GoingAway     = 1001
	ProtocolError = 1002
	Policy        = 1008
	TooBig        = 1009
	TryAgain      = 1013
)

const (
	opText  = 0x1
	opBytes = 0x2
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
	final   = 0x80
	masked  = 0x80
)

// A Conn is one connection after the handshake.
type Conn struct {
	nc net.Conn
	br *bufio.Reader

	mu     sync.Mutex // guards writing
	closed bool       // a close frame was sent
	buf    []byte
}

// IsUpgrade reports whether a request asks for a WebSocket.
func IsUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && hasToken(r.Header["Connection"], "upgrade") && hasToken(r.Header["Upgrade"], "websocket")
}

// hasToken looks for a word in a list of words with commas between.
func hasToken(lines []string, word string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), word) {
				return true
			}
		}
	}
	return false
}

// Accept answers the handshake (RFC 6455 §4.2.2). After an error it has answered with a
// status. The caller closes the Conn.
func Accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key"))
	switch {
	case !IsUpgrade(r):
		http.Error(w, "this is a WebSocket", http.StatusUpgradeRequired)
		return nil, errors.New("no upgrade to websocket")
	case r.Header.Get("Sec-Websocket-Version") != "13":
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, "the version of WebSocket is 13", http.StatusUpgradeRequired)
		return nil, errors.New("another version of websocket")
	case err != nil || len(key) != 16:
		http.Error(w, "Sec-WebSocket-Key is not 16 bytes in base64", http.StatusBadRequest)
		return nil, errors.New("bad Sec-WebSocket-Key")
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "no WebSocket over this connection", http.StatusNotImplemented)
		return nil, err
	}
	c := &Conn{nc: nc, br: rw.Reader}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + acceptKey(r.Header.Get("Sec-Websocket-Key")) + "\r\n\r\n"
	if err := c.write([]byte(answer), WriteTimeout); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return c, nil
}

// acceptKey proves that the handshake was understood.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // as above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Send sends a text message, which must be UTF-8.
func (c *Conn) Send(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("websocket: a text that is not UTF-8")
	}
	return c.frame(opText, text)
}

// SendBytes sends a binary message of what v has, which it consumes.
func (c *Conn) SendBytes(v [][]byte) error {
	n := 0
	for _, p := range v {
		n += len(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.buf = appendHead(c.buf[:0], opBytes, n)
	if err := c.nc.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
		return err
	}
	all := make(net.Buffers, 0, len(v)+1)
	all = append(append(all, c.buf), v...)
	_, err := all.WriteTo(c.nc)
	return err
}

// Cut closes the connection without a word: nothing that is being written is waited for.
func (c *Conn) Cut() { _ = c.nc.Close() }

// Ping asks the client whether it is there.
func (c *Conn) Ping() error { return c.frame(opPing, nil) }

// Close says why the connection ends and closes it. It may be called more than once.
func (c *Conn) Close(code uint16, reason string) {
	if len(reason) > maxControl-2 {
		reason = reason[:maxControl-2]
	}
	_ = c.frame(opClose, append(binary.BigEndian.AppendUint16(nil, code), reason...))
	_ = c.nc.Close()
}

var errClosed = errors.New("websocket: closed")

// frame sends one frame. Those of a server are not masked (RFC 6455 §5.1).
func (c *Conn) frame(op byte, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.closed = op == opClose
	b := append(appendHead(c.buf[:0], op, len(payload)), payload...)
	c.buf = b
	if c.closed {
		return c.write(b, closeTimeout)
	}
	return c.write(b, WriteTimeout)
}

// appendHead appends the head of an unmasked frame of n bytes.
func appendHead(b []byte, op byte, n int) []byte {
	b = append(b, final|op)
	switch {
	case n <= maxControl:
		return append(b, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
}

func (c *Conn) write(b []byte, timeout time.Duration) error {
	if err := c.nc.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := c.nc.Write(b)
	return err
}

// Drain reads what the client sends until the connection ends, and answers pings.
// The error says why it ended; io.EOF: the client said good-bye.
func (c *Conn) Drain() error {
	for {
		if err := c.nc.SetReadDeadline(time.Now().Add(Silence)); err != nil {
			return err
		}
		op, payload, err := readFrame(c.br)
		switch {
		case errors.Is(err, errTooBig):
			c.Close(TooBig, "nothing is to be said here")
			return err
		case errors.Is(err, errProtocol):
			c.Close(ProtocolError, err.Error())
			return err
		case err != nil:
			return err
		}
		switch op {
		case opClose:
			c.Close(closeCode(payload), "")
			return io.EOF
		case opPing:
			if err := c.frame(opPong, payload); err != nil {
				return err
			}
		}
	}
}

// closeCode is the code to answer a close with: the client's own, if it may say it.
func closeCode(payload []byte) uint16 {
	if len(payload) >= 2 {
		if code := binary.BigEndian.Uint16(payload); code >= 3000 && code < 5000 || code >= 1000 && code <= 1003 || code >= 1007 && code <= 1011 {
			return code
		}
	}
	return 1000
}

var (
	errProtocol = errors.New("websocket: bad frame")
	errTooBig   = errors.New("websocket: the frame is too long")
)

// readFrame reads one frame of a client (RFC 6455 §5.2). The payload is only that of a
// control frame.
//
//	FIN(1) RSV(3) opcode(4) | MASK(1) length(7) | length(16 or 64) | key(32) | payload
func readFrame(r *bufio.Reader) (op byte, payload []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	op = head[0] & 0x0f
	control := op >= opClose
	length := uint64(head[1] &^ masked)
	switch {
	case head[0]&0x70 != 0:
		return 0, nil, fmt.Errorf("%w: a reserved bit", errProtocol)
	case op > opPong || op > 2 && op < opClose:
		return 0, nil, fmt.Errorf("%w: opcode %d", errProtocol, op)
	case head[1]&masked == 0:
		return 0, nil, fmt.Errorf("%w: not masked", errProtocol)
	case control && (head[0]&final == 0 || length > maxControl):
		return 0, nil, fmt.Errorf("%w: a control frame in pieces", errProtocol)
	}
	switch length {
	case 126:
		if _, err := io.ReadFull(r, head[:2]); err != nil {
			return 0, nil, noEOF(err)
		}
		length = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		if _, err := io.ReadFull(r, head[:8]); err != nil {
			return 0, nil, noEOF(err)
		}
		length = binary.BigEndian.Uint64(head[:8])
	}
	if length > MaxFrame {
		return 0, nil, errTooBig
	}
	var mask [4]byte
	if _, err := io.ReadFull(r, mask[:]); err != nil {
		return 0, nil, noEOF(err)
	}
	if !control {
		_, err = r.Discard(int(length))
		return op, nil, noEOF(err)
	}
	payload = make([]byte, length)
	if _, err := io.ReadFull(r, payload); err != nil {
		return 0, nil, noEOF(err)
	}
	for i := range payload {
		payload[i] ^= mask[i%4]
	}
	return op, payload, nil
}

// noEOF is for an end within a frame.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
