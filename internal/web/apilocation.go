package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"strings"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

// A scopedToken is a token of an api block.
type scopedToken struct {
	name   string
	hash   [sha256.Size]byte
	scopes []string
}

func scopedTokens(all []config.APIToken) []scopedToken {
	out := make([]scopedToken, len(all))
	for i, t := range all {
		out[i] = scopedToken{name: t.Name, hash: sha256.Sum256([]byte(t.Secret.Reveal())), scopes: t.Scopes}
		if t.SHA256 != nil {
			copy(out[i].hash[:], t.SHA256)
		}
	}
	return out
}

// findToken returns the token with that hash, or nil. Every one is compared, in constant
// time.
func findToken(all []scopedToken, hash [sha256.Size]byte) (found *scopedToken) {
	for i := range all {
		if subtle.ConstantTimeCompare(all[i].hash[:], hash[:]) == 1 {
			found = &all[i]
		}
	}
	return found
}

// serveAPI answers from an api location.
func (x *exchange) serveAPI(l *location, urlPath string) {
	h := x.Header()
	if l.cache != nil {
		h["Cache-Control"] = l.cache
	}
	l.setExtra(h)
	c := api.Caller{Path: strings.TrimPrefix(urlPath, strings.TrimSuffix(l.path, "/")), Scopes: config.Scopes, Address: x.client, Ending: x.site.ending}
	if x.user != "" {
		c.Name = x.user
	}
	if x.token != nil {
		c.Name, c.Scopes = x.token.name, x.token.scopes
	}
	if websocket.IsUpgrade(x.r) {
		x.whileHeld(l, func() { l.api(x, x.r, c) })
		return
	}
	l.api(x, x.r, c)
}
