package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// proxies finds the client's address and the public URL of a request: which proxies are
// trusted, and what their headers say.
type proxies struct {
	trusted []netip.Prefix
	public  []publicURL
}

// publicURL is one value of public_url or of a header.
type publicURL struct {
	base   string // without a final slash
	origin string // scheme://host:port, lower case, the port always there
	host   string // host:port of origin
}

// maxHops bounds how many addresses of a list are read.
const maxHops = 32

func newProxies(cfg config.HTTP) (proxies, error) {
	p := proxies{trusted: cfg.TrustedProxies}
	for _, s := range cfg.PublicURL {
		u, ok := parseBase(s)
		if !ok {
			return p, fmt.Errorf("public_url %q is not http(s)://host[:port][/prefix]", s)
		}
		p.public = append(p.public, u)
	}
	return p, nil
}

// parseBase reads http(s)://host[:port][/prefix][/].
func parseBase(s string) (publicURL, bool) {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return publicURL{}, false
	}
	prefix, status := "", 0
	if u.Path != "" {
		if prefix, status = cleanPath(u); status != 0 {
			return publicURL{}, false
		}
	}
	return makeBase(u.Scheme, u.Host, prefix)
}

// makeBase joins the parts; prefix is "" or a clean path.
func makeBase(scheme, host, prefix string) (publicURL, bool) {
	scheme, host = strings.ToLower(scheme), strings.ToLower(host)
	if (scheme != "http" && scheme != "https") || !http1.ValidHost(host) {
		return publicURL{}, false
	}
	full := withPort(host, scheme)
	return publicURL{
		base:   scheme + "://" + host + (&url.URL{Path: strings.TrimRight(prefix, "/")}).EscapedPath(),
		origin: scheme + "://" + full,
		host:   full,
	}, true
}

// withPort adds the port of the scheme to a host that has none.
func withPort(host, scheme string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	if scheme == "https" {
		return host + ":443"
	}
	return host + ":80"
}

func (p *proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(n netip.Prefix) bool { return n.Contains(a) })
}

// peerAddr returns the address of the other end of the connection. A unix socket counts
// as the loopback address.
func peerAddr(r *http.Request) netip.Addr {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// ClientAddr returns the client's address: the peer's, or the one that trusted proxies
// name.
func (s *Site) ClientAddr(r *http.Request) netip.Addr {
	_, client := s.who(r)
	return client
}

func (s *Site) who(r *http.Request) (peer, client netip.Addr) {
	peer = peerAddr(r)
	if !s.proxy.trusts(peer) {
		if !s.untrusted.Load() {
			if name := proxyHeader(r.Header); name != "" && s.untrusted.CompareAndSwap(false, true) {
				s.warnUntrusted(peer, name)
			}
		}
		return peer, peer
	}
	if list := r.Header["X-Forwarded-For"]; len(list) > 0 {
		return peer, s.proxy.rightmost(list, peer)
	}
	if client, ok := s.proxy.forwardedFor(r.Header["Forwarded"], peer); ok {
		return peer, client
	}
	if v := r.Header["X-Real-Ip"]; len(v) > 0 {
		if a, ok := parseNode(v[len(v)-1]); ok {
			return peer, a
		}
	}
	return peer, peer
}

func (s *Site) warnUntrusted(peer netip.Addr, name string) {
	add := peer.String()
	switch {
	case peer.IsLoopback():
		add = "loopback"
	case peer.IsPrivate():
		add = "private"
	}
	s.log.Warn("a header of a proxy is ignored: the sender is not in trusted_proxies; if it is your proxy, add it there",
		zap.String("header", name), zap.Stringer("remote", peer), zap.String("add", fmt.Sprintf("trusted_proxies = [%q]", add)))
}

// proxyHeader returns the name of the first header with an address, if there is one.
func proxyHeader(h http.Header) string {
	for _, name := range [...]string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "X-Mst-Path", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix"} {
		if len(h[name]) > 0 {
			return name
		}
	}
	return ""
}

// rightmost reads X-Forwarded-For from its end, where the peer wrote, and returns the
// first address that is not a trusted proxy's. Addresses left of it come from the
// client and may be false. If all are trusted it returns the leftmost; a value that is
// no address ends the search at the proxy that passed it on.
func (p *proxies) rightmost(lines []string, peer netip.Addr) netip.Addr {
	w := walk{proxies: p, client: peer}
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var last string
			if j := strings.LastIndexByte(rest, ','); j >= 0 {
				last, rest = rest[j+1:], rest[:j]
			} else {
				last, more = rest, false
			}
			if !w.step(last) {
				return w.client
			}
		}
	}
	return w.client
}

// forwardedFor is rightmost for the for= of RFC 7239's header; false if none has it.
func (p *proxies) forwardedFor(lines []string, peer netip.Addr) (netip.Addr, bool) {
	w := walk{proxies: p, client: peer}
	for i := len(lines) - 1; i >= 0; i-- {
		elements := splitQuoted(lines[i], ',')
		for j := len(elements) - 1; j >= 0; j-- {
			node, said := parameter(elements[j], "for")
			if !said && w.hops == 0 && strings.TrimSpace(elements[j]) != "" {
				return peer, false // the peer does not name the client
			}
			if !w.step(node) {
				return w.client, true
			}
		}
	}
	return w.client, w.hops > 0
}

// A walk follows the addresses that proxies wrote, beginning at a trusted peer.
type walk struct {
	*proxies
	client netip.Addr
	hops   int
}

// step takes the next address; false: the walk is over and client is the result.
func (w *walk) step(node string) bool {
	a, ok := parseNode(node)
	if w.hops++; !ok || w.hops > maxHops {
		return false
	}
	w.client = a
	return w.trusts(a)
}

// parameter returns the value of a parameter of a Forwarded element, unquoted.
func parameter(element, name string) (value string, ok bool) {
	for _, pair := range splitQuoted(element, ';') {
		k, v, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.TrimSpace(k), name) {
			return unquote(strings.TrimSpace(v)), true
		}
	}
	return "", false
}

// parseNode reads an address with or without port, brackets or quotes.
func parseNode(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t\"")
	a, err := netip.ParseAddr(s)
	if err != nil {
		if ap, err := netip.ParseAddrPort(s); err == nil {
			a = ap.Addr()
		} else if a, err = netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err != nil {
			return netip.Addr{}, false
		}
	}
	return a.Unmap().WithZone(""), true
}

// hostOnly cuts the port and the brackets off.
func hostOnly(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}
