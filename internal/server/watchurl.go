package server

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// watchURL is where viewers without credentials find the playlist name below the
// directory path; empty if they can't.
func (s *Server) watchURL(path, name string, local net.Addr) string {
	s.mu.Lock()
	sites := slices.Clone(s.sites)
	s.mu.Unlock()
	blocks := s.cfg.Load()
	for i, site := range sites {
		if p := site.PlaylistPath(path, name); p != "" && blocks != nil && i < len(blocks.HTTP) {
			return s.siteURL(&blocks.HTTP[i], local) + p
		}
	}
	return ""
}

// siteURL is the address of an http block as its viewers know it: public_url, a
// domain, or else local, where a publisher found the server.
func (s *Server) siteURL(b *config.HTTP, local net.Addr) string {
	scheme, listen := "http", b.Listen
	switch {
	case len(b.PublicURL) > 0:
		return b.PublicURL[0]
	case b.TLS != nil && len(b.TLS.Domains) > 0:
		return "https://" + b.TLS.Domains[0]
	case len(listen) == 0 && b.TLS != nil:
		scheme, listen = "https", b.TLS.Listen
	}
	i := slices.IndexFunc(listen, func(a value.Address) bool { return a.Network != "unix" })
	if i < 0 {
		return ""
	}
	host := listen[i].Host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
		if a, ok := local.(*net.TCPAddr); ok {
			host = a.IP.String()
		}
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(cmp.Or(s.Port(scheme, listen[i]), int(listen[i].Port))))
}
