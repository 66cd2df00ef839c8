package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/listen"
)

// pair writes a certificate for 127.0.0.1 with that serial number.
func pair(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}, &x509.Certificate{SerialNumber: big.NewInt(serial)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "EC PRIVATE KEY", Bytes: k}} {
		tmp := filepath.Join(dir, "tmp")
		if err := os.WriteFile(tmp, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func listenTLS(t *testing.T, s *Site) (addr string, srv *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv = NewServer(s, nil)
	run(t, srv, func() error { return srv.ServeTLS(l) })
	return l.Addr().String(), srv
}

func serial(t *testing.T, addr string) int64 {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestACertificateIsRenewedWithoutAReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 1)
	var clock atomic.Int64
	log, logs := observed()
	cfg := locations(config.Location{Path: "/", Health: true})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem")}
	s := site(t, Deps{Log: log, Now: func() time.Time { return time.Unix(1e9, clock.Load()) }}, cfg)
	addr, srv := listenTLS(t, s)
	differs(t, "first", serial(t, addr), 1)
	pair(t, dir, 2)
	differs(t, "before the next look", serial(t, addr), 1)
	clock.Add(int64(listen.TLSFilesInterval))
	serial(t, addr)
	differs(t, "after it", serial(t, addr), 2)

	// A renewal that is half done: the old pair goes on, one line says so.
	key, err := os.ReadFile(dir + "/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	pair(t, dir, 3)
	third, _ := os.ReadFile(dir + "/key.pem")
	write(t, dir, "key.pem", string(key))
	for range 3 {
		clock.Add(int64(listen.TLSFilesInterval))
		differs(t, "half a renewal", serial(t, addr), 2)
	}
	differs(t, "lines", logs.FilterMessage("certificate not renewed; the old one stays").Len(), 1)
	write(t, dir, "key.pem", string(third))
	clock.Add(int64(listen.TLSFilesInterval))
	serial(t, addr)
	differs(t, "whole renewal", serial(t, addr), 3)

	// A reload brings its own.
	pair(t, dir, 4)
	next := site(t, Deps{}, cfg)
	if err := srv.Swap(next).Close(); err != nil {
		t.Fatal(err)
	}
	differs(t, "reload", serial(t, addr), 4)
}

func TestHTTP2AndHTTP11OverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 1)
	data := string(make([]byte, 300_000))
	write(t, dir, "live/a.ts", data)
	cfg := locations(config.Location{Path: "/live", Root: value.Path(dir)})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem"), MinVersion: tls.VersionTLS13}
	addr, _ := listenTLS(t, site(t, Deps{}, cfg))
	for proto, h2 := range map[string]bool{"HTTP/2.0": true, "HTTP/1.1": false} {
		c := client(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2})
		r, err := c.Get("https://" + addr + "/live/a.ts")
		if err != nil {
			t.Fatal(err)
		}
		differs(t, "protocol", r.Proto, proto)
		differs(t, proto+" bytes", len(bodyOf(t, r)), len(data))
		req, _ := http.NewRequest("GET", "https://"+addr+"/live/a.ts", nil)
		req.Header.Set("Range", "bytes=10-19")
		if r, err = c.Do(req); err != nil {
			t.Fatal(err)
		}
		differs(t, proto+" range", len(bodyOf(t, r)), 10)
		differs(t, proto+" range", r.StatusCode, 206)
	}
	if _, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("min_version is not kept")
	}
}

// Editors on Windows write a byte order mark before the first block, which pem.Decode
// then passes over: of a chain that would be the certificate itself.
func TestPEMFilesMayBeginWithAByteOrderMark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 7)
	issuer, err := os.ReadFile(dir + "/cert.pem")
	if err != nil {
		t.Fatal(err)
	}
	pair(t, dir, 8)
	for name, more := range map[string]string{"cert.pem": string(issuer), "key.pem": ""} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, "\xef\xbb\xbf"+string(text)+more)
	}
	cfg := locations(config.Location{Path: "/", Health: true})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem")}
	addr, _ := listenTLS(t, site(t, Deps{}, cfg))
	differs(t, "certificate", serial(t, addr), 8)

	write(t, dir, "cert.pem", "\xff\xfe-\x00-\x00")
	if _, err := Compile(cfg, Deps{}); err == nil || !strings.Contains(err.Error(), dir+"/cert.pem: this is UTF-16") {
		t.Errorf("UTF-16: %v", err)
	}
}

func TestTLSThatCannotWorkIsAnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 1)
	write(t, dir, "other", "not a key")
	for name, c := range map[string]config.TLS{
		"no files": {}, "absent": {Certificate: value.Path(dir + "/none"), Key: value.Path(dir + "/key.pem")}, "no key": {Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/other")},
	} {
		if _, err := Compile(config.HTTP{TLS: &c}, Deps{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestThePlainListenerOnlyLeadsToTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pair(t, dir, 1)
	cfg := locations(config.Location{Path: "/", Health: true})
	cfg.TLS = &config.TLS{Certificate: value.Path(dir + "/cert.pem"), Key: value.Path(dir + "/key.pem"), Redirect: true, Listen: value.Addresses{{Port: 8443}}}
	s := site(t, Deps{}, cfg)
	cfg.TLS.Listen[0].Port = 443
	usual := site(t, Deps{}, cfg)
	for _, c := range []struct {
		site             *Site
		what, host, want string
		status           int
	}{
		{s, "GET /a?b=c", "live.example:8080", "https://live.example:8443/a?b=c", 302},
		{s, "HEAD /", "[2001:db8::1]:8080", "https://[2001:db8::1]:8443/", 302},
		{usual, "GET /", "live.example", "https://live.example/", 302},
		{s, "POST /", "live.example", "", 405},
		{s, "GET /", "a b", "", 400},
	} {
		r := ask(t, c.site, c.what, "Host: "+c.host)
		differs(t, c.what, r.StatusCode, c.status)
		differs(t, c.what, r.Header.Get("Location"), c.want)
	}
	addr, _ := listenTLS(t, s)
	r, err := client(t, &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}).Get("https://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	differs(t, "over TLS", r.StatusCode, 200)
	bodyOf(t, r)
}
