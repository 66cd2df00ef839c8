package web

import (
	"context"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// fakeAudience says what it was told to, and keeps what it was asked.
type fakeAudience struct {
	mu     sync.Mutex
	token  string
	denial *viewers.Denial
	visits []viewers.Visit
	urls   []string
	media  []string
}

func (a *fakeAudience) Playlist(_ context.Context, v viewers.Visit) (viewers.Grant, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.visits = append(a.visits, v)
	a.urls = append(a.urls, v.Request.PublicURL(v.Path))
	if a.denial != nil {
		return viewers.Grant{}, a.denial
	}
	return viewers.Grant{Links: a.token}, nil
}

func (a *fakeAudience) Media(f segstore.File, addr netip.Addr, agent string, _ time.Time) (*viewers.Meter, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.media = append(a.media, f.Stream+" "+addr.String()+" "+agent)
	if a.denial != nil {
		return nil, a.denial
	}
	return nil, nil
}

func (a *fakeAudience) Shows(viewers.Visit) bool { return false }

func (a *fakeAudience) Guards(f segstore.File) bool { return f.Stream == "guarded" }

func (a *fakeAudience) Guarding() bool { return true }

func (a *fakeAudience) Shut(path string) bool { return strings.HasSuffix(path, "/left.ts") }

// someToken looks like one that package viewers makes.
const someToken = "AbCdEfGhIjKlMnOpQrStUvWxYz012-_9"

func TestTheAudienceIsAskedAboutWhatIsLive(t *testing.T) {
	t.Parallel()
	a := &fakeAudience{}
	s, _, dir := liveSite(t, Deps{Audience: a})
	write(t, dir, "left.ts", "left", "page.html", "page")
	ask(t, s, "GET /live/test.m3u8?a=b&viewer="+someToken+"&_HLS_msn=7&c&viewer=alice", "User-Agent: P/1", "Referer: http://p/")
	ask(t, s, "HEAD /live/test.m3u8")
	ask(t, s, "GET /live/test-1.ts", "User-Agent: P/1")
	differs(t, "left over", ask(t, s, "GET /live/left.ts").StatusCode, 404)
	differs(t, "a page", ask(t, s, "GET /live/page.html").StatusCode, 200)
	if len(a.visits) != 2 || len(a.media) != 1 {
		t.Fatalf("%d visits and %d files judged", len(a.visits), len(a.media))
	}
	v := a.visits[0]
	differs(t, "query", v.Query, "a=b&c&viewer=alice") // somebody's own, for the hook
	differs(t, "token", v.Token, someToken)
	differs(t, "agent", v.Agent, "P/1")
	differs(t, "page", v.Request.Referer(), "http://p/")
	differs(t, "stream", v.File.Stream, "test")
	if !strings.HasSuffix(a.urls[0], "/live") || !strings.HasPrefix(a.urls[0], "http://") {
		t.Errorf("the directory's URL is %q", a.urls[0])
	}
	if !v.Poll || a.visits[1].Poll {
		t.Errorf("polls: GET %v, HEAD %v", v.Poll, a.visits[1].Poll)
	}
	differs(t, "file", a.media[0], "test "+v.Addr.String()+" P/1")
	differs(t, "endless query", ask(t, s, "GET /live/test.m3u8?"+strings.Repeat("a", maxQuery+1)).StatusCode, 414)
}

func TestDenials(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		denial viewers.Denial
		status int
		body   string
		retry  string
	}{
		{viewers.Denial{Status: 403, Reason: "refused by on_play"}, 403, "refused by on_play\n", ""},
		{viewers.Denial{Status: 503, Reason: "max_players = 2 reached", RetryAfter: 9}, 503, "max_players = 2 reached\n", "9"},
		{viewers.Denial{Status: 404}, 404, "404 not found\n", ""},
	} {
		s, _, _ := liveSite(t, Deps{Audience: &fakeAudience{denial: &c.denial}})
		for _, path := range []string{"/live/test.m3u8", "/live/test-1.ts"} {
			r := ask(t, s, "GET "+path)
			differs(t, path+" status", r.StatusCode, c.status)
			differs(t, path+" body", bodyOf(t, r), c.body)
			differs(t, path+" Retry-After", r.Header.Get("Retry-After"), c.retry)
			differs(t, path+" Cache-Control", r.Header.Get("Cache-Control"), "no-cache")
			differs(t, path+" CORS", r.Header.Get("Access-Control-Allow-Origin"), "*")
		}
	}
}

const variants = "#EXTM3U\r\n#EXT-X-MEDIA:TYPE=AUDIO,URI=\"low.m3u8\",NAME=\"x\"\r\n#EXT-X-I-FRAME-STREAM-INF:URI=\"high/index.m3u8?x=1\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\r\nlow.m3u8\r\n\n#EXT-X-STREAM-INF:BANDWIDTH=2\nhigh/index.m3u8?x=1"

func TestAMasterPlaylistIsMadeForItsViewer(t *testing.T) {
	t.Parallel()
	a := &fakeAudience{token: "viewer=TOK"}
	top := t.TempDir()
	s, live, dir := liveSite(t, Deps{Audience: a}, config.Location{
		Path: "/cached", Alias: value.Path(top), CacheControl: "max-age=60", Headers: map[string]string{"Cache-Control": "public", "Expires": "never", "X-Own": "y"},
	})
	m := playlist(variants)
	m.Kind = segstore.Master
	live.set(dir+"/all.m3u8", m)
	live.dirs[top] = nil
	live.set(top+"/all.m3u8", m)
	for _, c := range []struct{ query, low, high string }{
		{"", "low.m3u8?viewer=TOK", "high/index.m3u8?x=1&viewer=TOK"},
		{"?token=a%20b&c=d/e", "low.m3u8?token=a%20b&c=d/e&viewer=TOK", "high/index.m3u8?x=1&token=a%20b&c=d/e&viewer=TOK"},
		{"?viewer=" + someToken + "&q", "low.m3u8?q&viewer=TOK", "high/index.m3u8?x=1&q&viewer=TOK"},
		{`?a="b<c>`, "low.m3u8?a=%22b%3Cc%3E&viewer=TOK", "high/index.m3u8?x=1&a=%22b%3Cc%3E&viewer=TOK"},
		{"?ä", "low.m3u8?%C3%A4&viewer=TOK", "high/index.m3u8?x=1&%C3%A4&viewer=TOK"},
	} {
		want := strings.NewReplacer("low.m3u8", c.low, "high/index.m3u8?x=1", c.high).Replace(variants)
		// What a cache would ask for: there is nothing to compare with.
		r := ask(t, s, "GET /live/all.m3u8"+c.query, "Accept-Encoding: gzip", `If-None-Match: "abc"`, "Range: bytes=0-3")
		differs(t, c.query+" status", r.StatusCode, 200)
		differs(t, c.query, bodyOf(t, r), want)
		differs(t, c.query+" length", r.Header.Get("Content-Length"), itoa(len(want)))
		head := ask(t, s, "HEAD /live/all.m3u8"+c.query)
		differs(t, c.query+" HEAD", head.Header.Get("Content-Length"), itoa(len(want)))
		differs(t, c.query+" HEAD body", bodyOf(t, head), "")
		for name, want := range map[string]string{
			"Cache-Control": "private, no-store", "Etag": "", "Last-Modified": "", "Content-Encoding": "", "Accept-Ranges": "",
			"Content-Type": "application/vnd.apple.mpegurl", "Access-Control-Allow-Origin": "*",
		} {
			differs(t, name, r.Header.Get(name), want)
		}
	}
	m.Full = []byte("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nonly.m3u8\n")
	live.set(dir+"/all.m3u8", m)
	differs(t, "all that there is", bodyOf(t, ask(t, s, "GET /live/all.m3u8", "User-Agent: AppleCoreMedia/1.0")), strings.Replace(string(m.Full), "only.m3u8", "only.m3u8?viewer=TOK", 1))
	if got := bodyOf(t, ask(t, s, "GET /live/all.m3u8", "User-Agent: VLC/3.0.18 LibVLC/3.0.18")); strings.Contains(got, "only") {
		t.Errorf("VLC has\n%s", got)
	}
	r := ask(t, s, "GET /cached/all.m3u8")
	differs(t, "no location makes it public", strings.Join(r.Header["Cache-Control"], "|"), "private, no-store")
	differs(t, "Expires", r.Header.Get("Expires"), "")
	differs(t, "own header", r.Header.Get("X-Own"), "y")
}

// A stream may begin between the look for its playlist and that for a file of the name:
// nobody gets the file, whose links are nobody's.
func TestAPlaylistThatComesMeanwhileIsMadeForItsViewer(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "live")
	write(t, dir, "all.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n", "own.m3u8", list)
	live := &fakeLive{dirs: map[string][]string{dir: {"all.m3u8"}}}
	late := &lateLive{fakeLive: live}
	m := playlist("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8\n")
	m.Kind = segstore.Master
	live.set(dir+"/all.m3u8", m)
	s := site(t, Deps{Live: late, Audience: &fakeAudience{token: "viewer=TOK"}}, locations(config.Location{Path: "/live", Root: value.Path(top)}))
	r := ask(t, s, "GET /live/all.m3u8?token=a")
	differs(t, "body", bodyOf(t, r), "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8?token=a&viewer=TOK\n")
	differs(t, "somebody's own playlist", bodyOf(t, ask(t, s, "GET /live/own.m3u8")), list)
	late.missed.Store(false)
	s = site(t, Deps{Live: late, Audience: &fakeAudience{denial: &viewers.Denial{Status: 403}}}, locations(config.Location{Path: "/live", Root: value.Path(top)}))
	differs(t, "refused", ask(t, s, "GET /live/all.m3u8").StatusCode, 403)
}

// lateLive does not find what is asked for first.
type lateLive struct {
	*fakeLive
	missed atomic.Bool
}

func (l *lateLive) Lookup(p string) (segstore.File, bool) {
	if !l.missed.Swap(true) {
		return segstore.File{}, false
	}
	return l.fakeLive.Lookup(p)
}
