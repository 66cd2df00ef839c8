package http1

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestHowBodiesAreFramed(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789", 10_000)
	addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch r.URL.Path {
		case "/nothing":
		case "/one":
			_, _ = io.WriteString(w, "a")
		case "/said":
			h.Set("Content-Length", "0")
			if _, err := io.WriteString(w, "x"); err != http.ErrContentLength {
				t.Errorf("more than nothing: %v", err)
			}
		case "/short":
			_, _ = io.WriteString(w, "a")
			_, _ = io.WriteString(w, "b")
		case "/long":
			for i := 0; i < len(long); i += 1000 {
				_, _ = io.WriteString(w, long[i:i+1000])
			}
		case "/huge-write":
			_, _ = io.WriteString(w, long)
		case "/known":
			h.Set("Content-Length", strconv.Itoa(len(long)))
			_, _ = io.WriteString(w, long)
		case "/flushed":
			_, _ = io.WriteString(w, "a")
			w.(http.Flusher).Flush()
			_, _ = io.WriteString(w, "b")
		case "/none":
			w.WriteHeader(http.StatusNoContent)
			if _, err := io.WriteString(w, "x"); err != http.ErrBodyNotAllowed {
				t.Errorf("a body of 204: %v", err)
			}
		case "/unmodified":
			h.Set("Content-Length", "5")
			w.WriteHeader(http.StatusNotModified)
		case "/toolong":
			h.Set("Content-Length", "2")
			if _, err := io.WriteString(w, "abc"); err != http.ErrContentLength {
				t.Errorf("more than Content-Length: %v", err)
			}
			_, _ = io.WriteString(w, "ab")
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "tea")
		case "/typed":
			h.Set("Content-Type", "a/b")
			_, _ = io.WriteString(w, "<html>")
		case "/split":
			h.Set("X-A", "b\r\nX-Evil: c")
			h["X Bad"] = []string{"d"}
			h.Set("Transfer-Encoding", "gzip")
		case "/late":
			w.WriteHeader(200)
			h.Set("X-Late", "1")
			_, _ = io.WriteString(w, "late")
		}
	})
	for _, c := range []struct {
		path, body string
		status     int
		length     int64
		headers    string // "Name=value" that must be there, "!Name" that must not
	}{
		{"/nothing", "", 200, 0, "!Content-Type"},
		{"/one", "a", 200, 1, "Content-Type=text/plain; charset=utf-8"},
		{"/said", "", 200, 0, "!Content-Type"},
		{"/short", "ab", 200, 2, "Content-Type=text/plain; charset=utf-8"},
		{"/long", long, 200, -1, ""},
		{"/huge-write", long, 200, -1, ""},
		{"/known", long, 200, int64(len(long)), ""},
		{"/flushed", "ab", 200, -1, ""},
		{"/none", "", 204, 0, "!Content-Length"},
		{"/unmodified", "", 304, 0, "!Content-Length"},
		{"/toolong", "ab", 200, 2, ""},
		{"/early", "tea", 418, 3, ""},
		{"/typed", "<html>", 200, 6, "Content-Type=a/b"},
		{"/split", "", 200, 0, "X-A=b  X-Evil: c"},
		{"/late", "late", 200, 4, "!X-Late"},
	} {
		for _, proto := range []string{"1.1", "1.0"} {
			name := c.path + " in HTTP/" + proto
			conn := dial(t, addr)
			br := bufio.NewReader(conn)
			fmt.Fprintf(conn, "GET %s HTTP/%s\r\nHost: h\r\n\r\n", c.path, proto)
			r, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			differs(t, name, bodyOf(t, r), c.body)
			differs(t, name+" status", r.StatusCode, c.status)
			differs(t, name+" length", r.ContentLength, c.length)
			if r.Header.Get("Date") == "" {
				t.Errorf("%s: no Date", name)
			}
			if v, gone := strings.CutPrefix(c.headers, "!"); gone && r.Header.Get(v) != "" {
				t.Errorf("%s: has %s", name, v)
			} else if k, v, ok := strings.Cut(c.headers, "="); ok {
				differs(t, name+" "+k, r.Header.Get(k), v)
			}
			if proto == "1.1" { // and the next request is understood
				fmt.Fprintf(conn, "HEAD %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", c.path)
				r, err := http.ReadResponse(br, &http.Request{Method: "HEAD"})
				if err != nil {
					t.Errorf("HEAD after %s: %v", name, err)
					continue
				}
				differs(t, "HEAD "+name, r.StatusCode, c.status)
				if rest, _ := io.ReadAll(br); len(rest) > 0 {
					t.Errorf("HEAD %s: has a body %.50q", name, rest)
				}
			}
		}
	}
}

func TestAnAnswerCutShortClosesTheConnection(t *testing.T) {
	t.Parallel()
	addr := handle(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "short")
	})
	got := exchangeBytes(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	if !strings.HasSuffix(got, "\r\n\r\nshort") {
		t.Errorf("got %q", got)
	}
}

func TestBodiesAreReadOnlyWhenAskedFor(t *testing.T) {
	t.Parallel()
	addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			b, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %v", b, err)
		}
	})
	const post = "POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	c := dial(t, addr)
	br := bufio.NewReader(c)
	fmt.Fprintf(c, post, "/read")
	line, err := br.ReadString('\n')
	if err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	_, _ = br.ReadString('\n')
	fmt.Fprint(c, "body")
	r, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	differs(t, "body", bodyOf(t, r), "body <nil>")
	fmt.Fprintf(c, post, "/ignore") // the connection was kept: all of the body was read
	if r, err = http.ReadResponse(br, nil); err != nil {
		t.Fatal(err)
	}
	differs(t, "status without reading", r.StatusCode, 200)
	if !r.Close {
		t.Error("the connection is kept although the body may still come")
	}
	if got := exchangeBytes(t, addr, "POST /read HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nx\r\n"); !strings.Contains(got, "invalid byte in chunk length") {
		t.Errorf("broken chunks: %q", got)
	}
}

func TestHijack(t *testing.T) {
	t.Parallel()
	addr := handle(t, func(w http.ResponseWriter, _ *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		_, _ = rw.WriteString("mine\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = io.WriteString(c, line)
		if _, err := w.Write(nil); err != http.ErrHijacked {
			t.Errorf("writing afterwards: %v", err)
		}
	})
	differs(t, "bytes", exchangeBytes(t, addr, "GET / HTTP/1.1\r\nHost: h\r\n\r\nafter\n"), "mine\nafter\n")
}

// A handler may hand over a part of a file.
func TestAFileSectionIsSentWhole(t *testing.T) {
	t.Parallel()
	name := t.TempDir() + "/file"
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := handle(t, func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(name)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = f.Close() }()
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", "6")
		}
		s := NewSection(f, 8)
		_, _ = s.Seek(2, io.SeekStart)
		n, err := w.(io.ReaderFrom).ReadFrom(&io.LimitedReader{R: s, N: 20})
		if n != 6 || err != nil {
			t.Errorf("%s: sent %d bytes, %v", r.URL.Path, n, err)
		}
	})
	for _, path := range []string{"/known", "/unknown"} {
		r, err := http.ReadResponse(bufio.NewReader(strings.NewReader(exchangeBytes(t, addr, "GET "+path+" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))), nil)
		if err != nil {
			t.Fatal(err)
		}
		differs(t, path, bodyOf(t, r), "234567")
	}
}
