package web

import (
	_ "embed"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// The page of who waits for a place. Its style and script have the address of the playlist
// that was asked for, whatever that is to the outside, with a query of their own.
var (
	//go:embed wait.html
	waitPage string
	//go:embed wait.css
	waitStyle string
	//go:embed wait.js
	waitScript string
)

const (
	waitStyleQuery  = "rtmpd-wait.css"
	waitScriptQuery = "rtmpd-wait.js"
	waitPolicy      = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'"
)

// serveWaitFile answers a request for a file of the page; false: it is none.
func (x *exchange) serveWaitFile() bool {
	var body, kind string
	switch x.r.URL.RawQuery {
	case waitStyleQuery:
		body, kind = waitStyle, "text/css; charset=utf-8"
	case waitScriptQuery:
		body, kind = waitScript, "text/javascript; charset=utf-8"
	default:
		return false
	}
	h := x.Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "max-age=3600")
	h.Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = x.Write([]byte(body))
	}
	return true
}

// serveWait answers a browser that opened the address of a playlist or of a progressive
// output, for whom there is no room, with a page that tries again. Once there is room it goes
// on to the page of the stream: a browser would save a playlist as a file. Without such a page
// it plays the address itself, if the browser can. It reports whether it was such a browser.
func (x *exchange) serveWait(l *location, lf segstore.File, d *viewers.Denial) bool {
	if x.r.Method != http.MethodGet || !wantsHTML(x.r.Header.Get("Accept")) {
		return false
	}
	h := x.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h["Cache-Control"] = cachePersonal
	h.Set("Content-Security-Policy", waitPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	x.WriteHeader(d.Status)
	_, _ = fmt.Fprintf(x, waitPage, waitStyleQuery, waitScriptQuery, max(d.RetryAfter, 1), html.EscapeString(x.streamPage(l, lf)))
	return true
}

// streamPage is the page of the stream of lf in a player location of the site, relative to
// the request, because a proxy may take a prefix off; empty: there is none for this client.
// l is where lf is.
func (x *exchange) streamPage(l *location, lf segstore.File) (page string) {
	x.site.table.all(func(p *location) bool {
		if p.pages == nil || p.exact || !x.mayWatch(l, p) || !x.mayWatch(p, l) {
			return true
		}
		if of := p.cfg.Player.Applications; len(of) > 0 && !slices.Contains(of, lf.App) {
			return true
		}
		path := strings.TrimSuffix(p.path, "/") + "/" + lf.Stream + ".html"
		if x.site.table.match(path) != p {
			return true
		}
		up := strings.Repeat("../", strings.Count(x.r.URL.Path, "/")-1) // as the browser counts: it does not know that slashes were merged
		page = up + strings.TrimPrefix((&url.URL{Path: path}).EscapedPath(), "/") + "?app=" + url.QueryEscape(lf.App)
		return false
	})
	if page != "" && !strings.HasPrefix(page, "../") {
		page = "./" + page // a colon in the name makes no scheme of it
	}
	return page
}

// wantsHTML reports whether a header Accept names HTML, as that of a browser does that
// opens an address.
func wantsHTML(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		kind, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(kind), "text/html") {
			return true
		}
	}
	return false
}
