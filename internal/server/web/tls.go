package web

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
)

// certInterval is how often a handshake looks whether the files have changed.
// Their names are looked at, not watched: renewals rename, and Kubernetes swaps
// links. Nothing is done while nobody connects.
const certInterval = 5 * time.Second

// certificate is a certificate and key in files that somebody else renews.
type certificate struct {
	certFile, keyFile string
	minVersion        uint16
	log               *zap.Logger
	now               func() time.Time

	current atomic.Pointer[tls.Certificate]
	next    atomic.Int64 // unix nanoseconds of the next look

	mu   sync.Mutex // one look at a time
	seen [2]os.FileInfo
	bad  string // the last error, so that it is logged once
}

func newCertificate(t config.TLS, log *zap.Logger, now func() time.Time) (*certificate, error) {
	if t.Certificate == "" || t.Key == "" {
		return nil, errors.New("tls: certificate and key are needed")
	}
	c := &certificate{certFile: t.Certificate, keyFile: t.Key, minVersion: t.MinVersion, log: log, now: now}
	if c.minVersion == 0 {
		c.minVersion = tls.VersionTLS12
	}
	c.seen = c.stat()
	if err := c.load(); err != nil {
		return nil, err
	}
	c.next.Store(now().Add(certInterval).UnixNano())
	return c, nil
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("tls: certificate %s, key %s: %w", c.certFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	return nil
}

func (c *certificate) stat() (fi [2]os.FileInfo) {
	fi[0], _ = os.Stat(c.certFile)
	fi[1], _ = os.Stat(c.keyFile)
	return fi
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// get is for tls.Config: the certificate, after a look at the files if it is
// time. Between the two renames of a renewal the pair does not fit; then the
// old one stays and the next look tries again.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if now := c.now(); now.UnixNano() >= c.next.Load() && c.mu.TryLock() {
		c.next.Store(now.Add(certInterval).UnixNano())
		c.refresh()
		c.mu.Unlock()
	}
	return c.current.Load(), nil
}

func (c *certificate) refresh() {
	fi := c.stat()
	if same(fi[0], c.seen[0]) && same(fi[1], c.seen[1]) {
		return
	}
	if err := c.load(); err != nil {
		if msg := err.Error(); msg != c.bad {
			c.bad = msg
			c.log.Error("certificate not renewed; the old one stays", zap.Error(err))
		}
		return
	}
	c.seen, c.bad = fi, ""
	c.log.Info("certificate renewed", zap.String("path", c.certFile))
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     c.minVersion,
		NextProtos:     []string{"h2", "http/1.1"},
		GetCertificate: c.get,
	}
}
