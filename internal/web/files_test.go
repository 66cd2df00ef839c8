package web

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func TestRootAddsTheWholePathAndAliasReplacesThePrefix(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "live/a.ts", "root", "other/a.ts", "alias", "one.txt", "exact")
	s := site(t, Deps{}, locations(
		config.Location{Path: "/live", Root: value.Path(dir)},
		config.Location{Path: "/files", Alias: value.Path(dir + "/other")},
		config.Location{Path: "/slash/", Alias: value.Path(dir + "/other/")},
		config.Location{Path: "/one.txt", Exact: true, Root: value.Path(dir)},
	))
	for _, c := range []struct {
		path, body string
		status     int
	}{
		{"/live/a.ts", "root", 200},
		{"/files/a.ts", "alias", 200},
		{"/slash/a.ts", "alias", 200},
		{"/one.txt", "exact", 200},
		{"/one.txt/", "", 404},
		{"/live/a.ts/", "", 404},
		{"/live/a.ts/b", "", 404},
		{"/live/b.ts", "", 404},
		{"/live", "", 404},
		{"/other/a.ts", "", 404},
		{"/slash", "", 404},
	} {
		r := ask(t, s, "GET "+c.path)
		body := bodyOf(t, r)
		differs(t, c.path+" status", r.StatusCode, c.status)
		if c.status == 200 {
			differs(t, c.path, body, c.body)
		}
	}
}

func TestTypesAreOurOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := map[string]string{
		"a.m3u8": "application/vnd.apple.mpegurl", "a.ts": "video/mp2t", "a.TS": "video/mp2t", "a.m4s": "video/iso.segment", "a.mp4": "video/mp4", "a.mpd": "application/dash+xml",
		"a.m4a": "audio/mp4", "a.m4v": "video/mp4", "a.flv": "video/x-flv", "a.html": "text/html; charset=utf-8", "a.js": "text/javascript; charset=utf-8",
		"a.css": "text/css; charset=utf-8", "a.json": "application/json", "a.vtt": "text/vtt; charset=utf-8", "a.svg": "image/svg+xml", "a.png": "image/png", "a.jpg": "image/jpeg",
		"a.ico": "image/x-icon", "a.txt": "text/plain; charset=utf-8", "a.webmanifest": "application/manifest+json", "a.key": "application/octet-stream",
		"a.strange": "application/octet-stream", "none": "application/octet-stream",
	}
	for name := range want {
		write(t, dir, name, "<html>")
	}
	s := site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)}))
	for name, typ := range want {
		differs(t, name, ask(t, s, "GET /"+name).Header.Get("Content-Type"), typ)
	}
}

func TestDirectoriesServeTheirIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a/index.html", "page", "b/x.txt", "", "c/index.html/x", "")
	s := site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)}))
	for path, want := range map[string]int{"/a": 200, "/a/": 200, "/b": 404, "/b/": 404, "/c/": 404, "/": 404} {
		r := ask(t, s, "GET "+path)
		differs(t, path, r.StatusCode, want)
		if want == 200 {
			differs(t, path, bodyOf(t, r), "page")
			differs(t, path, r.Header.Get("Content-Type"), "text/html; charset=utf-8")
		}
	}
}

func TestAutoindexEscapesAndHides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "d/<b>\"&.ts", "12345", "d/a:b.ts", "", "d/sub/x", "", "d/.secret", "", "d/.tmp-4.ts", "", "d/.rtmpd-lock", "", "d/k/a.key", "", "d/100%.txt", "")
	s := site(t, Deps{KeyPaths: []string{dir + "/d/k"}}, locations(config.Location{Path: "/", Root: value.Path(dir), Autoindex: true}))
	r := ask(t, s, "GET /d/")
	got := bodyOf(t, r)
	differs(t, "status", r.StatusCode, 200)
	differs(t, "type", r.Header.Get("Content-Type"), "text/html; charset=utf-8")
	for _, want := range []string{`<a href="./%3Cb%3E%22&amp;.ts">&lt;b&gt;&#34;&amp;.ts</a>`, `href="./a:b.ts"`, `href="./sub/"`, `href="./100%25.txt"`, `>5<`, `href="./../"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in the list:\n%s", want, got)
		}
	}
	for _, hidden := range []string{"secret", "tmp-4", "rtmpd-lock", "k/", "<b>"} {
		if strings.Contains(got, hidden) {
			t.Errorf("%q is in the list:\n%s", hidden, got)
		}
	}
	if got := bodyOf(t, ask(t, s, "GET /d")); !strings.Contains(got, `href="./d/sub/"`) {
		t.Errorf("without a final slash links lead elsewhere:\n%s", got)
	}
}

func TestWhatIsNeverServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := t.TempDir()
	write(t, dir, ".htpasswd", "x", "live/.tmp-1.ts", "x", "live/.rtmpd", "x", ".git/config", "x", "keys/a.key", "x", "live/ok.ts", "x", "mixed/a.key", "x", "mixed/a.ts", "x")
	write(t, out, "x.txt", "x")
	if err := os.Symlink(filepath.Join(out, "x.txt"), filepath.Join(dir, "leaves.txt")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(out, filepath.Join(dir, "leavesdir")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("live/ok.ts", filepath.Join(dir, "stays.ts")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	log, logs := observed()
	live := &fakeLive{dirs: map[string][]string{dir + "/mixed": nil}}
	s := site(t, Deps{Live: live, KeyPaths: []string{dir + "/keys", dir + "/mixed"}, Log: log}, locations(
		config.Location{Path: "/", Root: value.Path(dir)},
		config.Location{Path: "/all", Alias: value.Path(dir)},
		config.Location{Path: "/k", Alias: value.Path(dir + "/keys")},
		config.Location{Path: "/keys/deep", Root: value.Path(dir)},
	))
	for path, want := range map[string]int{
		"/.htpasswd": 404, "/live/.tmp-1.ts": 404, "/live/.rtmpd": 404, "/.git/config": 404, "/keys/a.key": 404, "/keys": 404, "/all/keys/a.key": 404, "/mixed/a.key": 404,
		"/leaves.txt": 404, "/leavesdir/x.txt": 404, "/pipe": 404, "/keys/deep/x": 404,
		"/live/ok.ts": 200, "/stays.ts": 200, "/k/a.key": 200, "/mixed/a.ts": 200, "/all/live/ok.ts": 200,
	} {
		differs(t, path, ask(t, s, "GET "+path).StatusCode, want)
	}
	differs(t, "a key's Cache-Control", ask(t, s, "GET /k/a.key").Header.Get("Cache-Control"), "no-store")
	for range 3 {
		ask(t, s, "GET /leaves.txt")
	}
	if n := logs.FilterMessage("file not served").FilterField(zapPath("/leaves.txt")).Len(); n != 1 {
		t.Errorf("the link that leaves is logged %d times, want once", n)
	}
	if n := logs.FilterMessage("file not served").FilterField(zapPath("/pipe")).Len(); n != 0 {
		t.Error("a pipe is logged")
	}
}

func TestADirectoryMayComeLaterAndBeReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "later")
	now := time.Unix(1e9, 0)
	s := site(t, Deps{Now: func() time.Time { return now }}, locations(config.Location{Path: "/", Root: value.Path(dir)}))
	differs(t, "before", ask(t, s, "GET /a.txt").StatusCode, 404)
	write(t, dir, "a.txt", "one")
	differs(t, "after", bodyOf(t, ask(t, s, "GET /a.txt")), "one")
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a.txt", "two")
	now = now.Add(recheck)
	differs(t, "replaced", bodyOf(t, ask(t, s, "GET /a.txt")), "two")
}

func TestConfiguredLinksAreFollowedOnce(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	write(t, top, "data/hls/a.ts", "linked", "www/index.html", "www")
	for from, to := range map[string]string{"root": "www", "www/live": "../data/hls"} {
		if err := os.Symlink(to, filepath.Join(top, from)); err != nil {
			t.Fatal(err)
		}
	}
	// hls.path is a link below the root, which is a link itself.
	live := &fakeLive{dirs: map[string][]string{top + "/root/live": nil}}
	live.set(top+"/root/live/test.m3u8", playlist("#EXTM3U\n"))
	s := site(t, Deps{Live: live}, locations(config.Location{Path: "/", Root: value.Path(top + "/root")}))
	differs(t, "index", bodyOf(t, ask(t, s, "GET /")), "www")
	differs(t, "fragment", bodyOf(t, ask(t, s, "GET /live/a.ts")), "linked")
	differs(t, "playlist", bodyOf(t, ask(t, s, "GET /live/test.m3u8")), "#EXTM3U\n")
}

func TestRangesAndConditions(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const text = "0123456789"
	write(t, dir, "a.bin", text)
	s := site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)}))
	full := ask(t, s, "GET /a.bin")
	etag, mod := full.Header.Get("Etag"), full.Header.Get("Last-Modified")
	if etag == "" || mod == "" || full.Header.Get("Accept-Ranges") != "bytes" {
		t.Fatalf("validators are missing: %v", full.Header)
	}
	for _, c := range []struct {
		name    string
		what    string
		headers []string
		status  int
		body    string
		crange  string
	}{
		{"no condition", "GET", nil, 200, text, ""},
		{"a part", "GET", []string{"Range: bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{"the end", "GET", []string{"Range: bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{"from the middle", "GET", []string{"Range: bytes=8-"}, 206, "89", "bytes 8-9/10"},
		{"past the end", "GET", []string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{"no range unit of ours", "GET", []string{"Range: lines=1-2"}, 416, "", ""},
		{"if range holds", "GET", []string{"Range: bytes=0-0", "If-Range: " + etag}, 206, "0", "bytes 0-0/10"},
		{"if range does not hold", "GET", []string{"Range: bytes=0-0", `If-Range: "x"`}, 200, text, ""},
		{"same tag", "GET", []string{"If-None-Match: " + etag}, 304, "", ""},
		{"one of the tags", "GET", []string{`If-None-Match: "x", ` + etag}, 304, "", ""},
		{"other tag", "GET", []string{`If-None-Match: "x"`}, 200, text, ""},
		{"not modified since", "GET", []string{"If-Modified-Since: " + mod}, 304, "", ""},
		{"modified since", "GET", []string{"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"}, 200, text, ""},
		{"if match", "GET", []string{`If-Match: "x"`}, 412, "", ""},
		{"unmodified since", "GET", []string{"If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"}, 412, "", ""},
		{"head", "HEAD", nil, 200, "", ""},
		{"head of a part", "HEAD", []string{"Range: bytes=2-4"}, 206, "", "bytes 2-4/10"},
	} {
		r := ask(t, s, c.what+" /a.bin", c.headers...)
		differs(t, c.name+" status", r.StatusCode, c.status)
		if b := bodyOf(t, r); c.status < 400 {
			differs(t, c.name, b, c.body)
		}
		differs(t, c.name+" range", r.Header.Get("Content-Range"), c.crange)
	}
	differs(t, "length of HEAD", ask(t, s, "HEAD /a.bin").Header.Get("Content-Length"), "10")
}

func TestSeveralRangesAreOneMultipartAnswer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.ts", "0123456789")
	addr, _ := serveSite(t, site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)})))
	req, _ := http.NewRequest("GET", "http://"+addr+"/a.ts", nil)
	req.Header.Set("Range", "bytes=0-1,5-6")
	r, err := client(t, &http.Transport{}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	differs(t, "status", r.StatusCode, 206)
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	for mr := multipart.NewReader(r.Body, params["boundary"]); ; {
		p, err := mr.NextPart()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(p)
		parts = append(parts, p.Header.Get("Content-Range")+" "+string(b))
	}
	differs(t, "parts", strings.Join(parts, "; "), "bytes 0-1/10 01; bytes 5-6/10 56")
}

func TestCacheControlAndHeadersAttributes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.txt", "a", "old.m3u8", "#EXTM3U")
	s := site(t, Deps{}, locations(
		config.Location{Path: "/", Root: value.Path(dir)},
		config.Location{Path: "/x", Alias: value.Path(dir), CacheControl: "public, max-age=60", Headers: map[string]string{"x-frame-options": "DENY", "Expires": "never"}},
	))
	differs(t, "no cache_control", ask(t, s, "GET /a.txt").Header.Get("Cache-Control"), "")
	differs(t, "playlist of a stream that ended", ask(t, s, "GET /old.m3u8").Header.Get("Cache-Control"), "no-cache")
	r := ask(t, s, "GET /x/a.txt")
	differs(t, "cache_control", r.Header.Get("Cache-Control"), "public, max-age=60")
	differs(t, "header", r.Header.Get("X-Frame-Options"), "DENY")
	differs(t, "header about the body", r.Header.Get("Expires"), "never")
	r = ask(t, s, "GET /x/none")
	differs(t, "error's Cache-Control", r.Header.Get("Cache-Control"), "no-cache")
	differs(t, "error's header", r.Header.Get("X-Frame-Options"), "DENY")
	differs(t, "error's header about the body", r.Header.Get("Expires"), "")
	for _, h := range []map[string]string{{"a b": "c"}, {"a": "b\r\nc: d"}} {
		if _, err := Compile(locations(config.Location{Path: "/", Root: value.Path(dir), Headers: h}), Deps{}); err == nil {
			t.Errorf("%v is taken", h)
		}
	}
}

func TestOtherMethodsAreRefused(t *testing.T) {
	t.Parallel()
	s := site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(t.TempDir())}))
	for _, m := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"} {
		r := ask(t, s, m+" /")
		differs(t, m, r.StatusCode, 405)
		differs(t, m, r.Header.Get("Allow"), "GET, HEAD, OPTIONS")
	}
}
