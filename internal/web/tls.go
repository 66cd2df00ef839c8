package web

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/listen"
)

// ACME provides the certificates of tls.domains and answers the authority's challenges.
// Its methods are called by many goroutines.
type ACME interface {
	// Getter returns a tls.Config.GetCertificate for these domains.
	Getter(domains []string) func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// HTTPChallenge returns the answer for the path of a challenge.
	HTTPChallenge(path string) (answer string, ok bool)
	// TLSChallenge returns the configuration that answers a challenge; nil if the
	// hello is a client's.
	TLSChallenge(*tls.ClientHelloInfo) (*tls.Config, error)
}

// certificate is the certificate of a tls block.
type certificate struct {
	get        func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	minVersion uint16
}

func newCertificate(t config.TLS, acme ACME, log *zap.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{minVersion: uint16(max(t.MinVersion, tls.VersionTLS12))}
	if len(t.Domains) > 0 {
		if acme == nil {
			return nil, errors.New("tls: there is nobody to fetch certificates for domains")
		}
		c.get = acme.Getter(t.Domains)
		return c, nil
	}
	files, err := listen.OpenTLSFiles(string(t.Certificate), string(t.Key), log, now)
	if err != nil {
		return nil, err
	}
	c.get = files.Get
	return c, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     c.minVersion,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.get,
	}
}

// tlsConfig is called for every hello, so that reloads take effect.
func (s *Server) tlsConfig(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	site := s.site.Load()
	if acme := site.deps.ACME; acme != nil {
		if c, err := acme.TLSChallenge(hello); c != nil || err != nil {
			return c, err
		}
	}
	if site.cert == nil {
		return nil, errors.New("no certificate")
	}
	return site.cert.config(), nil
}

// answerChallenge answers an HTTP-01 challenge (RFC 8555 §8.3): on plain listeners, before
// anything else is decided.
func (x *exchange) answerChallenge() bool {
	acme := x.site.deps.ACME
	if acme == nil || x.r.TLS != nil || x.r.Method != http.MethodGet {
		return false
	}
	answer, ok := acme.HTTPChallenge(x.r.URL.Path)
	if !ok {
		return false
	}
	h := x.Header()
	h["Content-Type"] = typeText
	h["Cache-Control"] = cacheNoStore
	_, _ = io.WriteString(x, answer)
	return true
}
