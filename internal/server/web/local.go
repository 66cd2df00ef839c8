package web

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// notLocal says why the request does not come from this machine, or "" if it
// does. A loopback peer alone proves nothing: it may be a proxy that speaks for
// the whole world, or a browser here that runs a stranger's page (which can
// neither choose the Host of its own origin nor hide its Origin).
func (x *exchange) notLocal() string {
	switch {
	case !x.peer.IsLoopback():
		return "the request comes from another machine"
	case x.conn != nil && x.conn.proxied:
		return "it came with a PROXY header"
	}
	for name := range x.r.Header {
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), name == "Forwarded", name == "X-Real-Ip", name == "Via", name == "X-Mst-Path":
			return "it came through a proxy (it has " + name + ")"
		}
	}
	host := strings.TrimSuffix(strings.ToLower(hostOnly(x.r.Host)), ".")
	if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
		return "its Host is neither localhost nor an address"
	}
	if crossSite(x) {
		return "it comes from a page of another origin"
	}
	return ""
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

// localOnly is what the refused are told.
func localOnly(path, why string) string {
	return fmt.Sprintf(`403 forbidden

%s answers only requests from this machine itself: %s.
To open it to others, give its location one of

  access     = ["allow 192.0.2.0/24", "deny all"]
  token      = "..."
  basic_auth = { admin = "$2y$..." }
`, path, why)
}
