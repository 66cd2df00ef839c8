package http1

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// parse reads one request as a connection does.
func parse(s string) (*http.Request, error) {
	br := bufio.NewReaderSize(strings.NewReader(s), 16) // lines longer than the buffer
	head, err := readHead(br, nil)
	if err != nil {
		return nil, err
	}
	return parseRequest(context.Background(), head, br)
}

// What ends before a request begins is no broken request.
func TestWhereARequestEnds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{"": io.EOF, "G": io.ErrUnexpectedEOF, "GET / HTTP/1.1\r\n": io.ErrUnexpectedEOF, "GET / HTTP/1.1\r\nHost: h\r\n\r": io.ErrUnexpectedEOF} {
		if _, err := parse(text); err != want {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	broken := errors.New("connection reset")
	if _, err := readHead(bufio.NewReader(io.MultiReader(strings.NewReader("GET"), iotest.ErrReader(broken))), nil); err != broken {
		t.Errorf("a connection that breaks: %v", err)
	}
}

func TestRequestsThatAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, method, uri, host, header, body string }{
		{"plain", "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/a?b", "h", "", ""},
		{"bare line feeds", "GET / HTTP/1.1\nHost: h\nA: b\n\n", "GET", "/", "h", "A=b", ""},
		{"an empty line before it", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/", "h", "", ""},
		{"HTTP/1.0 without Host", "HEAD / HTTP/1.0\r\n\r\n", "HEAD", "/", "", "", ""},
		{"blanks around values", "GET / HTTP/1.1\r\nHost: \t h\t \r\nA:  b c \r\n\r\n", "GET", "/", "h", "A=b c", ""},
		{"repeated fields", "GET / HTTP/1.1\r\nHost: h\r\nx-a: 1\r\nB: 2\r\nX-A: 3\r\n\r\n", "GET", "/", "h", "B=2 X-A=1,3", ""},
		{"empty value", "GET / HTTP/1.1\r\nHost: h\r\nA:\r\n\r\n", "GET", "/", "h", "A=", ""},
		{"absolute target", "GET http://t:80/p HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "http://t:80/p", "t:80", "", ""},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS", "*", "h", "", ""},
		{"body with length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcdef", "POST", "/", "h", "Content-Length=3", "abc"},
		{"body in chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "POST", "/", "h", "", "abc"},
		{"bytes beyond ASCII", "GET /\xe9 HTTP/1.1\r\nHost: h\r\nA: \xe9\r\n\r\n", "GET", "/\xe9", "h", "A=\xe9", ""},
		{"a long head", "GET /" + strings.Repeat("a", 10_000) + " HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/" + strings.Repeat("a", 10_000), "h", "", ""},
	} {
		r, err := parse(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		differs(t, c.name, r.Method, c.method)
		differs(t, c.name, r.RequestURI, c.uri)
		differs(t, c.name, r.Host, c.host)
		var fields []string
		for _, k := range slices.Sorted(maps.Keys(r.Header)) {
			fields = append(fields, k+"="+strings.Join(r.Header[k], ","))
		}
		differs(t, c.name, strings.Join(fields, " "), c.header)
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("%s: body: %v", c.name, err)
		}
		differs(t, c.name, string(b), c.body)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		status     int
	}{
		{"no target", "GET HTTP/1.1\r\n\r\n", 400},
		{"HTTP/0.9", "GET /\r\n\r\n", 400},
		{"two blanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"blank in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"control character in the target", "GET /a\x01 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"no method", " / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"method that is no token", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"bad percent", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"relative target", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
		{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
		{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
		{"another protocol", "GET / RTSP/1.0\r\n\r\n", 400},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\n\n", 400},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
		{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
		{"Host with markup", "GET / HTTP/1.1\r\nHost: a\"b\r\n\r\n", 400},
		{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
		{"no colon", "GET / HTTP/1.1\r\nHost: h\r\nA\r\n\r\n", 400},
		{"blank before the colon", "GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", 400},
		{"folded line", "GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", 400},
		{"NUL in a value", "GET / HTTP/1.1\r\nHost: h\r\nA: \x00\r\n\r\n", 400},
		{"bare carriage return", "GET / HTTP/1.1\r\nHost: h\r\nA: b\rC: d\r\n\r\n", 400},
		{"both lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"two lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
		{"a list of lengths", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3, 3\r\n\r\n", 400},
		{"a signed length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +3\r\n\r\n", 400},
		{"a negative length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n", 400},
		{"a huge length", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
		{"chunked with something", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
		{"chunked twice", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
		{"a head too long", "GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("a", MaxHeader) + "\r\n\r\n", 431},
		{"too many fields", "GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("A: b\r\n", MaxHeader/6) + "\r\n", 431},
		{"empty lines for ever", "\r\n\r\n\r\n\r\n", 400},
	} {
		r, err := parse(c.text)
		var bad *requestError
		if !errors.As(err, &bad) {
			t.Errorf("%s: got %v, %v", c.name, r, err)
			continue
		}
		differs(t, c.name, bad.status, c.status)
	}
	for name, text := range map[string]string{"nothing": "", "half a line": "GET /", "half a head": "GET / HTTP/1.1\r\nHost: h\r\n"} {
		if _, err := parse(text); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzRequest holds our reading against net/http's: what we accept it accepts
// too, and takes to mean the same, to the last byte of the body.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /a?b HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n",
		"GET / HTTP/1.0\n\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \x0bchunked\r\nContent-Length: 4\r\n\r\n",
		"GET http://t/ HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fuzztime.Bound(t)
		ours := bufio.NewReader(strings.NewReader(s))
		head, err := readHead(ours, nil)
		if len(head) > MaxHeader {
			t.Fatalf("%d bytes of head", len(head))
		}
		if err != nil {
			return
		}
		got, err := parseRequest(t.Context(), head, ours)
		if err != nil {
			return
		}
		// Net/http does not skip the empty line that RFC 9112 §2.2 lets us skip.
		theirs := bufio.NewReader(strings.NewReader(strings.TrimPrefix(strings.TrimPrefix(s, "\r"), "\n")))
		want, err := http.ReadRequest(theirs)
		if err != nil {
			t.Fatalf("net/http refuses %q: %v", s, err)
		}
		if got.Method != want.Method || got.RequestURI != want.RequestURI || got.Host != want.Host || got.URL.String() != want.URL.String() ||
			got.ProtoMinor != want.ProtoMinor || got.ContentLength != want.ContentLength {
			t.Fatalf("%q\ngot  %+v\nwant %+v", s, got, want)
		}
		got.Header.Del("Content-Length")
		want.Header.Del("Content-Length")
		want.Header.Del("Pragma")
		want.Header.Del("Cache-Control") // it adds one for Pragma
		got.Header.Del("Pragma")
		got.Header.Del("Cache-Control")
		want.Header.Del("Trailer")
		got.Header.Del("Trailer")
		if !maps.EqualFunc(got.Header, want.Header, slices.Equal) {
			t.Fatalf("%q\ngot  %v\nwant %v", s, got.Header, want.Header)
		}
		b1, err1 := io.ReadAll(got.Body)
		b2, err2 := io.ReadAll(want.Body)
		if err1 == nil && err2 == nil && string(b1) != string(b2) {
			t.Fatalf("%q\ngot  body %q\nwant body %q", s, b1, b2)
		}
	})
}
