package web

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/web/http1"
)

// PublicURL returns the base of absolute URLs in the answer to r, without a final slash:
// from a trusted proxy's headers, else public_url, else the Host of the request. If
// fromHeader is true the answer depends on headers of a proxy: call MarkPrivate.
func (s *Site) PublicURL(r *http.Request) (base string, fromHeader bool) {
	if s.proxy.trusts(peerAddr(r)) {
		if u, ok := s.fromProxy(r); ok {
			return u.base, true
		}
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	asked, ok := makeBase(scheme, r.Host, "")
	for _, u := range s.proxy.public {
		if u.host == asked.host || hostOnly(u.host) == hostOnly(asked.host) {
			return u.base, false
		}
	}
	if len(s.proxy.public) > 0 {
		return s.proxy.public[0].base, false
	}
	if !ok {
		return "", false
	}
	return asked.base, false
}

var (
	varyProxy    = "Forwarded, X-Forwarded-Host, X-Forwarded-Port, X-Forwarded-Prefix, X-Forwarded-Proto, X-Mst-Path"
	cachePrivate = []string{"private"}
)

// MarkPrivate keeps shared caches from giving an answer that was made from a proxy's
// headers to clients of another proxy.
func MarkPrivate(h http.Header) {
	h.Add("Vary", varyProxy)
	h["Cache-Control"] = cachePrivate
}

// fromProxy reads the public address from the headers of a trusted proxy. It is used
// only if its origin is one of public_url or, if none is set, the Host of the request:
// proxies pass on headers that a viewer sends.
func (s *Site) fromProxy(r *http.Request) (publicURL, bool) {
	u, name, said := s.proxy.claimed(r)
	if !said {
		return u, false
	}
	if name != "" && s.accepts(u, r.Host) {
		return u, true
	}
	if s.warned.first("public address") {
		s.log.Warn("the public address a proxy gave is ignored: it is neither one of public_url nor the Host of the request",
			zap.String("url", u.base), zap.String("host", r.Host[:min(len(r.Host), 100)]), zap.Stringer("remote", peerAddr(r)))
	}
	return u, false
}

func (s *Site) accepts(u publicURL, host string) bool {
	if len(s.proxy.public) > 0 {
		return slices.ContainsFunc(s.proxy.public, func(p publicURL) bool { return p.origin == u.origin })
	}
	scheme, _, _ := strings.Cut(u.origin, ":")
	return http1.ValidHost(host) && u.host == withPort(strings.ToLower(host), scheme)
}

// claimed makes the address of X-Mst-Path, which is complete; else of Forwarded; else of
// X-Forwarded-*, with missing parts taken from the request. said is false if there is
// none of these headers; name is empty if they hold no valid address.
func (p *proxies) claimed(r *http.Request) (u publicURL, name string, said bool) {
	if v := r.Header.Get("X-Mst-Path"); v != "" {
		if u, ok := parseBase(v); ok {
			return u, "X-Mst-Path", true
		}
		return u, "", true
	}
	scheme, host, prefix := "http", r.Host, ""
	if r.TLS != nil {
		scheme = "https"
	}
	if lines := r.Header["Forwarded"]; len(lines) > 0 {
		proto, h := p.forwarded(lines)
		said = proto != "" || h != ""
		scheme, host = cmp.Or(ofHTTP(proto), scheme), cmp.Or(h, host)
	}
	if !said {
		proto, h, port := first(r.Header, "X-Forwarded-Proto"), first(r.Header, "X-Forwarded-Host"), first(r.Header, "X-Forwarded-Port")
		said = proto != "" || h != "" || port != ""
		scheme, host = cmp.Or(ofHTTP(strings.ToLower(proto)), scheme), cmp.Or(h, host)
		if port != "" && withPort(host, "http") != host && withPort("x", scheme) != "x:"+port {
			host += ":" + port
		}
	}
	prefixed := false
	if v := first(r.Header, "X-Forwarded-Prefix"); v != "" {
		said, prefixed = true, true
		pu, err := url.Parse(v)
		if err != nil || pu.IsAbs() || pu.Host != "" || pu.RawQuery != "" {
			return u, "", true
		}
		var status int
		if prefix, status = cleanPath(pu); status != 0 {
			return u, "", true
		}
	}
	if !said {
		return u, "", false
	}
	u, ok := makeBase(scheme, host, prefix)
	if !ok {
		return u, "", true
	}
	if !prefixed {
		u = p.withPrefix(u)
	}
	return u, "X-Forwarded-*", true
}

// withPrefix gives an address the prefix that public_url has for its origin: a proxy may
// take it off and not say so.
func (p *proxies) withPrefix(u publicURL) publicURL {
	if i := slices.IndexFunc(p.public, func(o publicURL) bool { return o.origin == u.origin }); i >= 0 {
		return p.public[i]
	}
	return u
}

// ofHTTP is the scheme of the pages beside a WebSocket: Traefik calls the scheme of its
// handshake ws or wss.
func ofHTTP(proto string) string {
	switch proto {
	case "ws":
		return "http"
	case "wss":
		return "https"
	}
	return proto
}

// forwarded reads RFC 7239's header as X-Forwarded-For is read: from its end to the
// left, as long as an element is about a trusted proxy.
func (p *proxies) forwarded(lines []string) (proto, host string) {
	hops := 0
	for i := len(lines) - 1; i >= 0; i-- {
		elements := splitQuoted(lines[i], ',')
		for j := len(elements) - 1; j >= 0; j-- {
			if hops++; hops > maxHops {
				return proto, host
			}
			var node netip.Addr
			var known bool
			for _, pair := range splitQuoted(elements[j], ';') {
				k, v, _ := strings.Cut(pair, "=")
				v = unquote(strings.TrimSpace(v))
				switch strings.ToLower(strings.TrimSpace(k)) {
				case "for":
					node, known = parseNode(v)
				case "proto":
					proto = strings.ToLower(v)
				case "host":
					host = v
				}
			}
			if !known || !p.trusts(node) {
				return proto, host
			}
		}
	}
	return proto, host
}

// splitQuoted splits at sep outside of quoted strings.
func splitQuoted(s string, sep byte) []string {
	var out []string
	quoted, start := false, 0
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

// unquote takes a quoted string apart (RFC 9110 §5.6.4).
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b = append(b, s[i])
	}
	return string(b)
}

// first returns the first element of a header, which the outermost of several proxies
// wrote. Origins are checked, so a viewer can't forge one.
func first(h http.Header, name string) string {
	v, _, _ := strings.Cut(h.Get(name), ",")
	return strings.TrimSpace(v)
}
