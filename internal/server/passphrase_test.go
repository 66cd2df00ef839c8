package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const withPassphrase = `tokens {
      passphrase     = "three Wörter here"
      passphrase_for = "2h"
    }`

// header asks for a path with headers, as a watcher at an address.
func (w watcher) header(path string, headers ...string) page {
	w.rig.Helper()
	req, err := http.NewRequest("GET", w.rig.web()+path, nil)
	if err != nil {
		w.rig.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", w.addr)
	req.Header.Set("User-Agent", w.agent)
	for _, line := range headers {
		name, text, _ := strings.Cut(line, ": ")
		req.Header.Set(name, text)
	}
	req.Close = true
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.rig.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.rig.Fatal(err)
	}
	return page{resp.StatusCode, string(b), resp.Header}
}

// TestAPassphraseOpensAStream: by the form of the page, in the URL, as a password; whoever
// guesses is stopped, and a new passphrase ends what the old one gave.
func TestAPassphraseOpensAStream(t *testing.T) {
	t.Parallel()
	config := strings.Replace(watched(withPassphrase), "  location", `  location "/watch" {
    player {}
  }
  location`, 1)
	r := start(t, config)
	r.show(t, "cam")
	word := url.PathEscape("three Wörter here")
	a := r.watcher("198.51.100.1")
	a.gets("/watch/cam.html", 200, `id="unlock"`)
	a.gets("/live/cam.m3u8", 401, "valid link")
	if p := a.header("/live/cam.m3u8", "Sec-Fetch-Mode: cors"); p.status != 403 || p.header.Get("Www-Authenticate") != "" {
		t.Errorf("the script of a page gets %d, %q: a browser would ask for a password", p.status, p.header.Get("Www-Authenticate"))
	}
	p := a.header("/watch/unlock_cam.js", "X-Passphrase: "+word)
	var given struct{ Token string }
	if err := json.Unmarshal([]byte(p.body), &given); err != nil || p.status != 200 {
		t.Fatalf("the form gets %d %q", p.status, p.body)
	}
	said := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(given.Token, said); err != nil {
		t.Fatal(err)
	}
	if end, err := said.GetExpirationTime(); err != nil || time.Until(end.Time) < time.Hour || time.Until(end.Time) > 2*time.Hour {
		t.Errorf("the token ends at %v, %v, want in 2 h", end, err)
	}
	a.gets("/watch/cam.html?token="+given.Token, 200, `id="player"`)
	a.gets("/live/cam.m3u8?token="+given.Token, 200, "#EXTM3U")
	a.gets("/live/cam-0.ts", 200, "")

	vlc := r.watcher("198.51.100.2")
	vlc.agent = "VLC/3.0.21 LibVLC/3.0.21"
	if p := vlc.header("/live/cam.m3u8"); p.status != 401 || !strings.HasPrefix(p.header.Get("Www-Authenticate"), "Basic ") {
		t.Errorf("VLC is not asked for a password: %d, %v", p.status, p.header)
	}
	login := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("anybody:three Wörter here"))
	for _, path := range []string{"/live/cam.m3u8", "/live/cam-0.ts"} {
		if p := vlc.header(path, login); p.status != 200 {
			t.Errorf("with the password %s: %d", path, p.status)
		}
	}
	typed := r.watcher("198.51.100.3")
	typed.gets("/live/cam.m3u8?passphrase="+url.QueryEscape(" three Wo\u0308rter here "), 200, "#EXTM3U") // as a Mac types it
	typed.gets("/live/cam-0.ts", 200, "")
	player := r.spectate("live", "cam?passphrase="+word, dialling{})
	player.first()
	if st := r.spectate("live", "cam?passphrase=four", dialling{}).told(); st.Code != rtmp.StatusPlayFailed {
		t.Errorf("over RTMP a wrong passphrase gets %+v", st)
	}

	guesser := r.watcher("198.51.100.66")
	for range 10 {
		if p := guesser.header("/watch/unlock_cam.js", "X-Passphrase: wrong"); p.status != 403 {
			t.Fatalf("a wrong passphrase gets %d", p.status)
		}
	}
	if p := guesser.header("/watch/unlock_cam.js", "X-Passphrase: "+word); p.status != 429 {
		t.Errorf("the eleventh guess in a minute gets %d, want 429 even if it is right", p.status)
	}
	guesser.gets("/live/cam.m3u8?passphrase="+word, 401, "valid link")

	r.reload(strings.Replace(config, "three Wörter here", "another one by now", 1))
	a.gets("/live/cam.m3u8?token="+given.Token, 401, "valid link")
	if st := player.told(); !strings.Contains(st.Description, "not valid any more") {
		t.Errorf("the player is told %+v", st)
	}
	for _, secret := range []string{"three", given.Token} {
		if strings.Contains(r.allText(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

// TestTokensOfAnIdentityProvider: a key set is a file, read again as it changes; what is wrong
// with it later leaves the keys that were there.
func TestTokensOfAnIdentityProvider(t *testing.T) {
	t.Parallel()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"` + base64.RawURLEncoding.EncodeToString(pub) + `"}]}`
	r := newRig(t)
	r.write("jwks.json", set)
	config := watched(`tokens {
      jwks     = "$DIR/jwks.json"
      issuer   = "https://id.example"
      audience = "rtmpd"
      claim    = "may_watch"
    }`)
	r.cfg = r.load(config)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	r.show(t, "cam")
	claims := func(change ...any) jwt.MapClaims {
		c := jwt.MapClaims{"iss": "https://id.example", "aud": []string{"rtmpd", "x"}, "may_watch": []string{"cam"}, "exp": time.Now().Add(time.Hour).Unix(), "sub": "anna"}
		for i := 0; i < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
		}
		return c
	}
	token := func(c jwt.MapClaims) string {
		text, err := jwt.NewWithClaims(jwt.SigningMethodEdDSA, c).SignedString(priv)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	a := r.watcher("198.51.100.1")
	good := token(claims())
	a.gets("/live/cam.m3u8?token="+good, 200, "#EXTM3U")
	a.gets("/live/cam.m3u8?token="+r.token("cam", time.Hour, false), 200, "#EXTM3U") // of rtmpd token new
	for name, c := range map[string]jwt.MapClaims{
		"another issuer":   claims("iss", "https://evil.example"),
		"another audience": claims("aud", "mail"),
		"another stream":   claims("may_watch", "cam2"),
		"another claim":    claims("may_watch", nil, "stream", "cam"),
		"expired":          claims("exp", time.Now().Add(-time.Minute).Unix()),
	} {
		if p := a.get("/live/cam.m3u8?token=" + token(c)); p.status != 403 {
			t.Errorf("a token of %s: %d", name, p.status)
		}
	}
	for _, broken := range []string{"", "{", `{"keys":[]}`} {
		r.write("jwks.json", broken)
		r.reload(config)
		a.gets("/live/cam.m3u8?token="+good, 200, "#EXTM3U")
	}
	if err := os.Remove(filepath.Join(r.dir, "jwks.json")); err != nil {
		t.Fatal(err)
	}
	r.reload(config)
	a.gets("/live/cam.m3u8?token="+good, 200, "#EXTM3U")
	other, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.write("jwks.json", strings.Replace(set, base64.RawURLEncoding.EncodeToString(pub), base64.RawURLEncoding.EncodeToString(other), 1))
	if plan := r.reload(config); plan.Empty() {
		t.Error("a reload with another key set changes nothing")
	}
	a.gets("/live/cam.m3u8?token="+good, 403, "valid link")
}
