package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func TestTheLongestPrefixAtASegmentBoundaryWins(t *testing.T) {
	t.Parallel()
	var table router
	for _, l := range []*location{{path: "/"}, {path: "/live"}, {path: "/live/hd"}, {path: "/live", exact: true}, {path: "/dir/"}} {
		if err := table.add(l); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ path, want string }{
		{"/live", "= /live"},
		{"/live/", "/live"},
		{"/live/a.ts", "/live"},
		{"/livestream", "/"},
		{"/live/hd", "/live/hd"},
		{"/live/hd/a", "/live/hd"},
		{"/live/hdx", "/live"},
		{"/dir", "/"},
		{"/dir/", "/dir/"},
		{"/dir/x", "/dir/"},
		{"/", "/"},
		{"/LIVE/a.ts", "/"},
	} {
		got := "none"
		if l := table.match(c.path); l != nil {
			got = l.path
			if l.exact {
				got = "= " + got
			}
		}
		differs(t, c.path, got, c.want)
	}
}

func TestWithoutAMatchThereIsNoLocation(t *testing.T) {
	t.Parallel()
	var table router
	if err := table.add(&location{path: "/live"}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"/", "/liv", "/livestream", "/x/live"} {
		if table.match(p) != nil {
			t.Errorf("%s has a location", p)
		}
	}
	if err := table.add(&location{path: "/live"}); err == nil {
		t.Error("the same location twice is no error")
	}
}

func TestCompileRefusesPathsThatNoRequestHas(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"live", "", "/a//b", "/a/../b", "/./a", "/a\x00", `/a\b`} {
		if s, err := Compile(locations(config.Location{Path: p, Health: true}), Deps{}); err == nil {
			t.Errorf("%q: no error", p)
			_ = s.Close()
		}
	}
}

func TestAPathHasOneMeaning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target, want string
		status       int
	}{
		{"/live/a.ts", "/live/a.ts", 0},
		{"/live/a%2ets", "/live/a.ts", 0},
		{"/live//a.ts", "/live/a.ts", 0},
		{"///live///a", "/live/a", 0},
		{"/a%20b", "/a b", 0},
		{"/%C3%A9", "/é", 0},
		{"/live/", "/live/", 0},
		{"/a..b/c...d", "/a..b/c...d", 0},
		{"/.hidden", "/.hidden", 0},
		{"/%252e%252e/x", "/%2e%2e/x", 0},
		{"/..", "", 400},
		{"/../etc/passwd", "", 400},
		{"/live/../../x", "", 400},
		{"/live/%2e%2e/x", "", 400},
		{"/live/.%2E/x", "", 400},
		{"/./x", "", 400},
		{"/live/.", "", 400},
		{"/a%00b", "", 400},
		{"/a%0d%0ab", "", 400},
		{"/a%7f", "", 400},
		{"/a%5cb", "", 400},
		{`/a\b`, "", 400},
		{"/a%2fb", "", 404},
		{"/live%2F..%2Fx", "", 404},
		{"*", "", 400},
	} {
		u, err := url.ParseRequestURI(c.target)
		if err != nil {
			t.Errorf("%s: %v", c.target, err)
			continue
		}
		got, status := cleanPath(u)
		differs(t, c.target, got, c.want)
		differs(t, c.target+" status", status, c.status)
	}
}

func TestNoSpellingGetsAroundALocation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "private/x.txt", "SECRET")
	s := site(t, Deps{}, locations(
		config.Location{Path: "/", Root: value.Path(dir)},
		config.Location{Path: "/private", Root: value.Path(dir), Access: value.Rules{{All: true}}},
	))
	for _, p := range []string{"/private/x.txt", "//private/x.txt", "/private//x.txt", "/%70rivate/x.txt", "/x/../private/x.txt", "/./private/x.txt", "/private%2fx.txt", "/private/x.txt/"} {
		r := ask(t, s, "GET http://h"+p)
		if b := bodyOf(t, r); r.StatusCode == 200 || strings.Contains(b, "SECRET") {
			t.Errorf("%s: got %d %q", p, r.StatusCode, b)
		}
	}
}

// FuzzPath: no request target reads outside of the directory, a dotfile or a key.
func FuzzPath(f *testing.F) {
	top, err := os.MkdirTemp("", "web-fuzz-")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = os.RemoveAll(top) })
	root := filepath.Join(top, "root")
	const secret = "do not show this"
	write(f, top, "outside.txt", secret, "rooted/x.txt", secret, "root/.hidden", secret, "root/live/.tmp-1", secret, "root/keys/a.key", secret, "root/live/a.ts", "ts")
	if err := os.Symlink("../../outside.txt", filepath.Join(root, "live", "link.txt")); err != nil {
		f.Fatal(err)
	}
	if err := os.Symlink(top, filepath.Join(root, "up")); err != nil {
		f.Fatal(err)
	}
	s := site(f, Deps{KeyPaths: []string{filepath.Join(root, "keys")}}, locations(
		config.Location{Path: "/", Root: value.Path(root), Autoindex: true},
		config.Location{Path: "/a", Alias: value.Path(filepath.Join(root, "live")), Autoindex: true},
		config.Location{Path: "/b/", Alias: value.Path(root + "/live/")},
	))
	for _, p := range []string{
		"/live/a.ts", "/a/../../outside.txt", "/a/%2e%2e/%2e%2e/outside.txt", "/a..%2foutside.txt", "/a../outside.txt", "/b../keys/a.key", "//..//outside.txt",
		"/up/outside.txt", "/live/link.txt", "/.hidden", "/live/.tmp-1", "/keys/a.key", "/KEYS/a.key", "/a/..%5c..%5coutside.txt", "/%c0%ae%c0%ae/outside.txt", "/live/a.ts%00.txt", "/a/.", "/a",
	} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, target string) {
		fuzztime.Bound(t)
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Host: "h", RemoteAddr: "127.0.0.1:1", Body: http.NoBody}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), secret) {
			t.Fatalf("%q reads what it must not", target)
		}
		if w.Code == 200 && strings.Contains(w.Body.String(), ".hidden") {
			t.Fatalf("%q lists a dotfile", target)
		}
	})
}
