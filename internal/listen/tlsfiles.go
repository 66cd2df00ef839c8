package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
)

// TLSFilesInterval is how often a handshake checks whether the files have changed. The
// names are checked, not watched: renewals rename files, and Kubernetes swaps links.
// Without handshakes nothing is checked.
const TLSFilesInterval = 5 * time.Second

// TLSFiles are a certificate and its key. Its methods may be called by many
// goroutines.
type TLSFiles struct {
	certFile, keyFile string
	log               *zap.Logger
	now               func() time.Time

	current atomic.Pointer[tls.Certificate]
	next    atomic.Int64 // time of the next check, Unix ns

	mu   sync.Mutex // held during a check
	seen [2]os.FileInfo
	bad  string // the last error, so that it is logged once
}

// OpenTLSFiles reads the PEM files. An error names them.
func OpenTLSFiles(certFile, keyFile string, log *zap.Logger, now func() time.Time) (*TLSFiles, error) {
	if certFile == "" || keyFile == "" {
		return nil, errors.New("tls: certificate and key are needed")
	}
	p := &TLSFiles{certFile: certFile, keyFile: keyFile, log: log, now: now}
	p.seen = p.stat()
	if err := p.load(); err != nil {
		return nil, err
	}
	p.next.Store(now().Add(TLSFilesInterval).UnixNano())
	return p, nil
}

func (p *TLSFiles) load() error {
	cert, err := readPEM(p.certFile)
	if err != nil {
		return fmt.Errorf("tls: certificate: %w", err)
	}
	key, err := readPEM(p.keyFile)
	if err != nil {
		return fmt.Errorf("tls: key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("tls: certificate %s, key %s: %w", p.certFile, p.keyFile, err)
	}
	p.current.Store(&pair)
	return nil
}

// readPEM reads a PEM file without a byte order mark. Behind one, encoding/pem would skip
// the first block, which is the server's own certificate.
func readPEM(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if data, err = value.PlainText(data); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

func (p *TLSFiles) stat() (fi [2]os.FileInfo) {
	fi[0], _ = os.Stat(p.certFile)
	fi[1], _ = os.Stat(p.keyFile)
	return fi
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// Get is for tls.Config.GetCertificate. It returns the certificate and checks the files
// first when it is time. Between the two renames of a renewal certificate and key do
// not match; then the old pair stays until the next check.
func (p *TLSFiles) Get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if now := p.now(); now.UnixNano() >= p.next.Load() && p.mu.TryLock() {
		p.next.Store(now.Add(TLSFilesInterval).UnixNano())
		p.refresh()
		p.mu.Unlock()
	}
	return p.current.Load(), nil
}

func (p *TLSFiles) refresh() {
	fi := p.stat()
	if same(fi[0], p.seen[0]) && same(fi[1], p.seen[1]) {
		return
	}
	if err := p.load(); err != nil {
		if msg := err.Error(); msg != p.bad {
			p.bad = msg
			p.log.Error("certificate not renewed; the old one stays", zap.Error(err))
		}
		return
	}
	p.seen, p.bad = fi, ""
	p.log.Info("certificate renewed", zap.String("path", p.certFile))
}
