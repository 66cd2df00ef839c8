package viewers

import (
	"cmp"
	"net/http"
	"net/netip"
	"time"

	"github.com/rtmpd/rtmpd/internal/quota"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Parameter is what the token of a viewer is called in a URL.
const Parameter = "viewer"

// A Visit is a request for a live playlist.
type Visit struct {
	File  segstore.File
	Addr  netip.Addr // of the client, as far as trusted proxies say
	Agent string     // User-Agent
	Query string     // as it came, without what Token is
	Token string     // of a playlist URL that rtmpd made, its Parameter; not checked
	Poll  bool       // somebody watches: not HEAD
	Now   time.Time

	Scope *quota.Scope // of the http block; nil: it has no limits, or calls the address local
	Local bool         // the http block calls the address local

	Path    string // of the URL
	Request Request
}

// A Request tells what only hooks need to know.
type Request interface {
	// Bearer returns the token of the Authorization header; empty: there is none.
	Bearer() string
	// Password returns the password of the Authorization header; empty: there is none.
	Password() string
	// Cookie returns the value of a cookie; empty: there is none.
	Cookie(name string) string
	// Referer returns the page that the viewer says it is on.
	Referer() string
	// PublicURL returns the public URL of the directory that a path of the site is in.
	PublicURL(path string) string
}

// A Grant is what the answer to a viewer's request for a playlist needs.
type Grant struct {
	// Links is what the URIs of the playlists that it names carry, besides the query of
	// the request.
	Links string
	Meter *Meter // counts what the viewer is sent; nil: nobody does
	// Cookie is a token that the viewer is to keep as a cookie; empty: none. CookieName
	// is its name, CookieUntil its end.
	Cookie, CookieName string
	CookieUntil        time.Time
}

// A Denial is why a viewer does not get a file.
type Denial struct {
	Status     int    // 403, 404, 503
	Reason     string // in plain text, for the viewer; empty: the status says it
	RetryAfter int    // seconds; 0: not said
	Login      bool   // a name and a password would help
	Full       bool   // there is no room: a place may become free
}

// Error is the reason.
func (d *Denial) Error() string { return cmp.Or(d.Reason, http.StatusText(d.Status)) }
