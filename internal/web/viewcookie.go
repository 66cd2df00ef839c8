package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/viewers"
)

// measure counts the answer for a viewer's session.
func (x *exchange) measure(m *viewers.Meter) {
	if m != nil && x.meter == nil {
		m.Begin()
		x.meter = m
	}
}

// Cookie implements viewers.Request. It allocates nothing.
func (x *exchange) Cookie(name string) string {
	for _, line := range x.r.Header["Cookie"] {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if n, v, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && n == name {
				return v
			}
		}
	}
	return ""
}

// setTokenCookie gives a viewer its token as a cookie, for the directory that it asks in. Over
// HTTPS only HTTPS sends it back. In a frame of another site it takes SameSite=None, and
// is kept for that site alone (Partitioned); without HTTPS browsers refuse that, and none
// is set.
func (x *exchange) setTokenCookie(g *viewers.Grant) {
	if g.Cookie == "" || x.Cookie(g.CookieName) == g.Cookie {
		return
	}
	c := &http.Cookie{
		Name: g.CookieName, Value: g.Cookie, MaxAge: max(1, int(g.CookieUntil.Sub(x.start)/time.Second)),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: x.isSecure(),
	}
	if x.r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		if !c.Secure {
			return
		}
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	if text := c.String(); text != "" {
		x.Header().Add("Set-Cookie", text)
	}
}

// isSecure reports whether the viewer's side of the connection is HTTPS.
func (x *exchange) isSecure() bool {
	if x.r.TLS != nil {
		return true
	}
	base, _ := x.site.PublicURL(x.r)
	return strings.HasPrefix(base, "https:")
}
