package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/config/value"
)

// requestError says why a request can't be served. Its text is the answer; then the
// connection is closed.
type requestError struct {
	status int
	text   string
}

func (e *requestError) Error() string { return e.text }

func badRequest(text string) error { return &requestError{http.StatusBadRequest, text} }

var errHeadTooLong = &requestError{http.StatusRequestHeaderFieldsTooLarge, "the request head is too long"}

// readHead reads up to the empty line that ends a request head (RFC 9112 §2.1)
// into buf, which it may grow up to MaxHeader, and returns it without that line.
// An error before the first byte is io.EOF or the connection's own.
func readHead(br *bufio.Reader, buf []byte) ([]byte, error) {
	buf = buf[:0]
	for {
		line, err := br.ReadSlice('\n')
		if len(buf)+len(line) > MaxHeader {
			return buf, errHeadTooLong
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if errors.Is(err, io.EOF) && len(buf)+len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return buf, err
		}
		blank := len(line) == 1 || len(line) == 2 && line[0] == '\r'
		switch {
		case err != nil || !blank || len(buf) > 0 && buf[len(buf)-1] != '\n':
			buf = append(buf, line...) // a line, or a part of a long one
		case len(buf) > 0:
			return buf, nil
		default:
			// RFC 9112 §2.2: an empty line before the request is ignored. Only
			// one is, so that a client can't send them for ever.
			if b, err := br.Peek(1); err == nil && (b[0] == '\r' || b[0] == '\n') {
				return buf, badRequest("empty lines instead of a request")
			}
		}
	}
}

// parseRequest reads a request head. It is strict: it refuses requests that two servers
// in a row might understand in two ways (RFC 9112 §11.2, request smuggling). The body,
// if there is one, is read from br.
//
// The strings of the request share one copy of the head.
func parseRequest(ctx context.Context, head []byte, br *bufio.Reader) (*http.Request, error) {
	rest := string(head)
	line, rest := cutLine(rest)
	method, line, ok1 := strings.Cut(line, " ")
	target, proto, ok2 := strings.Cut(line, " ")
	if !ok1 || !ok2 || !value.IsToken(method) || target == "" {
		return nil, badRequest("malformed request line")
	}
	minor := 1
	switch {
	case proto == "HTTP/1.1":
	case proto == "HTTP/1.0":
		minor = 0
	case len(proto) == 8 && strings.HasPrefix(proto, "HTTP/") && proto[6] == '.':
		return nil, &requestError{http.StatusHTTPVersionNotSupported, "HTTP/1.1 is spoken here"}
	default:
		return nil, badRequest("malformed HTTP version")
	}
	if !visible(target) {
		return nil, badRequest("malformed request target")
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, badRequest("malformed request target")
	}
	r := &http.Request{
		Method: method, URL: u, Proto: proto, ProtoMajor: 1, ProtoMinor: minor,
		Header: make(http.Header, 8), Body: http.NoBody, RequestURI: target,
	}
	if err := parseFields(r, rest); err != nil {
		return nil, err
	}
	if err := setBody(r, br); err != nil {
		return nil, err
	}
	return r.WithContext(ctx), nil
}

// cutLine returns the first line, without its end, and the rest.
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// visible reports whether s has neither blanks nor control characters.
func visible(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// parseFields reads the header fields (RFC 9112 §5). Host goes to r.Host.
func parseFields(r *http.Request, s string) error {
	values := make([]string, 0, 1+strings.Count(s, "\n"))
	hosts := 0
	for s != "" {
		var line string
		line, s = cutLine(s)
		name, text, ok := strings.Cut(line, ":")
		text = strings.Trim(text, " \t")
		if !ok || !value.IsToken(name) || value.CheckHeaderValue(text) != nil { // folded lines begin with a blank: no token
			return badRequest("malformed header field")
		}
		name = textproto.CanonicalMIMEHeaderKey(name)
		if name == "Host" {
			hosts++
			r.Host = text
			continue
		}
		values = append(values, text)
		if have := r.Header[name]; have != nil {
			r.Header[name] = append(have, text)
		} else {
			r.Header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	switch {
	case hosts > 1:
		return badRequest("more than one Host")
	case hosts == 0 && r.ProtoMinor == 1:
		return badRequest("no Host")
	case r.Host != "" && !ValidHost(r.Host):
		return badRequest("malformed Host")
	}
	if r.URL.Host != "" { // RFC 9112 §3.2.2: the target's host is used
		if !ValidHost(r.URL.Host) {
			return badRequest("malformed request target")
		}
		r.Host = r.URL.Host
	}
	return nil
}

// setBody sets where the body ends (RFC 9112 §6.3). Transfer-Encoding may only be
// chunked, without a Content-Length, and not in HTTP/1.0.
func setBody(r *http.Request, br *bufio.Reader) error {
	te, lengths := r.Header["Transfer-Encoding"], r.Header["Content-Length"]
	switch {
	case len(te) > 0:
		if len(te) > 1 || len(lengths) > 0 || r.ProtoMinor == 0 {
			return badRequest("ambiguous body length")
		}
		if !strings.EqualFold(te[0], "chunked") {
			return &requestError{http.StatusNotImplemented, "only chunked is understood"}
		}
		delete(r.Header, "Transfer-Encoding")
		r.TransferEncoding, r.ContentLength = []string{"chunked"}, -1
		r.Body = &requestBody{r: httputil.NewChunkedReader(br)}
	case len(lengths) > 0:
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil || len(lengths) > 1 || strings.HasPrefix(lengths[0], "+") {
			return badRequest("malformed Content-Length")
		}
		r.ContentLength = int64(n)
		if n > 0 {
			r.Body = &requestBody{r: io.LimitReader(br, int64(n))}
		}
	}
	return nil
}

// requestBody is the body of a request. Only the handler reads it; if it does not read
// all, the connection is closed after the answer.
type requestBody struct {
	r        io.Reader
	proceed  func() // sends 100 Continue, once; nil: the client does not wait for it
	finished bool
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	if b.proceed != nil {
		b.proceed()
		b.proceed = nil
	}
	n, err := b.r.Read(p)
	b.finished = b.finished || errors.Is(err, io.EOF)
	return n, err
}

// Close implements io.Closer.
func (b *requestBody) Close() error { return nil }
