package acme

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/zap"
)

// A keeper holds the certificates of one set of settings: one certmagic configuration,
// its cache, and a goroutine for each certificate that is not there yet. The cache
// renews certificates.
type keeper struct {
	manager  *Manager
	settings Settings
	log      *zap.Logger
	client   *http.Client
	cache    *certmagic.Cache
	config   *certmagic.Config

	ctx     context.Context // of all background work
	cancel  context.CancelFunc
	running sync.WaitGroup

	domains map[string]*domain // guarded by Manager.mu
}

// A domain is a name that is to have a certificate.
type domain struct {
	cancel context.CancelFunc
	again  chan struct{} // try now; capacity 1
}

// requestTimeout is for one request to the authority.
const requestTimeout = 30 * time.Second

func (m *Manager) newKeeper(s Settings) *keeper {
	k := &keeper{
		manager: m, settings: s, log: m.log, domains: make(map[string]*domain),
		client: &http.Client{
			Timeout:   requestTimeout,
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: requestTimeout},
		},
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	quiet := quiet(m.log)
	k.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return k.config, nil },
		RenewCheckInterval: m.check,
		Logger:             quiet,
	})
	store := &store{dir: s.Storage, locks: &m.locks}
	k.config = certmagic.New(k.cache, certmagic.Config{
		RenewalWindowRatio: certmagic.DefaultRenewalWindowRatio,
		KeySource:          certmagic.StandardKeyGenerator{KeyType: certmagic.P256},
		Issuers:            []certmagic.Issuer{newAuthority(k.ctx, s, store, k.client, &m.challenges, quiet)},
		Storage:            store,
		OnEvent:            k.event,
		Logger:             quiet,
	})
	return k
}

// set starts new domains and ends removed ones. Manager.mu is held.
func (k *keeper) set(names map[string]bool) {
	for name, d := range k.domains {
		if !names[name] {
			d.cancel()
			delete(k.domains, name)
			k.forget(name)
		}
	}
	for name := range names {
		if d := k.domains[name]; d != nil {
			select {
			case d.again <- struct{}{}:
			default:
			}
			continue
		}
		ctx, cancel := context.WithCancel(k.ctx)
		d := &domain{cancel: cancel, again: make(chan struct{}, 1)}
		k.domains[name] = d
		k.running.Go(func() {
			defer cancel()
			k.obtain(ctx, name, d.again)
		})
	}
}

func (k *keeper) forget(name string) {
	k.cache.RemoveManaged([]certmagic.SubjectIssuer{{Subject: name}})
}

// stop waits until all work has ended. The caller cancels ctx before.
func (k *keeper) stop() {
	k.running.Wait()
	k.cache.Stop()
	k.client.CloseIdleConnections()
}

// pauses are the pauses between attempts. Authorities limit failures per hour; the test
// system of Let's Encrypt takes the first retries.
var pauses = [...]time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

// obtain loads the certificate of name from the storage or fetches it from the authority.
// It retries until ctx ends.
func (k *keeper) obtain(ctx context.Context, name string, again <-chan struct{}) {
	for n := 0; ; n++ {
		attempt := n // Issue reads it
		err := k.config.ManageSync(context.WithValue(ctx, certmagic.AttemptsCtxKey, &attempt), []string{name})
		if ctx.Err() != nil {
			k.late(name)
			return
		}
		if err == nil {
			return
		}
		pause := pauses[min(n, len(pauses)-1)]
		k.failed("certificate not obtained", name, err, zap.Duration("retry_in", pause))
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-again:
		case <-t.C:
		}
		t.Stop()
	}
}

// late drops a certificate that arrived after its domain had been removed.
func (k *keeper) late(name string) {
	k.manager.mu.Lock()
	defer k.manager.mu.Unlock()
	if k.domains[name] == nil {
		k.forget(name)
	}
}

// event is called by certmagic for what happens to a certificate.
func (k *keeper) event(ctx context.Context, event string, data map[string]any) error {
	name, _ := data["identifier"].(string)
	switch event {
	case "cert_obtained":
		renewal, _ := data["renewal"].(bool)
		k.log.Info("certificate obtained", zap.String("domain", name), zap.Bool("renewal", renewal))
	case "cert_failed":
		if ctx.Value(certmagic.AttemptsCtxKey) != nil {
			break // obtain logs it
		}
		if err, ok := data["error"].(error); ok {
			k.failed("certificate not renewed; the old one stays", name, err)
		}
	}
	return nil
}

func (k *keeper) failed(message, name string, err error, more ...zap.Field) {
	advice := k.advice(name, err)
	var problem acme.Problem
	if errors.As(err, &problem) {
		err = problem // without the names of all steps
	}
	k.log.Error(message, append(more, zap.String("domain", name), zap.Error(err), zap.String("advice", advice))...)
}
