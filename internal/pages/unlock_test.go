package pages

import (
	"net/http"
	"strings"
	"testing"
)

// TestAPageAsksForThePassphrase, and has a player once its address has the token.
func TestAPageAsksForThePassphrase(t *testing.T) {
	t.Parallel()
	s := live("cam")
	s.Locked, s.Guarded = true, true
	h, _ := handler(t, defaults(), s)
	for path, form := range map[string]bool{"/cam.html": true, "/embed/cam": true, "/cam.html?token=x": true, "/cam.html?token=TOKEN": false} {
		_, body := ask(t, h, "GET "+path)
		differs(t, path+" has a form", strings.Contains(body, `id="unlock"`), form)
		differs(t, path+" has a player", strings.Contains(body, `id="player"`), !form)
	}
	for word, want := range map[string]int{"open%20sesame": 200, "open sesame": 200, "wrong": 403, "again": 429, "": 400, "%zz": 400} {
		r, body := ask(t, h, "GET /unlock_cam.js", passphraseHeader+": "+word)
		differs(t, word, r.StatusCode, want)
		differs(t, word+": Cache-Control", r.Header.Get("Cache-Control"), "no-store")
		if want == http.StatusOK {
			differs(t, word, body, `{"token":"TOKEN"}`)
		}
	}
	r, _ := ask(t, h, "GET /unlock_cam.js", passphraseHeader+": open sesame", "Sec-Fetch-Site: cross-site")
	differs(t, "another site's page", r.StatusCode, http.StatusForbidden)
}
