package web

import (
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// fakeACME has one certificate, and is being asked one question.
type fakeACME struct{ cert tls.Certificate }

func (f *fakeACME) Getter(domains []string) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if domains[0] != "live.example" {
			return nil, errors.New("not yet")
		}
		return &f.cert, nil
	}
}

func (f *fakeACME) HTTPChallenge(path string) (string, bool) {
	return "tok.thumb", path == "/.well-known/acme-challenge/tok"
}

func (f *fakeACME) TLSChallenge(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if len(hello.SupportedProtos) != 1 || hello.SupportedProtos[0] != "acme-tls/1" {
		return nil, nil
	}
	if hello.ServerName != "live.example" {
		return nil, errors.New("no question")
	}
	return &tls.Config{Certificates: []tls.Certificate{f.cert}, NextProtos: []string{"acme-tls/1"}}, nil
}

func newFakeACME(t *testing.T) *fakeACME {
	t.Helper()
	dir := t.TempDir()
	pair(t, dir, 7)
	cert, err := tls.LoadX509KeyPair(dir+"/cert.pem", dir+"/key.pem")
	if err != nil {
		t.Fatal(err)
	}
	return &fakeACME{cert}
}

func TestPlainListenersAnswerTheAuthorityBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	deps := Deps{ACME: newFakeACME(t)}
	deny := value.Rules{{Allow: false, All: true}}
	locked := locations(config.Location{Path: "/", Health: true, Access: deny})
	redirected := locations(config.Location{Path: "/", Health: true})
	redirected.TLS = &config.TLS{Domains: []string{"live.example"}, Redirect: true, Listen: value.Addresses{{Port: 443}}}
	for name, c := range map[string]struct {
		cfg   config.HTTP
		other int
	}{"nobody is let in": {locked, 403}, "all is redirected": {redirected, 302}} {
		s := site(t, deps, c.cfg)
		r := ask(t, s, "GET /.well-known/acme-challenge/tok", "Host: live.example")
		differs(t, name, r.StatusCode, 200)
		differs(t, name, bodyOf(t, r), "tok.thumb")
		for _, other := range []string{"GET /.well-known/acme-challenge/other", "GET /", "HEAD /.well-known/acme-challenge/tok"} {
			differs(t, name+": "+other, ask(t, s, other, "Host: live.example").StatusCode, c.other)
		}
	}
	// Without domains the path is nobody's.
	r := ask(t, site(t, Deps{}, locations(config.Location{Path: "/x", Health: true})), "GET /.well-known/acme-challenge/tok")
	differs(t, "without domains", r.StatusCode, 404)
}

func TestTLSListenersAnswerTheAuthorityAndServeWhatItGave(t *testing.T) {
	t.Parallel()
	f := newFakeACME(t)
	files := t.TempDir()
	pair(t, files, 8)
	fetched := locations(config.Location{Path: "/", Health: true})
	fetched.TLS = &config.TLS{Domains: []string{"live.example"}}
	kept := locations(config.Location{Path: "/", Health: true})
	kept.TLS = &config.TLS{Certificate: value.Path(files + "/cert.pem"), Key: value.Path(files + "/key.pem")}
	for name, c := range map[string]struct {
		cfg  config.HTTP
		want int64
	}{"domains": {fetched, 7}, "files, the domains are another listener's": {kept, 8}} {
		addr, _ := listenTLS(t, site(t, Deps{ACME: f}, c.cfg))
		differs(t, name, serial(t, addr), c.want)
		over := func(host string) (*tls.Conn, error) {
			d := &net.Dialer{}
			return tls.DialWithDialer(d, "tcp", addr, &tls.Config{InsecureSkipVerify: true, ServerName: host, NextProtos: []string{"acme-tls/1"}})
		}
		conn, err := over("live.example")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		differs(t, name+": protocol", conn.ConnectionState().NegotiatedProtocol, "acme-tls/1")
		differs(t, name+": certificate", conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), 7)
		_ = conn.Close()
		if conn, err := over("other.example"); err == nil {
			_ = conn.Close()
			t.Errorf("%s: a question nobody asks is answered", name)
		}
	}
	if _, err := Compile(fetched, Deps{}); err == nil {
		t.Error("domains without anybody who fetches certificates: no error")
	}
}
