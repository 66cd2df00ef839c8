package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stored puts a certificate for name into the storage, as if it had been fetched
// from the authority at directory.
func stored(t *testing.T, dir, directory, name string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := certmagic.PEMEncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := json.Marshal(certmagic.CertificateResource{SANs: []string{name}})
	if err != nil {
		t.Fatal(err)
	}
	s := &store{dir: dir, locks: new(locks)}
	keys, issuer := certmagic.StorageKeys, keyOf(directory)
	for file, data := range map[string][]byte{
		keys.SiteCert(issuer, name):       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keys.SitePrivateKey(issuer, name): keyPEM,
		keys.SiteMeta(issuer, name):       meta,
	} {
		if err := s.Store(t.Context(), file, data); err != nil {
			t.Fatal(err)
		}
	}
}

// dead is an authority that answers nothing but errors.
func dead(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.URL + "/dir"
}

func serialOf(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), name string) int64 {
	c, err := get(&tls.ClientHelloInfo{ServerName: name})
	if err != nil {
		return 0
	}
	return c.Leaf.SerialNumber.Int64()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

func TestNothingRunsWithoutDomains(t *testing.T) {
	m := New(zap.NewNop(), 0)
	defer m.Close()
	running := goleak.IgnoreCurrent()
	dir := filepath.Join(t.TempDir(), "acme")
	m.Apply(Settings{Storage: dir}, nil)
	if err := goleak.Find(running); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the storage was made")
	}
	if _, err := m.Getter([]string{"a.example"})(&tls.ClientHelloInfo{ServerName: "a.example"}); err == nil {
		t.Error("a certificate out of nowhere")
	}
}

func TestAHandshakeGetsTheCertificateOfItsName(t *testing.T) {
	set := Settings{Directory: dead(t), Storage: t.TempDir()}
	stored(t, set.Storage, set.Directory, "a.example", 1)
	stored(t, set.Storage, set.Directory, "b.example", 2)
	stored(t, set.Storage, set.Directory, "c.example", 3)
	m := New(zap.NewNop(), 0)
	defer m.Close()
	m.Apply(set, []string{"a.example", "B.example", "c.example", "b.example."})
	if n := len(m.keeper.domains); n != 3 {
		t.Errorf("%d domains", n)
	}
	get := m.Getter([]string{"A.example", "b.example"})
	eventually(t, "all are loaded", func() bool {
		return serialOf(get, "a.example") == 1 && serialOf(get, "b.example") == 2 && serialOf(m.Getter([]string{"c.example"}), "") == 3
	})
	for name, want := range map[string]int64{
		"a.example": 1, "b.example": 2, "B.Example.": 2,
		"":          1, // an old client, or an address instead of a name
		"c.example": 1, // a domain of another block
		"d.example": 1,
	} {
		if got := serialOf(get, name); got != want {
			t.Errorf("%q: certificate %d, want %d", name, got, want)
		}
	}
}

func TestReloads(t *testing.T) {
	first, second := Settings{Directory: dead(t), Storage: t.TempDir()}, Settings{Directory: dead(t), Storage: t.TempDir()}
	stored(t, first.Storage, first.Directory, "a.example", 1)
	stored(t, first.Storage, first.Directory, "b.example", 2)
	stored(t, second.Storage, second.Directory, "a.example", 3)
	m := New(zap.NewNop(), 0)
	defer m.Close()
	a, b := m.Getter([]string{"a.example"}), m.Getter([]string{"b.example"})
	m.Apply(first, []string{"a.example"})
	eventually(t, "a is there", func() bool { return serialOf(a, "") == 1 })
	m.Apply(first, []string{"a.example", "b.example"})
	eventually(t, "b is there", func() bool { return serialOf(b, "") == 2 })
	m.Apply(first, []string{"b.example"})
	if got := serialOf(a, ""); got != 0 {
		t.Errorf("a was removed and has certificate %d", got)
	}
	m.Apply(first, []string{"a.example", "b.example"})
	eventually(t, "a is back", func() bool { return serialOf(a, "") == 1 })

	// Other settings: what they have not got is served as it was.
	m.Apply(second, []string{"a.example", "b.example"})
	if got := serialOf(b, ""); got != 2 {
		t.Errorf("b with another authority: certificate %d", got)
	}
	eventually(t, "a is the other authority's", func() bool { return serialOf(a, "") == 3 })
	if got := serialOf(b, ""); got != 2 {
		t.Errorf("b, which it will not give: certificate %d", got)
	}
	m.Apply(second, nil)
	if serialOf(a, "") != 0 || serialOf(b, "") != 0 {
		t.Error("certificates without domains")
	}
	m.Close()
	m.Apply(second, []string{"a.example"})
	if m.keeper != nil {
		t.Error("a closed manager takes domains")
	}
}

func TestAFailureIsLoggedOnceWithAdviceAndTriedAgainAtAReload(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	m := New(zap.New(core), 0)
	defer m.Close()
	set := Settings{Directory: dead(t), Storage: t.TempDir(), HTTP: true}
	m.Apply(set, []string{"a.example"})
	eventually(t, "it is logged", func() bool { return logs.Len() > 0 })
	line := logs.All()[0]
	if f := line.ContextMap(); line.Message != "certificate not obtained" || f["domain"] != "a.example" || f["retry_in"] != time.Minute || f["advice"] == "" || f["err"] == "" && f["error"] == "" {
		t.Errorf("%s %v", line.Message, line.ContextMap())
	}
	m.Apply(set, []string{"a.example"})
	eventually(t, "it is tried again", func() bool { return logs.Len() > 1 })
	if f := logs.All()[1].ContextMap(); f["retry_in"] != 2*time.Minute {
		t.Errorf("the second pause: %v", f["retry_in"])
	}
	if logs.Len() != 2 {
		t.Errorf("%d lines for two failures: %v", logs.Len(), logs.All())
	}
}

func TestAnAuthorityThatNeverAnswersDoesNotDelayTheEnd(t *testing.T) {
	asked := make(chan struct{})
	ended := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(ended)
	}))
	defer s.Close()
	m := New(zap.NewNop(), 0)
	m.Apply(Settings{Directory: s.URL, Storage: t.TempDir()}, []string{"a.example"})
	<-asked
	m.Close() // waits for the request, which would take half a minute
	<-ended
}

func TestWhatMaintenanceAsksForEndsWithTheKeeper(t *testing.T) {
	keeper, stop := context.WithCancel(t.Context())
	ctx, cancel := (&authority{ctx: keeper}).bound(t.Context())
	defer cancel()
	if ctx.Err() != nil {
		t.Error("it ends before")
	}
	stop()
	<-ctx.Done()
}

func TestAStorageThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m := New(zap.NewNop(), 0)
	if err := m.Prepare(Settings{Storage: filepath.Join(file, "acme")}); err == nil || !strings.Contains(err.Error(), "acme storage") {
		t.Errorf("%v", err)
	}
	if err := m.Prepare(Settings{Storage: filepath.Join(t.TempDir(), "a", "b")}); err != nil {
		t.Error(err)
	}
}

func TestChallengesAreAnsweredWhileTheyLast(t *testing.T) {
	var c challenges
	ch := acme.Challenge{
		Type: acme.ChallengeTypeHTTP01, Token: "tok", KeyAuthorization: "tok.thumb",
		Identifier: acme.Identifier{Type: "dns", Value: "A.example"},
	}
	asking := &tls.ClientHelloInfo{ServerName: "a.example", SupportedProtos: []string{"acme-tls/1"}}
	answers := func() (text string, over *tls.Config) {
		text, _ = c.HTTPChallenge("/.well-known/acme-challenge/tok")
		over, err := c.TLSChallenge(asking)
		if (over == nil) == (err == nil) {
			t.Errorf("%v, %v", over, err)
		}
		return text, over
	}
	if text, over := answers(); text != "" || over != nil {
		t.Errorf("before: %q, %v", text, over)
	}
	for _, s := range []acmez.Solver{(*httpSolver)(&c), (*tlsSolver)(&c)} {
		if err := s.Present(t.Context(), ch); err != nil {
			t.Fatal(err)
		}
	}
	text, over := answers()
	if text != "tok.thumb" || over == nil || over.NextProtos[0] != "acme-tls/1" {
		t.Errorf("meanwhile: %q, %v", text, over)
	}
	for _, path := range []string{"/.well-known/acme-challenge/", "/.well-known/acme-challenge/tok/", "/tok", "/.well-known/acme-challenge/tokk"} {
		if text, ok := c.HTTPChallenge(path); ok {
			t.Errorf("%s answers %q", path, text)
		}
	}
	for _, protos := range [][]string{nil, {"h2"}, {"acme-tls/1", "h2"}} {
		if over, err := c.TLSChallenge(&tls.ClientHelloInfo{ServerName: "a.example", SupportedProtos: protos}); over != nil || err != nil {
			t.Errorf("a client that offers %q: %v, %v", protos, over, err)
		}
	}
	for _, s := range []acmez.Solver{(*httpSolver)(&c), (*tlsSolver)(&c)} {
		if err := s.CleanUp(t.Context(), ch); err != nil {
			t.Fatal(err)
		}
	}
	if text, over := answers(); text != "" || over != nil {
		t.Errorf("afterwards: %q, %v", text, over)
	}
}

func TestEveryKindOfFailureHasItsAdvice(t *testing.T) {
	k := &keeper{settings: Settings{Directory: "https://ca.example/dir", Storage: "/srv/acme", HTTP: true}}
	problem := func(kind string) error { return acme.Problem{Type: acme.ProblemTypeNamespace + kind} }
	for _, c := range []struct {
		name, want string
		err        error
	}{
		{"no such name", "A or AAAA record", problem("dns")},
		{"nobody listens", "http://a.example/ (port 80)", problem("connection")},
		{"somebody else answers", "somebody else answers", problem("unauthorized")},
		{"too often", "too many requests", problem("rateLimited")},
		{"CAA", "CAA record", problem("caa")},
		{"not for such names", "acme.directory_url", problem("rejectedIdentifier")},
		{"wants another address", "acme.email", problem("invalidContact")},
		{"something new", "the authority's answer says why", problem("ofTomorrow")},
		{"wrapped", "CAA record", errors.Join(errors.New("x"), problem("caa"))},
		{"a full disk", "/srv/acme", &fs.PathError{Op: "write", Path: "x", Err: errors.New("no space")}},
		{"no way to the authority", "https://ca.example/dir", &net.OpError{Op: "dial", Err: errors.New("refused")}},
		{"anything", "tried again", errors.New("hm")},
	} {
		if got := k.advice("a.example", c.err); !strings.Contains(got, c.want) {
			t.Errorf("%s: %q does not say %q", c.name, got, c.want)
		}
	}
	for want, s := range map[string]Settings{"port 443": {TLS: true}, "port 80": {HTTP: true}, "(port 80) or": {HTTP: true, TLS: true}} {
		if got := (&keeper{settings: s}).ports("a.example"); !strings.Contains(got, want) {
			t.Errorf("%+v: %q", s, got)
		}
	}
}

func TestOnlyTroubleNobodyElseReportsIsLoud(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	for _, base := range []*zap.Logger{zap.New(core), zap.New(core).Named("rtmpd")} {
		log := quiet(base)
		log.Info("a step")
		log.Named("obtain").Error("told by us")
		log.Named("maintenance").Error("maintenance")
		log.With(zap.Int("n", 1)).Error("job")
		var got []string
		for _, e := range logs.TakeAll() {
			got = append(got, e.Level.String()+" "+e.Message)
		}
		if want := []string{"debug a step", "debug told by us", "warn maintenance", "warn job"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	}
	core, logs = observer.New(zap.InfoLevel)
	log := quiet(zap.New(core))
	log.Info("a step")
	log.Named("obtain").Error("told by us")
	log.Error("job")
	if logs.Len() != 1 {
		t.Errorf("at info: %v", logs.All())
	}
}

func TestLocksWaitAndGiveUpWithTheirContext(t *testing.T) {
	var l locks
	if err := l.lock(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := l.lock(t.Context(), "b"); err != nil {
		t.Errorf("another name: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("taken: %v", err)
	}
	got := make(chan error)
	go func() { got <- l.lock(t.Context(), "a") }()
	l.unlock("a")
	if err := <-got; err != nil {
		t.Errorf("let go: %v", err)
	}
	l.unlock("a")
	l.unlock("b")
	l.unlock("never held")
	if len(l.held) != 0 {
		t.Errorf("%d locks left", len(l.held))
	}
}

func TestTheStorageKeepsWholeFilesForOurselvesAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	s := &store{dir: dir, locks: new(locks)}
	ctx := t.Context()
	if _, err := s.Load(ctx, "a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("load from no storage: %v", err)
	}
	if err := s.Delete(ctx, "a"); err != nil {
		t.Errorf("delete from no storage: %v", err)
	}
	for _, v := range []string{"one", "two"} {
		if err := s.Store(ctx, "a/b", []byte(v)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Store(ctx, "a/c/d", nil); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Load(ctx, "a/b"); string(got) != "two" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if !s.Exists(ctx, "a/b") || !s.Exists(ctx, "a") || s.Exists(ctx, "b") {
		t.Error("exists")
	}
	if info, err := s.Stat(ctx, "a/b"); err != nil || info.Size != 3 || !info.IsTerminal || info.Key != "a/b" {
		t.Errorf("%+v, %v", info, err)
	}
	for recursive, want := range map[bool][]string{false: {"a/b", "a/c"}, true: {"a/b", "a/c", "a/c/d"}} {
		if got, err := s.List(ctx, "a", recursive); !slices.Equal(got, want) || err != nil {
			t.Errorf("list: %q, %v", got, err)
		}
	}
	if fi, err := os.Stat(filepath.Join(dir, "a", "b")); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", fi.Mode(), err)
	}
	if fi, err := os.Stat(filepath.Join(dir, "a")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("mode: %v, %v", fi.Mode(), err)
	}
	for _, key := range []string{"../x", "/etc/x", "a/../../x"} {
		if err := s.Store(ctx, key, nil); err == nil {
			t.Errorf("%s is stored outside", key)
		}
	}
	if err := s.Delete(ctx, "a"); err != nil || s.Exists(ctx, "a/b") {
		t.Errorf("delete: %v", err)
	}
}

func TestAuthoritiesHaveStoragesOfTheirOwn(t *testing.T) {
	for url, want := range map[string]string{
		LetsEncrypt:                   "acme-v02.api.letsencrypt.org-directory",
		"https://ca.example:14000/a/": "ca.example-14000-a",
	} {
		if got := keyOf(url); got != want {
			t.Errorf("%s: %q", url, got)
		}
	}
}
