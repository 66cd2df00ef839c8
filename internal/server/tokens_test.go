package server

import (
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
	"github.com/rtmpd/rtmpd/internal/viewers"
	"github.com/rtmpd/rtmpd/internal/viewtoken"
)

// Two keys for tokens.
const (
	tokenKey    = "0123456789abcdef0123456789abcdef"
	newTokenKey = "fedcba9876543210fedcba9876543210"
)

// token makes a token for a stream of application live, as rtmpd token new does.
func (r *rig) token(stream string, lasts time.Duration, once bool) string {
	r.Helper()
	text, err := origin.NewToken(r.cfg, "live", viewtoken.Claims{
		ID: viewtoken.NewID(), Streams: []string{stream}, Expires: time.Now().Add(lasts), Once: once,
	})
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// signed makes a token of the application live with a key of the test's own.
func signed(t testing.TB, id, secret string, c viewtoken.Claims) string {
	t.Helper()
	text, err := viewtoken.Sign(viewtoken.NewSecret(id, []byte(secret)), c, "")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

const withTokens = "tokens {}"

// TestATokenOpensItsStreamAndNothingElseDoes: over HTTP, in every place that a token may
// stand in, and what is wrong gets one answer.
func TestATokenOpensItsStreamAndNothingElseDoes(t *testing.T) {
	t.Parallel()
	r := showing(t, withTokens)
	a := r.watcher("198.51.100.1")
	good := r.token("cam", time.Hour, false)
	const no = "this stream needs a valid link"

	a.gets("/live/cam.m3u8", 403, no)
	a.gets("/live/cam-0.ts", 403, "the playlist comes first")
	list := a.gets("/live/cam.m3u8?token="+good, 200, "#EXTM3U")
	if list.body != r.read("www/live/cam.m3u8") {
		t.Error("the playlist is not the one on disk: caches would have one for each viewer")
	}
	if c := list.header.Get("Cache-Control"); !strings.HasPrefix(c, "private") {
		t.Errorf("a shared cache may keep the playlist: Cache-Control %q", c)
	}
	a.gets("/live/cam-0.ts", 200, "")
	r.counted("cam", 1, 1, 1)
	roams := r.watcher("198.51.100.2")
	roams.gets("/live/cam-0.ts", 403, "the playlist comes first")
	roams.gets("/live/cam-0.ts?token="+good[1:], 403, "the playlist comes first")
	roams.gets("/live/cam-0.ts?token="+good, 200, "")
	roams.gets("/live/cam-0.ts?token="+r.token("cam2", time.Hour, false), 403, "the playlist comes first")
	roams.bearer = good
	roams.gets("/live/cam-1.ts", 200, "")
	r.counted("cam", 1, 1, 1)

	dot := strings.LastIndexByte(good, '.')
	for what, query := range map[string]string{
		"expired":                  "token=" + r.token("cam", -time.Second, false),
		"for another stream":       "token=" + r.token("cam2", time.Hour, false),
		"for its wildcard streams": "token=" + r.token("cam+*", time.Hour, false),
		"for another application":  "token=" + signed(t, "", tokenKey, viewtoken.Claims{App: "show", Streams: []string{"cam"}, Expires: time.Now().Add(time.Hour)}),
		"signed by somebody":       "token=" + signed(t, "", tokenKey, viewtoken.Claims{App: "live", Streams: []string{"cam"}, Expires: time.Now().Add(time.Hour)}),
		"without a signature":      "token=" + good[:dot+1],
		"with another signature":   "token=" + good[:dot+1] + strings.Repeat("A", len(good)-dot-1),
		"of alg none":              "token=eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".",
		"cut":                      "token=" + good[:len(good)-1],
		"empty":                    "token=",
		"two different ones":       "token=" + good + "&token=" + good[:dot],
		"the other one escaped":    "%74oken=" + good[:dot] + "&token=" + good,
		"by another name":          "access=" + good,
		"in capitals":              "TOKEN=" + good,
		"a bad escape":             "token=%zz",
		"the stream key":           "key=" + good,
	} {
		p := r.watcher("198.51.100.9").gets("/live/cam.m3u8?"+query, 403, no)
		if p.body != no+": ask whoever gave you this one for a new one\n" {
			t.Errorf("a token %s: a stranger is told %q", what, p.body)
		}
	}
	for what, path := range map[string]string{
		"escaped":         "?%74oken=" + strings.ReplaceAll(good, ".", "%2E"),
		"twice the same":  "?token=" + good + "&token=" + good,
		"MistServer's":    "?tkn=" + good,
		"its other one":   "?jwt=" + good,
		"among others":    "?a=b&token=" + good + "&_HLS_skip=YES",
		"of all streams":  "?token=" + r.token("*", time.Hour, false),
		"of some streams": "?token=" + r.token("c?m", time.Hour, false),
	} {
		if p := r.watcher("198.51.100.3").get("/live/cam.m3u8" + path); p.status != 200 {
			t.Errorf("%s: %d %s", what, p.status, p.body)
		}
	}
	if text := r.allText(); strings.Contains(text, good) || strings.Contains(text, good[:dot]) {
		t.Error("the log has a token")
	}
	r.logged("viewer refused", "the token has expired")
	r.logged("viewer refused", "the token is for another stream")
	r.logged("viewer refused", "no key fits the token's signature")
}

// TestATokenForOneViewerIsTheFirstOnes: a link that is passed on opens nothing.
func TestATokenForOneViewerIsTheFirstOnes(t *testing.T) {
	t.Parallel()
	r := showing(t, withTokens)
	link := "/live/cam.m3u8?token=" + r.token("cam", time.Hour, true)
	a := r.watcher("198.51.100.1")
	for range 3 {
		a.gets(link, 200, "#EXTM3U")
	}
	r.watcher("198.51.100.2").gets(link, 403, "valid link")
	other := a
	other.agent = "Other/2"
	other.gets(link, 403, "valid link")
	a.gets(link, 200, "#EXTM3U")
	r.logged("viewer refused", "another viewer has used the token")
	if b, err := os.ReadFile(filepath.Join(string(r.cfg.StateDir), "once-tokens")); err != nil || strings.Count(string(b), "\n") != 1 {
		t.Errorf("the state directory remembers %q: %v", b, err)
	}
	if st := r.spectate("live", "cam?"+link[strings.Index(link, "token="):], dialling{}).told(); st.Code != rtmp.StatusPlayFailed {
		t.Errorf("over RTMP the used token gets %+v", st)
	}
}

// TestRTMPPlayersNeedATokenToo, and lose their place with it.
func TestRTMPPlayersNeedATokenToo(t *testing.T) {
	t.Parallel()
	r := showing(t, "tokens {\novertime = 0\n}")
	for _, name := range []string{"cam", "cam?token=nonsense", "cam?token=" + r.token("cam2", time.Hour, false)} {
		st := r.spectate("live", name, dialling{}).told()
		if st.Code != rtmp.StatusPlayFailed || !strings.Contains(st.Description, "valid link") {
			t.Errorf("%s is told %+v", name, st)
		}
	}
	stays := r.spectate("live", "cam?token="+r.token("cam", time.Hour, false), dialling{})
	stays.first()
	ends := r.spectate("live", "cam?token="+r.token("cam", 10*time.Second, false), dialling{})
	ends.first()
	if st := ends.told(); st.Code != rtmp.StatusPlayFailed || !strings.Contains(st.Description, "has expired") {
		t.Errorf("at the end of its token a player is told %+v", st)
	}
	if n := r.players("live", "cam"); n != 1 {
		t.Errorf("%d players, want the one whose token is valid", n)
	}
}

// TestWhoWatchesGoesOnForOvertime: a film is not cut where the link ends, and nobody begins
// after that.
func TestWhoWatchesGoesOnForOvertime(t *testing.T) {
	t.Parallel()
	r := showing(t, "tokens {\novertime = \"1h\"\n}\nsessions {\ntimeout = \"1d\"\n}")
	lf, _ := r.srv.origin.Directories().Lookup(filepath.Join(r.dir, "www/live/cam.m3u8"))
	query, began := "token="+r.token("cam", time.Hour, false), time.Now()
	for _, c := range []struct {
		addr  string
		after time.Duration
		ok    bool
	}{
		{"198.51.100.1", 0, true},
		{"198.51.100.1", 90 * time.Minute, true},
		{"198.51.100.2", 90 * time.Minute, false},
		{"198.51.100.1", 110 * time.Minute, true},
		{"198.51.100.1", 121 * time.Minute, false},
	} {
		_, err := r.srv.origin.Audience().Playlist(t.Context(), viewers.Visit{
			File: lf, Addr: netip.MustParseAddr(c.addr), Agent: "Player/1.0", Query: query, Poll: true, Now: began.Add(c.after), Path: "/live/cam.m3u8", Request: quietRequest{},
		})
		if (err == nil) != c.ok {
			t.Errorf("%s, %s after the link was made for 1 h: %v, want %t", c.addr, c.after, err, c.ok)
		}
	}
}

// TestKeysOfTokensAreReplacedWithoutANight: the new key signs, the old one still opens, until
// it is taken out; then its RTMP players end as well.
func TestKeysOfTokensAreReplacedWithoutANight(t *testing.T) {
	t.Parallel()
	const block = `tokens {
      key "new" {
        secret = "` + newTokenKey + `"
      }
      key "old" {
        secret = "` + tokenKey + `"
      }
    }`
	before := strings.Replace(block, "\n      key \"new\" {\n        secret = \""+newTokenKey+"\"\n      }", "", 1)
	after := strings.Replace(block, "\n      key \"old\" {\n        secret = \""+tokenKey+"\"\n      }", "", 1)
	r := showing(t, before)
	old := r.token("cam", time.Hour, false)
	player := r.spectate("live", "cam?token="+old, dialling{})
	player.first()
	a := r.watcher("198.51.100.1")
	a.gets("/live/cam.m3u8?token="+old, 200, "#EXTM3U")

	r.reload(watched(block))
	young := r.token("cam", time.Hour, false)
	for _, token := range []string{old, young} {
		a.gets("/live/cam.m3u8?token="+token, 200, "#EXTM3U")
	}
	if n := r.players("live", "cam"); n != 1 {
		t.Errorf("%d players after the new key, want 1", n)
	}

	plan := r.reload(watched(after))
	a.gets("/live/cam.m3u8?token="+old, 403, "valid link")
	a.gets("/live/cam.m3u8?token="+young, 200, "#EXTM3U")
	if st := player.told(); !strings.Contains(st.Description, "not valid any more") {
		t.Errorf("the player of the old key is told %+v; the plan was %v", st, plan)
	}
}

// TestTokensHereAndNotThere: a stream block may leave tokens out, or bring them in.
func TestTokensHereAndNotThere(t *testing.T) {
	t.Parallel()
	r := showing(t, `tokens {}
    stream "free*" {
      tokens {
        enabled = false
      }
    }`)
	r.show(t, "free1")
	a := r.watcher("198.51.100.1")
	a.gets("/live/free1.m3u8", 200, "#EXTM3U")
	a.gets("/live/free1-0.ts", 200, "")
	a.gets("/live/cam.m3u8", 403, "valid link")
	a.gets("/live/cam-0.ts", 403, "playlist comes first")
}

// TestTheLinksOfAMultivariantPlaylistCarryTheToken, also one that came in a header: players
// do not repeat it.
func TestTheLinksOfAMultivariantPlaylistCarryTheToken(t *testing.T) {
	t.Parallel()
	r := start(t, strings.Replace(watched("tokens {}"), `fragment        = "1s"`, `fragment        = "1s"
      variant "_hi" {}
      variant "_low" {}`, 1))
	r.show(t, "show_hi")
	r.show(t, "show_low")
	token := r.token("show", time.Hour, false)
	a := r.watcher("198.51.100.1")
	a.gets("/live/show.m3u8", 403, "valid link")
	list := a.gets("/live/show.m3u8?token="+token, 200, "show_hi.m3u8?token="+token+"&viewer=")
	for _, uri := range fragmentOf.FindAllString(list.body, -1) {
		a.gets("/live/"+uri, 200, "#EXTINF")
	}
	bearer := a
	bearer.bearer = token
	list = bearer.gets("/live/show.m3u8", 200, "show_low.m3u8?viewer=")
	for _, uri := range fragmentOf.FindAllString(list.body, -1) {
		if u, err := url.Parse(uri); err != nil || u.Query().Get("token") != token {
			t.Errorf("%s does not carry the token of the header", uri)
		}
		a.gets("/live/"+uri, 200, "#EXTINF")
	}
}
