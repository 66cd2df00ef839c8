// Package acme fetches and renews the certificates of tls.domains (RFC 8555),
// for rtmps and https alike: one certificate a domain, however often it is named.
//
// certmagic stores the certificates and renews them when they are due. This package makes
// the orders, because the listeners of the server answer the challenges: no port is
// bound for them, and a request for an unknown challenge costs a look-up in a map.
//
// A keeper runs a goroutine for each certificate that is not there yet, and certmagic
// one for renewals. The Manager owns the keepers.
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

// LetsEncrypt is the directory URL of the default authority.
const LetsEncrypt = certmagic.LetsEncryptProductionCA

// Settings say where certificates come from. They are comparable.
type Settings struct {
	Directory string // URL of the authority's directory; empty: LetsEncrypt
	Email     string // the authority writes there; may be empty
	Storage   string // directory of accounts, certificates and keys; absolute
	// HTTP and TLS say which challenges a listener of the server answers: HTTP-01
	// on port 80, TLS-ALPN-01 on port 443.
	HTTP, TLS bool
}

// A Manager fetches and renews the certificates of all domains. Without domains it does
// nothing. Its methods may be called by many goroutines.
type Manager struct {
	challenges
	log   *zap.Logger
	check time.Duration
	locks locks

	// serving are the caches for handshakes: the running keeper's, then those of
	// earlier settings, for certificates that the keeper does not have yet.
	serving atomic.Pointer[[]*certmagic.Cache]

	mu     sync.Mutex
	keeper *keeper // nil: no domains
	closed bool
	ending sync.WaitGroup // keepers that are being stopped
}

// New makes a Manager. check is how often it checks which certificates are due for
// renewal; 0: every ten minutes.
func New(log *zap.Logger, check time.Duration) *Manager {
	return &Manager{log: log, check: check}
}

// Prepare checks that Apply can work with these settings: it creates the directory and
// opens it.
func (m *Manager) Prepare(s Settings) error {
	root, err := openStorage(s.Storage)
	if err != nil {
		return fmt.Errorf("acme storage: %w", err)
	}
	return root.Close()
}

// maxFormer is how many earlier settings' certificates are kept in memory.
const maxFormer = 2

// Apply sets the domains that have certificates. Certificates of new domains are fetched
// in the background; those of removed domains are dropped but stay in the storage;
// those that could not be fetched so far are tried again at once. After a change of the
// settings every certificate is loaded or fetched again; the old one is used until then.
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

// Close ends all background work.
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
// client that names none of them gets the first one's certificate: it may have connected
// to an address. The error says that there is no certificate yet.
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

// normal returns name in the form for comparisons: lower case, without a final dot.
func normal(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
