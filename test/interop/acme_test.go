package interop

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/acme"
	"github.com/rtmpd/rtmpd/internal/testport"
)

const month = 30 * 24 * time.Hour

func TestACertificateForRTMPSIsProvedOverPlainHTTP(t *testing.T) {
	plain, rtmps := testport.Address(), testport.Address()
	a := startAuthority(t, plain, "127.0.0.1:1", month)
	l := startLocal(t, map[string]string{":80": plain, ":1936": rtmps})
	l.apply(t, a, `
rtmp {
  listen = []
  tls {
    listen  = ":1936"
    domains = ["live.example.org"]
  }
}
http {
  listen = ":80"
  location "/" {
    health {}
  }
}
`)
	cert := a.waitCertificate(t, rtmps, "live.example.org")
	if got := a.proof(t, cert); got != "http-01" {
		t.Errorf("proved by %s", got)
	}
	if got := status(t, http.DefaultClient, "http://"+plain+"/"); got != http.StatusOK {
		t.Errorf("the plain site answers %d", got)
	}
	if got := status(t, http.DefaultClient, "http://"+plain+"/.well-known/acme-challenge/of-a-stranger"); got != http.StatusOK {
		t.Errorf("a token that nobody gave out is the site's own business: %d", got)
	}
}

func TestACertificateIsProvedOverTLSAlone(t *testing.T) {
	secure := testport.Address()
	a := startAuthority(t, "127.0.0.1:1", secure, month)
	l := startLocal(t, map[string]string{":443": secure})
	l.apply(t, a, `
http {
  listen = []
  tls {
    listen  = ":443"
    domains = ["live.example.org"]
  }
  location "/" {
    health {}
  }
}
`)
	cert := a.waitCertificate(t, secure, "live.example.org")
	if got := a.proof(t, cert); got != "tls-alpn-01" {
		t.Errorf("proved by %s", got)
	}
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots, ServerName: "live.example.org"}, ForceAttemptHTTP2: h2}}
		if got := status(t, client, "https://"+secure+"/"); got != http.StatusOK {
			t.Errorf("%s over the new certificate: %d", name, got)
		}
		client.CloseIdleConnections()
	}
	c, err := tls.Dial("tcp", secure, &tls.Config{InsecureSkipVerify: true, ServerName: "live.example.org", NextProtos: []string{"acme-tls/1"}})
	if err == nil {
		c.Close()
		t.Error("a question that the authority does not ask is answered")
	}
}

const twoDomains = `
rtmp {
  listen = []
  tls {
    listen  = ":1936"
    domains = ["live.example.org", "Chat.example.org"]
  }
}
http {
  listen = ":80"
  tls {
    listen  = ":443"
    domains = ["chat.example.org", "live.example.org"]
  }
  location "/" {
    health {}
  }
}
`

func TestOneDomainHasOneCertificateHoweverOftenNamed(t *testing.T) {
	plain, secure, rtmps := testport.Address(), testport.Address(), testport.Address()
	a := startAuthority(t, plain, secure, month)
	moved := map[string]string{":80": plain, ":443": secure, ":1936": rtmps}
	l := startLocal(t, moved)
	l.apply(t, a, twoDomains)
	serials := make(map[string]string)
	for _, name := range []string{"live.example.org", "chat.example.org"} {
		web, live := a.waitCertificate(t, secure, name), a.waitCertificate(t, rtmps, name)
		if web.SerialNumber.Cmp(live.SerialNumber) != 0 {
			t.Errorf("%s has two certificates", name)
		}
		serials[name] = web.SerialNumber.String()
	}
	if n := l.logs.FilterMessage("certificate obtained").Len(); n != 2 {
		t.Errorf("%d certificates were ordered", n)
	}
	// Who names no server gets the first domain's of the block.
	c, err := tls.Dial("tcp", rtmps, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ConnectionState().PeerCertificates[0].DNSNames[0]; got != "live.example.org" {
		t.Errorf("without a name: %s", got)
	}
	c.Close()
	// The plain listener leads to TLS.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	req, _ := http.NewRequest(http.MethodGet, "http://"+plain+"/a?b", nil)
	req.Host = "live.example.org"
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got, want := resp.Header.Get("Location"), fmt.Sprintf("https://live.example.org:%d/a?b", portOf(secure)); got != want {
		t.Errorf("redirected to %q, want %q", got, want)
	}
	client.CloseIdleConnections()

	// The next start takes them from the storage: there is no authority to ask.
	l.stop()
	again := startLocal(t, moved)
	again.dir = l.dir
	again.apply(t, &authority{directory: a.directory}, twoDomains)
	for name, want := range serials {
		if got := a.waitCertificate(t, secure, name).SerialNumber.String(); got != want {
			t.Errorf("%s has another certificate after a restart", name)
		}
	}
	if n := again.logs.FilterMessage("certificate obtained").Len(); n != 0 {
		t.Errorf("%d certificates were ordered again", n)
	}
	private(t, filepath.Join(l.dir, "state", "acme"))
}

// private checks that nobody else reads what lies below dir.
func private(t *testing.T, dir string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err == nil && fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %s", path, fi.Mode())
		}
		if !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files < 3 {
		t.Errorf("%d files, %v", files, err)
	}
}

func TestADomainThatCannotBeHadLeavesTheOthers(t *testing.T) {
	plain, secure := testport.Address(), testport.Address()
	a := startAuthority(t, plain, secure, month)
	a.dns.AddDNSARecord("elsewhere.example.org.", []string{"127.0.0.2"}) // where nobody listens
	l := startLocal(t, map[string]string{":80": plain, ":443": secure})
	site := func(domains string) string {
		return `
http {
  listen = ":80"
  tls {
    listen  = ":443"
    domains = [` + domains + `]
  }
  location "/" {
    health {}
  }
}
`
	}
	l.apply(t, a, site(`"live.example.org", "elsewhere.example.org"`))
	a.waitCertificate(t, secure, "live.example.org")
	eventually(t, time.Minute, "the failure is logged", func() bool {
		return l.logs.FilterMessage("certificate not obtained").Len() > 0
	})
	line := l.logs.FilterMessage("certificate not obtained").All()[0].ContextMap()
	if line["domain"] != "elsewhere.example.org" || line["advice"] == "" || line["retry_in"] != time.Minute {
		t.Errorf("logged: %v", line)
	}
	if cert, err := a.handshake(secure, "elsewhere.example.org"); err == nil {
		t.Errorf("it has a certificate all the same: %v", cert.DNSNames)
	}

	// A connection that outlives every reload.
	held, err := tls.Dial("tcp", secure, &tls.Config{RootCAs: a.roots, ServerName: "live.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	reader := bufio.NewReader(held)
	use := func(when string) {
		t.Helper()
		if _, err := fmt.Fprintf(held, "GET / HTTP/1.1\r\nHost: live.example.org\r\n\r\n"); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ok\n" {
			t.Fatalf("%s: %q, %v", when, body, err)
		}
		resp.Body.Close()
	}
	use("at first")

	// Whoever has mended it need not wait: a reload tries at once.
	a.dns.DeleteDNSARecord("elsewhere.example.org.")
	l.apply(t, a, site(`"live.example.org", "elsewhere.example.org"`))
	a.waitCertificate(t, secure, "elsewhere.example.org")
	use("after a reload that changes nothing")

	// Added and removed at once.
	l.apply(t, a, site(`"elsewhere.example.org", "new.example.org"`))
	a.waitCertificate(t, secure, "new.example.org")
	if _, err := a.handshake(secure, "live.example.org"); !errors.As(err, new(*tls.CertificateVerificationError)) {
		t.Errorf("a removed domain: %v", err)
	}
	use("after its domain was removed")

	// An authority that is gone takes nothing away.
	gone := &authority{directory: "http://127.0.0.1:1/dir"}
	l.apply(t, gone, site(`"elsewhere.example.org", "new.example.org"`))
	if _, err := a.handshake(secure, "new.example.org"); err != nil {
		t.Errorf("with another authority's address: %v", err)
	}
	eventually(t, time.Minute, "both domains' failures are logged", func() bool {
		return l.logs.FilterMessage("certificate not obtained").Len() >= 3
	})
	use("at last")
}

func TestACertificateIsRenewedBeforeItEnds(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := startAuthority(t, ln.Addr().String(), "127.0.0.1:1", 20*time.Second)
	m := acme.New(zap.NewNop(), 200*time.Millisecond)
	defer m.Close()
	plain := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := m.HTTPChallenge(r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, answer)
	})}
	go func() { _ = plain.Serve(ln) }() // its error is Shutdown's
	defer func() { _ = plain.Shutdown(context.Background()) }()
	set := acme.Settings{Directory: a.directory, Storage: t.TempDir(), HTTP: true}
	if err := m.Prepare(set); err != nil {
		t.Fatal(err)
	}
	m.Apply(set, []string{"live.example.org"})
	get := m.Getter([]string{"live.example.org"})
	serial := func() string {
		cert, err := get(&tls.ClientHelloInfo{ServerName: "live.example.org"})
		if err != nil {
			return ""
		}
		return cert.Leaf.SerialNumber.String()
	}
	eventually(t, time.Minute, "there is a certificate", func() bool { return serial() != "" })
	first := serial()
	eventually(t, time.Minute, "there is another one", func() bool {
		now := serial()
		if now == "" {
			t.Fatal("a moment without any")
		}
		return now != first
	})
}

func status(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
