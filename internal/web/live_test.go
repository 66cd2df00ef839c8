package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

const list = "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3.0,\ntest-1.ts\n"

// liveSite is a root that reaches an hls directory with one stream in it.
func liveSite(t *testing.T, d Deps, more ...config.Location) (s *Site, live *fakeLive, dir string) {
	t.Helper()
	top := t.TempDir()
	dir = filepath.Join(top, "live")
	write(t, dir, "test-1.ts", "fragment", "test.m3u8", list)
	live = &fakeLive{dirs: map[string][]string{dir: {"test.m3u8"}}}
	live.set(dir+"/test.m3u8", playlist(list))
	live.set(dir+"/test-1.ts", segstore.File{App: "show", Stream: "test", Kind: segstore.Segment, ETag: `"s1"`, MaxAge: 2 * time.Minute})
	d.Live = live
	return site(t, d, locations(append([]config.Location{{Path: "/live", Root: value.Path(top)}}, more...)...)), live, dir
}

func TestLivePlaylists(t *testing.T) {
	t.Parallel()
	s, live, dir := liveSite(t, Deps{})
	r := ask(t, s, "GET /live/test.m3u8")
	differs(t, "body", bodyOf(t, r), list)
	for name, want := range map[string]string{
		"Content-Type": "application/vnd.apple.mpegurl", "Cache-Control": "max-age=2", "Etag": `"abc"`, "Vary": "Accept-Encoding", "Content-Encoding": "",
		"Last-Modified": "Sat, 21 Nov 2026 02:00:00 GMT", "Access-Control-Allow-Origin": "*", "Content-Length": itoa(len(list)),
	} {
		differs(t, name, r.Header.Get(name), want)
	}
	short := playlist(list)
	short.MaxAge = 0
	live.set(dir+"/test.m3u8", short)
	differs(t, "without a MaxAge", ask(t, s, "GET /live/test.m3u8").Header.Get("Cache-Control"), "no-cache")
}

func TestLivePlaylistsCompressed(t *testing.T) {
	t.Parallel()
	s, _, _ := liveSite(t, Deps{})
	for _, c := range []struct {
		accept string
		packed bool
	}{
		{"gzip", true},
		{"gzip, deflate, br", true},
		{"GZIP;q=0.5", true},
		{"*", true},
		{"deflate", false},
		{"", false},
		{"gzip;q=0", false},
		{"gzip;q=0.0, *", false},
		{"identity, *;q=0", false},
		{"xgzip", false},
	} {
		r := ask(t, s, "GET /live/test.m3u8", "Accept-Encoding: "+c.accept)
		body := bodyOf(t, r)
		if got := r.Header.Get("Content-Encoding") == "gzip"; got != c.packed {
			t.Errorf("%q: compressed %v, want %v", c.accept, got, c.packed)
			continue
		}
		etag := `"abc"`
		if c.packed {
			etag = `"abc-gz"`
			z, err := gzip.NewReader(strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(z)
			body = string(b)
		}
		differs(t, c.accept, body, list)
		differs(t, c.accept+" tag", r.Header.Get("Etag"), etag)
		differs(t, c.accept+" vary", r.Header.Get("Vary"), "Accept-Encoding")
		again := ask(t, s, "GET /live/test.m3u8", "Accept-Encoding: "+c.accept, "If-None-Match: "+etag)
		differs(t, c.accept+" again", again.StatusCode, 304)
		differs(t, c.accept+" again body", bodyOf(t, again), "")
		head := ask(t, s, "HEAD /live/test.m3u8", "Accept-Encoding: "+c.accept)
		differs(t, c.accept+" HEAD", head.Header.Get("Content-Length"), r.Header.Get("Content-Length"))
		other := ask(t, s, "GET /live/test.m3u8", "Accept-Encoding: "+c.accept, `If-None-Match: "other"`)
		differs(t, c.accept+" other tag", other.Header.Get("Content-Length"), r.Header.Get("Content-Length"))
	}
	r := ask(t, s, "GET /live/test.m3u8", "Accept-Encoding: gzip", "Range: bytes=0-6")
	differs(t, "a part is never compressed", bodyOf(t, r), "#EXTM3U")
	differs(t, "status of a part", r.StatusCode, 206)
}

func TestLiveFragments(t *testing.T) {
	t.Parallel()
	s, live, dir := liveSite(t, Deps{}, config.Location{Path: "/cached", Alias: "/nowhere", CacheControl: "no-store"})
	r := ask(t, s, "GET /live/test-1.ts")
	differs(t, "body", bodyOf(t, r), "fragment")
	for name, want := range map[string]string{"Content-Type": "video/mp2t", "Cache-Control": "max-age=120", "Etag": `"s1"`, "Access-Control-Allow-Origin": "*"} {
		differs(t, name, r.Header.Get(name), want)
	}
	differs(t, "a part", bodyOf(t, ask(t, s, "GET /live/test-1.ts", "Range: bytes=1-3")), "rag")
	differs(t, "same tag", ask(t, s, "GET /live/test-1.ts", `If-None-Match: "s1"`).StatusCode, 304)

	// A restart that begins at 1 again gives the name to other bytes.
	write(t, dir, "aside", "another")
	if err := os.Rename(dir+"/aside", dir+"/test-1.ts"); err != nil {
		t.Fatal(err)
	}
	live.set(dir+"/test-1.ts", segstore.File{Kind: segstore.Segment, ETag: `"s2"`, MaxAge: time.Minute})
	r = ask(t, s, "GET /live/test-1.ts")
	differs(t, "new bytes", bodyOf(t, r), "another")
	differs(t, "new max-age", r.Header.Get("Cache-Control"), "max-age=60")

	if err := os.Remove(dir + "/test-1.ts"); err != nil {
		t.Fatal(err)
	}
	live.set(dir+"/gone.ts", segstore.File{Kind: segstore.Segment})
	differs(t, "live but not on disk", ask(t, s, "GET /live/gone.ts").StatusCode, 404)
}

func TestALocationMayLieInsideAnHLSDirectory(t *testing.T) {
	t.Parallel()
	s, live, dir := liveSite(t, Deps{})
	live.set(dir+"/sub/index.m3u8", playlist("#nested\n"))
	write(t, dir, "sub/x", "")
	in := site(t, Deps{Live: live}, locations(config.Location{Path: "/one", Alias: value.Path(dir + "/sub")}, config.Location{Path: "/all", Alias: value.Path(dir)}))
	differs(t, "inside", bodyOf(t, ask(t, in, "GET /one/index.m3u8")), "#nested\n")
	differs(t, "alias", bodyOf(t, ask(t, in, "GET /all/test.m3u8")), list)
	differs(t, "root", bodyOf(t, ask(t, s, "GET /live/sub/index.m3u8")), "#nested\n")
}

func TestLiveKeysAreOnlyServedByAnAliasThatNamesThem(t *testing.T) {
	t.Parallel()
	s, live, dir := liveSite(t, Deps{})
	write(t, dir, "test-1.key", "0123456789abcdef")
	live.set(dir+"/test-1.key", segstore.File{Kind: segstore.Key})
	differs(t, "root", ask(t, s, "GET /live/test-1.key").StatusCode, 404)
	keys := site(t, Deps{Live: live, KeyPaths: []string{dir}}, locations(config.Location{Path: "/keys", Alias: value.Path(dir)}, config.Location{Path: "/live", Root: value.Path(filepath.Dir(dir))}))
	r := ask(t, keys, "GET /keys/test-1.key")
	differs(t, "alias", bodyOf(t, r), "0123456789abcdef")
	differs(t, "alias' Cache-Control", r.Header.Get("Cache-Control"), "no-store")
	differs(t, "root beside an alias", ask(t, keys, "GET /live/test-1.key").StatusCode, 404)
	differs(t, "fragments beside keys", ask(t, keys, "GET /live/test-1.ts").StatusCode, 200)
}

func TestOpenFragmentsAreSharedBoundedAndLetGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Unix(1e9, 0)
	o := newOpenFiles(func() time.Time { return now })
	m := &mount{at: dir}
	defer func() { _ = m.close() }()
	seg := segstore.File{Kind: segstore.Segment, ETag: `"1"`}
	write(t, dir, "a.ts", "a")
	a, err := o.get(m, "a.ts", &seg, now)
	if err != nil {
		t.Fatal(err)
	}
	b, err := o.get(m, "a.ts", &seg, now)
	if err != nil || a != b {
		t.Fatalf("opened twice (%v)", err)
	}
	now = now.Add(openFor)
	o.sweep()
	if _, err := a.f.Stat(); err != nil {
		t.Errorf("closed while in use: %v", err)
	}
	o.put(a)
	o.put(b)
	o.sweep()
	if _, err := a.f.Stat(); err == nil {
		t.Error("still open long after its last reader")
	}
	for i := range 2 * maxOpenFiles {
		name := "b" + itoa(i)
		write(t, dir, name, "b")
		f, err := o.get(m, name, &seg, now)
		if err != nil {
			t.Fatal(err)
		}
		o.put(f)
	}
	if n := len(o.byName); n > maxOpenFiles {
		t.Errorf("%d are open, want at most %d", n, maxOpenFiles)
	}
	c, err := o.get(m, "a.ts", &seg, now)
	if err != nil {
		t.Fatal(err)
	}
	o.close()
	if _, err := c.f.Stat(); err != nil {
		t.Errorf("close took a file that is in use: %v", err)
	}
	o.put(c)
	if _, err := c.f.Stat(); err == nil {
		t.Error("its last user left it open")
	}
}

func TestAMissingPlaylistNamesTheRightOneAndNothingElse(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	live := &fakeLive{dirs: map[string][]string{
		top + "/live":   {"test.m3u8", "secret-show.m3u8", "nested/index.m3u8"},
		top + "/closed": {"hidden.m3u8"},
		top + "/out":    {"unreachable.m3u8"},
		top + "/guard":  {"guarded.m3u8"},
	}}
	for d := range live.dirs {
		write(t, d, "x", "")
	}
	log, logs := observed()
	s := site(t, Deps{Live: live, Log: log}, locations(
		config.Location{Path: "/live", Root: value.Path(top)},
		config.Location{Path: "/a b", Alias: value.Path(top + "/live")},
		config.Location{Path: "/closed", Root: value.Path(top), Access: rules("10.0.0.0/8")},
		config.Location{Path: "/guard", Root: value.Path(top), Token: "0123456789abcdef"},
	))
	for _, c := range []struct{ path, want string }{
		{"/live/hls/test.m3u8", "404 not found: did you mean /live/test.m3u8?\n"},
		{"/test.m3u8", "404 not found: did you mean /live/test.m3u8?\n"},
		{"/live/test/index.m3u8", "404 not found: did you mean /live/test.m3u8?\n"},
		{"/live/nested.m3u8", "404 not found: did you mean /live/nested/index.m3u8?\n"},
		{"/live/other.m3u8", "404 not found\n"},
		{"/live/Test.m3u8", "404 not found\n"},
		{"/live/test.ts", "404 not found\n"},
		{"/live/hls/test", "404 not found\n"},
		{"/live/index.m3u8", "404 not found\n"},
		{"/live/hidden.m3u8", "404 not found\n"},
		{"/live/unreachable.m3u8", "404 not found\n"},
		{"/live/guarded.m3u8", "404 not found\n"},
		{"/live/.m3u8", "404 not found\n"},
	} {
		r := ask(t, s, "GET "+c.path)
		differs(t, c.path+" status", r.StatusCode, 404)
		differs(t, c.path, bodyOf(t, r), c.want)
		differs(t, c.path+" type", r.Header.Get("Content-Type"), "text/plain; charset=utf-8")
	}
	if !strings.Contains(bodyOf(t, ask(t, s, "GET /live/hidden.m3u8", "peer: 10.1.2.3")), "/closed/hidden.m3u8?") {
		t.Error("who may see the stream is not told its path")
	}
	if !strings.Contains(bodyOf(t, ask(t, s, "GET /guard/x/guarded.m3u8", "Authorization: Bearer 0123456789abcdef")), "/guard/guarded.m3u8?") {
		t.Error("who has shown the token is not told the path")
	}
	if logs.FilterMessage("playlist not found").Len() == 0 {
		t.Error("what exists is not in the debug log")
	}
}

func TestHEADOfEverything(t *testing.T) {
	t.Parallel()
	s, _, _ := liveSite(t, Deps{}, config.Location{Path: "/health", Health: true}, config.Location{Path: "/go", Redirect: "/live/"})
	for _, p := range []string{"/live/test.m3u8", "/live/test-1.ts", "/health", "/go", "/none"} {
		head, get := ask(t, s, "HEAD "+p), ask(t, s, "GET "+p)
		differs(t, p, head.StatusCode, get.StatusCode)
		differs(t, p, head.Header.Get("Content-Type"), get.Header.Get("Content-Type"))
		differs(t, p, head.Header.Get("Content-Length"), get.Header.Get("Content-Length"))
	}
}

func TestAnswersAreTheBytesOnDisk(t *testing.T) {
	t.Parallel()
	s, _, dir := liveSite(t, Deps{})
	data := bytes.Repeat([]byte("0123456789abcdef"), 50_000)
	if err := os.WriteFile(dir+"/big.ts", data, 0o644); err != nil {
		t.Fatal(err)
	}
	addr, _ := serveSite(t, s)
	c := client(t, &http.Transport{})
	for range 3 {
		r, err := c.Get("http://" + addr + "/live/big.ts")
		if err != nil {
			t.Fatal(err)
		}
		if got := bodyOf(t, r); got != string(data) {
			t.Fatalf("got %d bytes that are not the %d on disk", len(got), len(data))
		}
	}
}
