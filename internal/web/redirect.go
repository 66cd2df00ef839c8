package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// serveRedirect redirects to the URL of the configuration. The path and query of the
// request are not added.
//
// The status is 302: a browser keeps a 301 or 308 for ever, but the next reload may
// remove the location. Only GET and HEAD get here, so 307 would keep nothing more.
func (x *exchange) serveRedirect(l *location, _ string) {
	h := x.Header()
	target := l.redirect
	l.setCache(h, cacheNo)
	if strings.HasPrefix(target, "/") && !strings.HasPrefix(target, "//") {
		// A path on this server: behind a proxy that strips a prefix the browser needs the prefix.
		base, fromHeader := x.site.PublicURL(x.r)
		if fromHeader {
			MarkPrivate(h)
		}
		if fromHeader || strings.Count(base, "/") > 2 {
			target = base + target
		}
	}
	l.setExtra(h)
	h["Location"] = []string{target}
	h["Content-Type"] = typeText
	x.WriteHeader(http.StatusFound)
	if x.r.Method == http.MethodGet {
		_, _ = x.Write([]byte(target + "\n"))
	}
}

// toTLS redirects every request of a plain listener when tls.redirect is set.
func (x *exchange) toTLS() {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.Header()["Allow"] = []string{"GET, HEAD"}
		x.fail(nil, http.StatusMethodNotAllowed, "this port only leads to https")
		return
	}
	host := hostOnly(x.r.Host)
	if !http1.ValidHost(x.r.Host) || !strings.HasPrefix(x.r.RequestURI, "/") {
		x.fail(nil, http.StatusBadRequest, "")
		return
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if p := x.site.tlsPort; p != 0 && p != 443 {
		host += ":" + strconv.Itoa(int(p))
	}
	h := x.Header()
	h["Cache-Control"] = cacheNo
	h["Location"] = []string{"https://" + host + x.r.RequestURI}
	x.WriteHeader(http.StatusFound)
}
