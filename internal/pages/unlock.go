package pages

import (
	"errors"
	"net/http"
	"net/url"
)

// passphraseHeader is where the form of a page puts what was typed, escaped as in a URL. No
// log has it.
const passphraseHeader = "X-Passphrase"

// serveUnlock answers the form of a page with a token.
func (h *Handler) serveUnlock(w http.ResponseWriter, r *http.Request, v Visit, s Stream) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" { // its visitors would guess for it
		http.Error(w, "a page of another site can't ask", http.StatusForbidden)
		return
	}
	word, err := url.PathUnescape(r.Header.Get(passphraseHeader))
	if err != nil || word == "" || r.Method != http.MethodGet {
		http.Error(w, "the form of the page sends a passphrase here", http.StatusBadRequest)
		return
	}
	token, err := h.streams.Unlock(s.App, s.Name, word, v.Client)
	switch {
	case errors.Is(err, ErrTooMany):
		header.Set("Retry-After", "60")
		http.Error(w, err.Error(), http.StatusTooManyRequests)
	case err != nil:
		http.Error(w, ErrLocked.Error(), http.StatusForbidden)
	default:
		sendText(w, r, "application/json", encode(map[string]string{"token": token}))
	}
}
