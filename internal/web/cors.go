package web

import (
	"net/http"
	"slices"
)

// cors says which web pages of other origins may read the answers.
type cors struct {
	any     bool
	origins []string
}

// newCORS returns the rules for origins. nil stands for the default: every origin for
// files and players (streams are made to be embedded), none for the rest.
func newCORS(origins []string, public bool) cors {
	if origins == nil && public {
		return cors{any: true}
	}
	return cors{any: slices.Contains(origins, "*"), origins: origins}
}

// A player may read these headers (hls.js measures bandwidth, others read the date).
// The slices are shared by all answers.
var (
	corsAny     = []string{"*"}
	corsExpose  = []string{"Content-Length, Content-Range, Date, ETag, Last-Modified"}
	corsMethods = []string{"GET, HEAD, OPTIONS"}
	corsHeaders = []string{"Authorization, Cache-Control, CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status, If-Modified-Since, If-None-Match, If-Range, Range, *"}
	corsAge     = []string{"86400"}
	varyOrigin  = []string{"Origin"}
)

// set writes the headers of every answer, errors included: without them a player
// can't tell a 404 from a network failure.
func (c cors) set(h http.Header, origin string) {
	switch {
	case c.any:
		h["Access-Control-Allow-Origin"] = corsAny
	case len(c.origins) == 0:
		return
	default:
		h["Vary"] = varyOrigin
		if !c.allows(origin) {
			return
		}
		h["Access-Control-Allow-Origin"] = []string{origin}
	}
	h["Access-Control-Expose-Headers"] = corsExpose
}

// allows reports whether pages of an origin may read the answers.
func (c cors) allows(origin string) bool { return c.any || slices.Contains(c.origins, origin) }

// preflight answers OPTIONS; l may be nil. No credentials come with one, so it comes
// before they are asked for. The headers attribute is part of it: a browser sends
// credentials only if Access-Control-Allow-Credentials is in both answers.
func (x *exchange) preflight(l *location) {
	h := x.Header()
	if h["Access-Control-Allow-Origin"] != nil && x.r.Header.Get("Access-Control-Request-Method") != "" {
		h["Access-Control-Allow-Methods"] = corsMethods
		h["Access-Control-Allow-Headers"] = corsHeaders
		h["Access-Control-Max-Age"] = corsAge
	}
	h["Allow"] = corsMethods
	if l != nil {
		for _, a := range l.onError {
			h[a.name] = a.value
		}
	}
	x.WriteHeader(http.StatusNoContent)
}
