package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

const (
	// heldBody is how many bytes of a body of unknown length are held back to learn
	// its length.
	heldBody = 4 << 10
	// joinBody is the largest body that is copied behind its head, so that both
	// are sent with one system call.
	joinBody = 16 << 10
)

// ResponseWriter is the http.ResponseWriter of a connection. It is used for one request
// after the other.
type ResponseWriter struct {
	c    *Conn
	br   *bufio.Reader // nil: nothing is read ahead
	date *dateLine

	r         *http.Request
	header    http.Header
	status    int    // 0: no head yet
	out       []byte // formatted and not sent yet
	held      []byte // body that is held back until its length is known
	committed bool   // the head in out is whole, or sent
	length    int64  // of the body, as the handler's header says; -1: not known
	written   int64  // body bytes accepted
	typed     bool   // the head has a Content-Type, or needs none
	chunked   bool
	closing   bool // the connection ends after this answer
	hijacked  bool
	err       error // of the connection
}

func (w *ResponseWriter) reset(r *http.Request) {
	clear(w.header)
	*w = ResponseWriter{
		c: w.c, br: w.br, date: w.date, r: r, header: w.header, out: w.out[:0], held: w.held[:0], length: -1,
		closing: !keepAlive(r),
	}
}

// keepAlive reports whether the client wants to keep the connection: by default it does
// in HTTP/1.1 and not in HTTP/1.0.
func keepAlive(r *http.Request) bool {
	stay := r.ProtoMinor > 0
	for _, line := range r.Header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			switch option = strings.TrimSpace(option); {
			case strings.EqualFold(option, "close"):
				return false
			case strings.EqualFold(option, "keep-alive"):
				stay = true
			}
		}
	}
	return stay
}

// Header is the header WriteHeader will send.
func (w *ResponseWriter) Header() http.Header { return w.header }

// WriteHeader formats the head without the headers that say where the body ends; commit
// adds those.
func (w *ResponseWriter) WriteHeader(status int) {
	if w.status != 0 || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	w.status = status
	b := append(w.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(status)...)
	b = append(b, "\r\n"...)
	dated := false
	for name, values := range w.header {
		switch name {
		case "Content-Length":
			if len(values) > 0 {
				if n, err := strconv.ParseInt(values[0], 10, 64); err == nil && n >= 0 {
					w.length = n
				}
			}
			continue
		case "Connection":
			if slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, "close") }) {
				w.closing = true
				continue
			}
		case "Transfer-Encoding":
			continue // commit decides
		case "Content-Type", "Content-Encoding":
			w.typed = true
		case "Date":
			dated = true
		}
		if !value.IsToken(name) {
			continue
		}
		for _, v := range values {
			b = append(append(b, name...), ": "...)
			b = append(appendValue(b, v), "\r\n"...)
		}
	}
	if !dated {
		b = append(append(append(b, "Date: "...), w.date.now()...), "\r\n"...)
	}
	w.out = b
	if !w.bodyAllowed() {
		w.typed, w.length = true, -1
	}
}

// appendValue replaces control characters, so that no value ends its line.
func appendValue(b []byte, v string) []byte {
	if value.CheckHeaderValue(v) == nil {
		return append(b, v...)
	}
	for i := 0; i < len(v); i++ {
		c := v[i]
		if c < ' ' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}

// bodyAllowed reports whether the status allows a body (RFC 9110 §6.4.1).
func (w *ResponseWriter) bodyAllowed() bool {
	return w.status >= 200 && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// commit ends the head. length is that of the whole body, -1 if it is not known.
func (w *ResponseWriter) commit(length int64, sample []byte) {
	if w.committed {
		return
	}
	w.committed = true
	if !w.typed && len(sample) > 0 {
		w.out = append(append(append(w.out, "Content-Type: "...), http.DetectContentType(sample)...), "\r\n"...)
	}
	switch {
	case !w.bodyAllowed():
	case length >= 0:
		w.out = append(strconv.AppendInt(append(w.out, "Content-Length: "...), length, 10), "\r\n"...)
	case w.r.ProtoMinor == 0:
		w.closing = true // the end of the connection ends the body
	default:
		w.chunked = w.r.Method != http.MethodHead
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case w.status == http.StatusSwitchingProtocols:
	case w.closing:
		w.out = append(w.out, "Connection: close\r\n"...)
	case w.r.ProtoMinor == 0:
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
}

// Write writes a piece of the body.
func (w *ResponseWriter) Write(p []byte) (int, error) {
	if err := w.begin(int64(len(p))); err != nil {
		return 0, err
	}
	if w.r.Method == http.MethodHead {
		return len(p), nil
	}
	if !w.committed {
		if w.length < 0 && len(w.held)+len(p) <= heldBody {
			w.held = append(w.held, p...)
			return len(p), nil
		}
		w.release(p)
	}
	return len(p), w.body(p)
}

// begin counts n more bytes of body.
func (w *ResponseWriter) begin(n int64) error {
	if w.hijacked {
		return http.ErrHijacked
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.bodyAllowed() {
		return http.ErrBodyNotAllowed
	}
	w.written += n
	if w.length >= 0 && w.written > w.length {
		w.written -= n
		return http.ErrContentLength
	}
	return w.err
}

// release ends the head with the length that the handler gave, and sends the held body.
func (w *ResponseWriter) release(next []byte) {
	sample := w.held
	if len(sample) == 0 {
		sample = next
	}
	w.commit(w.length, sample)
	if len(w.held) > 0 {
		held := w.held
		w.held = nil
		_ = w.body(held)
	}
}

// body frames p and sends it. A short p is kept to be sent with the next one.
func (w *ResponseWriter) body(p []byte) error {
	if len(p) == 0 {
		return w.err
	}
	if w.chunked {
		w.out = append(strconv.AppendInt(w.out, int64(len(p)), 16), "\r\n"...)
	}
	if len(p) <= joinBody {
		w.out = append(w.out, p...)
	} else {
		w.send(true)
		w.raw(p)
	}
	if w.chunked {
		w.out = append(w.out, "\r\n"...)
	}
	if len(w.out) > joinBody {
		w.send(false)
	}
	return w.err
}

// send writes the formatted bytes. With more the kernel may hold them for the next write.
func (w *ResponseWriter) send(more bool) {
	if len(w.out) == 0 {
		return
	}
	w.c.more = more
	w.raw(w.out)
	w.c.more = false
	w.out = w.out[:0]
}

func (w *ResponseWriter) raw(p []byte) {
	if w.err == nil {
		_, w.err = w.c.Write(p)
	}
}

// ReadFrom writes the body, or a piece of it, from src. A Section is sent by sendfile.
func (w *ResponseWriter) ReadFrom(src io.Reader) (n int64, err error) {
	lr, ok := src.(*io.LimitedReader)
	if !ok || w.r.Method == http.MethodHead || !isSection(src) {
		return io.CopyBuffer(struct{ io.Writer }{w}, src, make([]byte, 32<<10))
	}
	s := lr.R.(*Section)
	want := min(lr.N, s.size-s.off)
	if err := w.begin(want); err != nil {
		return 0, err
	}
	w.release(nil)
	if w.chunked {
		w.written -= want
		return io.CopyBuffer(struct{ io.Writer }{w}, src, make([]byte, 32<<10))
	}
	w.send(true)
	if w.err == nil {
		n, w.err = w.c.sendSection(s, want)
		lr.N -= n
	}
	if n < want {
		w.written -= want - n
	}
	return n, w.err
}

// Flush sends the bytes written so far.
func (w *ResponseWriter) Flush() {
	if w.hijacked || w.begin(0) != nil && w.bodyAllowed() {
		return
	}
	w.release(nil)
	w.send(false)
}

// Hijack gives the connection to the caller.
func (w *ResponseWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijacked || w.status != 0 {
		return nil, nil, http.ErrHijacked
	}
	w.hijacked = true
	_ = w.c.SetDeadline(time.Time{})
	if w.br == nil {
		w.br = bufio.NewReader(w.c)
	}
	return w.c, bufio.NewReadWriter(w.br, bufio.NewWriter(w.c)), nil
}

// finish ends the answer and reports whether the connection can take another
// request.
func (w *ResponseWriter) finish() bool {
	if w.hijacked {
		return false
	}
	if b, ok := w.r.Body.(*requestBody); ok && !b.finished {
		w.closing = true // the rest of the body would be read as a request
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.committed {
		length := w.length
		if length < 0 {
			length = w.written // all of it is known now
		}
		held := w.held
		w.held = nil
		w.commit(length, held)
		_ = w.body(held)
	}
	if w.chunked {
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	w.send(false)
	short := w.length >= 0 && w.written < w.length && w.r.Method != http.MethodHead && w.bodyAllowed()
	if cap(w.out) > 2*joinBody {
		w.out = nil
	}
	return w.err == nil && !w.closing && !short
}

// dateLine caches the Date header for a second.
type dateLine struct {
	p atomic.Pointer[dateText]
}

type dateText struct {
	unix int64
	text string
}

func (d *dateLine) now() string {
	now := time.Now()
	if t := d.p.Load(); t != nil && t.unix == now.Unix() {
		return t.text
	}
	t := &dateText{now.Unix(), now.UTC().Format(http.TimeFormat)}
	d.p.Store(t)
	return t.text
}
