package server

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// However a request is written, nothing of a guarded stream comes without a verdict.
func TestNoSpellingGetsAroundAVerdict(t *testing.T) {
	h := newHookServer(t, status("play", 403, ""))
	r := showing(t, `on_play = "`+h.url+`"`)
	h.rig = r
	if err := os.Symlink(".", filepath.Join(r.dir, "www/live/link")); err != nil {
		t.Fatal(err)
	}
	served := func(method, target string) bool {
		nc, err := net.Dial("tcp", strings.TrimPrefix(r.web(), "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		fmt.Fprintf(nc, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nRange: bytes=0-10\r\nIf-None-Match: *\r\n\r\n", method, target)
		resp, err := http.ReadResponse(bufio.NewReader(nc), nil)
		if err != nil {
			t.Fatalf("%s %s: %v", method, target, err)
		}
		resp.Body.Close()
		return resp.StatusCode < 400
	}
	for _, target := range []string{
		"/live/cam-0.ts", "//live/cam-0.ts", "/live//cam-0.ts", "/live/./cam-0.ts", "/live/x/../cam-0.ts", "/live/%2e/cam-0.ts",
		"/live/cam%2d0.ts", "/live%2fcam-0.ts", "/live/..%2flive/cam-0.ts", "/live/cam-0.ts%00", "/live/cam-0.ts?a", "/live/cam-0.ts;a",
		"/live/cam-0.ts/", "/live/cam-0.ts/.", "/live/cam-0.TS", "/live/link/cam-0.ts", "http://else/live/cam-0.ts",
		"/live/cam.m3u8", "/live/cam.m3u8/", "/live//cam.m3u8", "/live/cam.m3u8%20", "/live/cam.m3u8?viewer=" + strings.Repeat("A", 32),
	} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			if served(method, target) {
				t.Errorf("%s %s is served", method, target)
			}
		}
	}
	h.mu.Lock()
	h.reply = nil
	h.mu.Unlock()
	if !served("GET", "/live/cam.m3u8?b") || !served("GET", "/live/cam-0.ts") {
		t.Error("who is let in gets nothing")
	}
}

// A link that the operator made elsewhere in the root is another spelling.
func TestALinkDoesNotGetAroundAVerdict(t *testing.T) {
	h := newHookServer(t, status("play", 403, ""))
	r := start(t, strings.Replace(watched(`on_play = "`+h.url+`"`), `location "/live"`, `location "/"`, 1))
	h.rig = r
	r.show(t, "cam")
	if err := os.Symlink("live", filepath.Join(r.dir, "www/other")); err != nil {
		t.Fatal(err)
	}
	r.write("www/plain.ts", "x")
	if err := os.Symlink("plain.ts", filepath.Join(r.dir, "www/else.ts")); err != nil {
		t.Fatal(err)
	}
	a := r.watcher("198.51.100.1")
	for path, want := range map[string]int{"/live/cam-0.ts": 403, "/other/cam-0.ts": 404, "/else.ts": 200} {
		if p := a.get(path); p.status != want {
			t.Errorf("%s: %d, want %d", path, p.status, want)
		}
	}
}
