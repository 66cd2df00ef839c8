package web

import (
	"net/http"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/pages"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// Who waits for a place goes on to the page of the stream, if there is one for who can have
// its playlist.
func TestWhoWaitsGoesOnToThePageOfTheStream(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "live")
	write(t, dir, "own.txt", "x")
	live := &fakeLive{dirs: map[string][]string{dir: nil}}
	for _, name := range []string{"test", "base+a:b", "größe"} {
		f := playlist(list)
		f.App, f.Stream = "show", name
		live.set(dir+"/"+name+".m3u8", f)
		live.set(dir+"/"+name+"/index.m3u8", f)
	}
	live.set(dir+"/test-1.ts", segstore.File{App: "show", Stream: "test", Kind: segstore.Segment})
	player := func(config.Player) (PageFunc, error) {
		return func(w http.ResponseWriter, _ *http.Request, _ pages.Visit) { w.WriteHeader(http.StatusNoContent) }, nil
	}
	files := config.Location{Path: "/tv/live", Alias: value.Path(dir)}
	guarded, guardedFiles := config.Location{Path: "/watch", Token: "secret-word", Player: &config.Player{}}, files
	guardedFiles.Token = "secret-word"
	watch := config.Location{Path: "/watch", Player: &config.Player{}}
	for _, c := range []struct {
		name, path, want string
		locations        []config.Location
	}{
		{"no page", "/tv/live/test.m3u8", "", []config.Location{files}},
		{"page", "/tv/live/test.m3u8?token=a", "../../watch/test.html?app=show", []config.Location{files, watch}},
		{"page of all that is no other", "/tv/live/test.m3u8", "../../test.html?app=show", []config.Location{files, {Path: "/", Player: &config.Player{}}}},
		{"a page below", "/tv/live/test.m3u8", "../../tv/live/watch/test.html?app=show", []config.Location{files, {Path: "/tv/live/watch/", Player: &config.Player{}}}},
		{"deeper", "/tv/live/test/index.m3u8", "../../../watch/test.html?app=show", []config.Location{files, watch}},
		{"slashes", "/tv//live/test.m3u8", "../../../watch/test.html?app=show", []config.Location{files, watch}},
		{"beside it", "/test.m3u8", "./watch/test.html?app=show", []config.Location{{Path: "/", Alias: value.Path(dir)}, watch}},
		{"fragment", "/tv/live/test-1.ts", "../../watch/test.html?app=show", []config.Location{files, watch}},
		{"wildcard", "/tv/live/base+a:b.m3u8", "../../watch/base+a:b.html?app=show", []config.Location{files, watch}},
		{"other letters", "/tv/live/gr%C3%B6%C3%9Fe.m3u8", "../../watch/gr%C3%B6%C3%9Fe.html?app=show", []config.Location{files, watch}},
		{"page of another application", "/tv/live/test.m3u8", "", []config.Location{files, {Path: "/watch", Player: &config.Player{Applications: []string{"other"}}}}},
		{"page for others", "/tv/live/test.m3u8", "", []config.Location{files, {Path: "/watch", Access: value.Rules{{All: true}}, Player: &config.Player{}}}},
		{"page that can't name it", "/tv/live/test.m3u8", "", []config.Location{guardedFiles, watch}},
		{"both guarded", "/tv/live/test.m3u8", "../../watch/test.html?app=show", []config.Location{guardedFiles, guarded}},
	} {
		full := &viewers.Denial{Status: 503, RetryAfter: 5, Full: true}
		s := site(t, Deps{Live: live, Player: player, Audience: &fakeAudience{denial: full}}, locations(c.locations...))
		r := ask(t, s, "GET "+c.path, "Accept: text/html,*/*;q=0.8", "Authorization: Bearer secret-word")
		body := bodyOf(t, r)
		m := regexp.MustCompile(`<body data-again="5" data-page="([^"]*)">`).FindStringSubmatch(body)
		if r.StatusCode != 503 || m == nil {
			t.Errorf("%s: %d\n%s", c.name, r.StatusCode, body)
			continue
		}
		differs(t, c.name, m[1], c.want)
		differs(t, c.name+", a player", bodyOf(t, ask(t, s, "GET "+c.path, "Authorization: Bearer secret-word")), "Service Unavailable\n")
	}
}
