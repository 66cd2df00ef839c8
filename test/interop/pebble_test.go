package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	inprocess "github.com/rtmpd/rtmpd/internal/server"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// authority is Let's Encrypt's test authority, pebble, with a DNS of its own in
// which every name leads to 127.0.0.1. It really asks: HTTP-01 and TLS-ALPN-01 at
// the ports it was started with.
type authority struct {
	directory string // URL
	roots     *x509.CertPool
	db        *db.MemoryStore
	dns       *challtestsrv.ChallSrv
}

// startAuthority starts pebble. validity is its certificates'. The tests that use
// it are not parallel: it is set up through the environment.
func startAuthority(t *testing.T, plain, secure string, validity time.Duration) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")       // no pauses that imitate a network
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "20") // percent of good nonces refused: clients must cope
	t.Setenv("PEBBLE_AUTHZREUSE", "0")       // ask each time
	text := new(lockedBuffer)
	t.Cleanup(func() { keep(t, "pebble.log", []byte(text.String())) })
	logger := log.New(text, "", log.Ltime|log.Lmicroseconds)
	names := testport.Address()
	a := &authority{db: db.NewMemoryStore(), roots: x509.NewCertPool()}
	var err error
	if a.dns, err = challtestsrv.New(challtestsrv.Config{Log: logger, DNSAddrs: []string{names}}); err != nil {
		t.Fatal(err)
	}
	a.dns.SetDefaultDNSIPv4("127.0.0.1")
	a.dns.SetDefaultDNSIPv6("")
	go a.dns.Run()
	t.Cleanup(a.dns.Shutdown)
	eventually(t, 90*time.Second, "the test DNS answers", func() bool {
		c, err := net.Dial("tcp", names)
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	issuer := ca.New(logger, a.db, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {ValidityPeriod: uint64(validity / time.Second)}})
	a.roots.AddCert(issuer.GetRootCert(0).Cert)
	asker := va.New(logger, portOf(plain), portOf(secure), true, names, a.db)
	pebble := wfe.New(logger, a.db, asker, issuer, nil, true, false, 0, 0)
	s := httptest.NewUnstartedServer(pebble.Handler())
	own, err := frontCertificate()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", own.file) // how anybody makes rtmpd trust an authority of their own
	s.TLS = &tls.Config{Certificates: []tls.Certificate{own.pair}}
	s.StartTLS()
	t.Cleanup(s.Close)
	a.directory = s.URL + wfe.DirectoryPath
	return a
}

// front is a certificate for this machine and the file that makes it trusted.
type front struct {
	file string
	pair tls.Certificate
	spki string // by which Chromium knows it
}

// frontCertificate is what pebble itself serves with, and proxies. It is the same for
// all tests: a process reads SSL_CERT_FILE once.
var frontCertificate = sync.OnceValues(func() (front, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return front{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a front"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return front{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return front{}, err
	}
	sum := sha256.Sum256(spki)
	file := filepath.Join(filepath.Dir(rtmpd), "front.pem")
	err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600)
	return front{file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, base64.StdEncoding.EncodeToString(sum[:])}, err
})

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

// proof is how the authority convinced itself that a certificate's domain is ours.
func (a *authority) proof(t *testing.T, cert *x509.Certificate) string {
	t.Helper()
	order, err := a.db.GetOrderByIssuedSerial(hex.EncodeToString(cert.SerialNumber.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range order.AuthorizationObjects {
		for _, c := range z.Challenges {
			c.RLock()
			valid, kind := c.Status == acme.StatusValid, c.Type
			c.RUnlock()
			if valid {
				return kind
			}
		}
	}
	return "none"
}

// handshake connects with TLS, naming the server, and returns its certificate.
func (a *authority) handshake(address, name string) (*x509.Certificate, error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 10 * time.Second}, Config: &tls.Config{RootCAs: a.roots, ServerName: name}}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// waitCertificate waits until name has a certificate at address.
func (a *authority) waitCertificate(t *testing.T, address, name string) *x509.Certificate {
	t.Helper()
	var cert *x509.Certificate
	eventually(t, time.Minute, name+" has a certificate at "+address, func() bool {
		var err error
		cert, err = a.handshake(address, name)
		return err == nil
	})
	return cert
}

// local is a server in this process. Its configuration is loaded as the ports
// 80 and 443 and served on free ones: an authority asks nowhere else, and a test
// must not need root.
type local struct {
	*inprocess.Server
	logs  *observer.ObservedLogs
	dir   string
	moved map[string]string // from the configuration's addresses to those listened on
	stop  func()            // with the test at the latest
}

// startLocal makes a server; apply starts it.
func startLocal(t *testing.T, moved map[string]string) *local {
	t.Helper()
	core, logs := observer.New(zap.InfoLevel)
	l := &local{logs: logs, dir: t.TempDir(), moved: moved}
	l.start(t, zap.New(core))
	return l
}

func (l *local) start(t *testing.T, log *zap.Logger) {
	l.Server = inprocess.New(inprocess.Options{Log: log, Level: zap.NewAtomicLevel(), Announce: func(string) {}, Version: "test"})
	s := l.Server
	l.stop = sync.OnceFunc(func() {
		if err := s.Shutdown(); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	t.Cleanup(func() {
		l.stop()
		var b strings.Builder
		for _, e := range l.logs.All() {
			fmt.Fprintln(&b, e.Time.Format("15:04:05.000"), e.Level, e.LoggerName, e.Message, e.ContextMap())
		}
		keep(t, "rtmpd.log", []byte(b.String()))
	})
}

// apply loads text, which is HCL, and makes the server follow it.
func (l *local) apply(t *testing.T, a *authority, text string) {
	t.Helper()
	path := filepath.Join(l.dir, "rtmpd.hcl")
	text = fmt.Sprintf("state_dir = %q\nruntime_dir = %q\nacme {\n directory_url = %q\n email = \"streams@example.org\"\n}\n", l.dir+"/state", "/nowhere", a.directory) + text // no control socket here
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, files, diags := config.Load(path, config.LoadOptions{})
	if len(diags) > 0 {
		config.WriteDiagnostics(os.Stderr, files, diags)
		t.Fatal("the configuration is wrong")
	}
	for i := range cfg.RTMP {
		l.move(cfg.RTMP[i].Listen, cfg.RTMP[i].TLS)
	}
	for i := range cfg.HTTP {
		l.move(cfg.HTTP[i].Listen, cfg.HTTP[i].TLS)
	}
	if _, err := l.Apply(cfg); err != nil {
		t.Fatal(err)
	}
}

func (l *local) move(plain value.Addresses, secure *config.TLS) {
	all := []value.Addresses{plain}
	if secure != nil {
		all = append(all, secure.Listen)
	}
	for _, list := range all {
		for i, a := range list {
			if to, ok := l.moved[a.String()]; ok {
				list[i].Host, list[i].Port = "127.0.0.1", uint16(portOf(to))
			}
		}
	}
}
