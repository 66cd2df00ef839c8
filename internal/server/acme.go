package server

import (
	"cmp"
	"path/filepath"
	"slices"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/acme"
)

// The ports an authority asks at (RFC 8555 §8.3, RFC 8737 §3).
const (
	httpChallengePort = 80
	tlsChallengePort  = 443
)

// acmeDomains are the domains of all tls blocks.
func acmeDomains(cfg *config.Config) []string {
	var all []string
	for i := range cfg.RTMP {
		if t := cfg.RTMP[i].TLS; t != nil {
			all = append(all, t.Domains...)
		}
	}
	for i := range cfg.HTTP {
		if t := cfg.HTTP[i].TLS; t != nil {
			all = append(all, t.Domains...)
		}
	}
	return all
}

// acmeSettings say how certificates are fetched. A challenge is offered if
// somebody listens where the authority asks; without such a listener, which the
// check of a configuration does not let by, whatever there is may have the ports
// forwarded to it.
func acmeSettings(cfg *config.Config) acme.Settings {
	s := acme.Settings{
		Directory: string(cfg.ACME.DirectoryURL),
		Email:     string(cfg.ACME.Email),
		Storage:   cmp.Or(string(cfg.ACME.Storage), filepath.Join(string(cfg.StateDir), "acme")),
	}
	var plain, secure value.Addresses
	for i := range cfg.HTTP {
		plain = append(plain, cfg.HTTP[i].Listen...)
		if t := cfg.HTTP[i].TLS; t != nil {
			secure = append(secure, t.Listen...)
		}
	}
	on := func(all value.Addresses, port uint16) bool {
		return slices.ContainsFunc(all, func(a value.Address) bool { return a.Network != "unix" && a.Port == port })
	}
	s.HTTP, s.TLS = on(plain, httpChallengePort), on(secure, tlsChallengePort)
	if !s.HTTP && !s.TLS {
		s.HTTP, s.TLS = len(plain) > 0, len(secure) > 0
	}
	return s
}

// prepareACME is the part of acquiring certificates that can fail.
func (a *acquired) prepareACME() error {
	if len(acmeDomains(a.cfg)) == 0 {
		return nil
	}
	return a.srv.acme.Prepare(acmeSettings(a.cfg))
}
