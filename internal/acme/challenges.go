package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
)

// challenges holds the answers to the challenges of orders in progress.
type challenges struct {
	mu   sync.RWMutex
	http map[string]string           // RFC 8555 §8.3: token to key authorisation
	tls  map[string]*tls.Certificate // RFC 8737 §3: domain to the certificate that proves it
}

// tokenPath is the path prefix of HTTP-01 challenges.
const tokenPath = "/.well-known/acme-challenge/"

// HTTPChallenge returns the answer for the URL path of a challenge in progress.
func (c *challenges) HTTPChallenge(path string) (answer string, ok bool) {
	token, ok := strings.CutPrefix(path, tokenPath)
	if !ok {
		return "", false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	answer, ok = c.http[token]
	return answer, ok
}

// TLSChallenge returns the configuration that answers a TLS-ALPN-01 challenge, whose
// handshake offers only acme-tls/1 (RFC 8737 §3). nil: the handshake is a client's. An
// error: there is no challenge for that name.
func (c *challenges) TLSChallenge(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != acmez.ACMETLS1Protocol {
		return nil, nil
	}
	c.mu.RLock()
	cert := c.tls[normal(hello.ServerName)]
	c.mu.RUnlock()
	if cert == nil {
		return nil, fmt.Errorf("no challenge for %q is under way", hello.ServerName)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{*cert},
		NextProtos:   []string{acmez.ACMETLS1Protocol},
		MinVersion:   tls.VersionTLS12,
	}, nil
}

// httpSolver and tlsSolver are the acmez.Solvers of challenges.
type (
	httpSolver challenges
	tlsSolver  challenges
)

func (s *httpSolver) Present(_ context.Context, ch acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.http == nil {
		s.http = make(map[string]string)
	}
	s.http[ch.Token] = ch.KeyAuthorization
	return nil
}

func (s *httpSolver) CleanUp(_ context.Context, ch acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.http, ch.Token)
	return nil
}

func (s *tlsSolver) Present(_ context.Context, ch acme.Challenge) error {
	cert, err := acmez.TLSALPN01ChallengeCert(ch)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tls == nil {
		s.tls = make(map[string]*tls.Certificate)
	}
	s.tls[normal(ch.Identifier.Value)] = cert
	return nil
}

func (s *tlsSolver) CleanUp(_ context.Context, ch acme.Challenge) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tls, normal(ch.Identifier.Value))
	return nil
}
