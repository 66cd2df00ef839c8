// Package acme fetches and renews the certificates of tls.domains (RFC 8555),
// for rtmps and https alike: one certificate a domain, however often it is named.
//
// certmagic keeps the certificates: it stores them, knows when one is due and
// renews it. The orders are ours, because the challenges are answered by our own
// listeners alone: no port is ever bound for them, and a stranger who asks for a
// challenge costs a look into a map.
package acme

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// LetsEncrypt is the directory of the authority that is asked when the
// configuration names no other.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// Settings say where certificates come from. They can be compared.
type Settings struct {
	Directory string // URL of the authority's directory; empty: LetsEncrypt
	Email     string // the authority writes there; may be empty
	Storage   string // directory of accounts, certificates and keys; absolute
	// HTTP and TLS say which challenges a listener of ours answers: HTTP-01 on
	// port 80, TLS-ALPN-01 on port 443.
	HTTP, TLS bool
}

// A Manager has the certificates of all domains. Until Apply names some it does
// nothing at all. Its methods may be called by many goroutines.
type Manager struct {
	challenges
	log   *zap.Logger
	check time.Duration
	locks locks

	// serving are the caches that handshakes look into: the running keeper's,
	// then those of the settings before, for what it has not got yet.
	serving atomic.Pointer[[]*certmagic.Cache]

	mu     sync.Mutex
	keeper *keeper // nil: no domains
	closed bool
	ending sync.WaitGroup // keepers on their way out
}

// New makes a Manager. check is how often it looks which certificates are due
// for renewal; 0: every ten minutes.
func New(log *zap.Logger, check time.Duration) *Manager {
	return &Manager{log: log, check: check}
}

// Prepare makes sure that Apply with these settings can work: the directory can
// be made and entered.
func (m *Manager) Prepare(s Settings) error {
	root, err := openStorage(s.Storage)
	if err != nil {
		return fmt.Errorf("acme storage: %w", err)
	}
	return root.Close()
}

// maxFormer is how many earlier settings' certificates are kept in memory.
const maxFormer = 2

// Apply makes these the domains that have certificates. New ones are fetched in
// the background, removed ones are forgotten (but stay in the storage), and those
// that could not be had so far are tried again at once. After a change of the
// settings every certificate is looked up or fetched anew; until it is there, the
// old one serves.
func (m *Manager) Apply(s Settings, domains []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	if s.Directory == "" {
		s.Directory = LetsEncrypt
	}
	names := make(map[string]bool)
	for _, d := range domains {
		names[normal(d)] = true
	}
	var former []*certmagic.Cache
	if p := m.serving.Load(); p != nil {
		former = *p
	}
	if k := m.keeper; k != nil && (len(names) == 0 || k.settings != s) {
		m.keeper = nil
		m.ending.Go(k.stop)
		k.cancel()
	}
	if len(names) == 0 {
		m.serving.Store(nil)
		return
	}
	if m.keeper == nil {
		m.keeper = m.newKeeper(s)
		former = slices.Concat([]*certmagic.Cache{m.keeper.cache}, former[:min(len(former), maxFormer)])
		m.serving.Store(&former)
	}
	m.keeper.set(names)
}

// Close ends everything that goes on in the background.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	if m.keeper != nil {
		m.keeper.cancel()
		m.ending.Go(m.keeper.stop)
		m.keeper = nil
	}
	m.mu.Unlock()
	m.ending.Wait()
}

// Getter returns a tls.Config.GetCertificate for listeners of these domains. A
// client that names none of them gets the first one's certificate: it may have
// been given an address. An error says that there is none yet.
func (m *Manager) Getter(domains []string) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	names := make([]string, len(domains))
	for i, d := range domains {
		names[i] = normal(d)
	}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if len(names) == 0 {
			return nil, errors.New("no domains")
		}
		name := normal(hello.ServerName)
		if !slices.Contains(names, name) {
			name = names[0]
		}
		if p := m.serving.Load(); p != nil {
			for _, cache := range *p {
				all := cache.AllMatchingCertificates(name)
				if c, err := certmagic.DefaultCertificateSelector(hello, all); err == nil {
					return &c.Certificate, nil
				}
			}
		}
		return nil, fmt.Errorf("there is no certificate for %s yet", name)
	}
}

// normal is how names are compared: DNS knows no case and ends in a dot.
func normal(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
