package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// notLocal returns why the request does not come from this machine, or "" if it does.
// A loopback peer alone proves nothing: it may be a proxy that serves the whole world,
// or a browser on this machine that shows a page of another site (which can neither
// choose the Host of its own origin nor hide its Origin).
func (x *exchange) notLocal() string {
	switch {
	case !x.peer.IsLoopback():
		return "the request comes from another machine"
	case x.conn != nil && x.conn.proxied:
		return "it came with a PROXY header"
	case x.r.ProtoMajor == 1 && x.r.ProtoMinor == 0:
		return "it came by HTTP/1.0, as from a proxy that does not say whom it speaks for (nginx's plain proxy_pass)"
	}
	for name := range x.r.Header {
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), name == "Forwarded", name == "X-Real-Ip", name == "Via", name == "X-Mst-Path":
			return "it came through a proxy (it has " + name + ")"
		}
	}
	if host := hostName(x.r); !isAddress(host) && host != "localhost" {
		return "its Host is neither localhost nor an address"
	}
	if crossSite(x) {
		return "it comes from a page of another origin"
	}
	return ""
}

// hostName returns the Host of the request without its port.
func hostName(r *http.Request) string {
	return strings.TrimSuffix(strings.ToLower(hostOnly(r.Host)), ".")
}

func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// fromOtherSite returns why a request that acts may come from a page of another site, in
// the browser of a user who may act; "" if it does not. A bearer token is proof
// enough: no page can make a browser send one without a preflight.
func (x *exchange) fromOtherSite(l *location) string {
	switch {
	case crossSite(x):
		return "it comes from a page of another origin"
	case l.bearer() && len(l.users) == 0:
		return ""
	case !x.ownName():
		return "its Host is neither an address nor a name of this server: a name that somebody else chose may lead here (DNS rebinding). " +
			"Add the name to public_url, or give the location a token"
	case x.nameless():
		return "it comes from a browser and does not say from which page: use a page of this site, or a program like curl"
	}
	return ""
}

// ownName reports whether the Host can't be a name that an attacker's DNS points here:
// it is an address, a name without a dot, which the public DNS does not have, or one
// of public_url.
func (x *exchange) ownName() bool {
	host := hostName(x.r)
	if isAddress(host) || !strings.Contains(host, ".") {
		return true
	}
	return slices.ContainsFunc(x.site.proxy.public, func(u publicURL) bool { return strings.EqualFold(hostOnly(u.host), host) })
}

// nameless reports whether a browser sent a request without naming its origin in a
// header. Browsers omit Sec-Fetch-Site without TLS, and Origin when they fetch an
// image; calls by the page itself have a Referer.
func (x *exchange) nameless() bool {
	h := x.r.Header
	if !strings.HasPrefix(h.Get("User-Agent"), "Mozilla/") || h.Get("Sec-Fetch-Site") != "" || h.Get("Origin") != "" {
		return false
	}
	u, err := url.Parse(h.Get("Referer"))
	return err != nil || !strings.EqualFold(u.Host, x.r.Host)
}

// crossSite reports whether a page of another origin sent the request.
func crossSite(x *exchange) bool {
	if v := x.r.Header.Get("Sec-Fetch-Site"); v == "cross-site" || v == "same-site" {
		return true
	}
	origin := x.r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	return err != nil || !strings.EqualFold(u.Host, x.r.Host)
}

// localOnly returns the text of the refusal.
func localOnly(path, why string) string {
	return fmt.Sprintf(`403 forbidden

%s answers only requests from this machine itself: %s.
To open it to others, give its location one of

  access     = ["allow 192.0.2.0/24", "deny all"]
  token      = "..."
  basic_auth = { admin = "$2y$..." }
`, path, why)
}
