package server

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/acme"
)

func TestChallengesAreOfferedWhereAnAuthorityAsks(t *testing.T) {
	t.Parallel()
	at := func(ports ...uint16) (list value.Addresses) {
		for _, p := range ports {
			list = append(list, value.Address{Network: "tcp", Port: p})
		}
		return list
	}
	for _, c := range []struct {
		name          string
		plain, secure value.Addresses
		http, tls     bool
	}{
		{"both ports", at(80), at(443), true, true},
		{"port 80, and https elsewhere", at(8080, 80), at(8443), true, false},
		{"port 443, and plain http elsewhere", at(8080), at(443), false, true},
		{"plain http on 443 and https on 80 answer nobody, but may be all there is", at(443), at(80), true, true},
		{"ports that somebody forwards", at(8080), nil, true, false},
		{"a socket is no port", value.Addresses{{Network: "unix", Port: 80}}, at(443), false, true},
		{"nothing", nil, nil, false, false},
	} {
		cfg := &config.Config{StateDir: "/state", HTTP: []config.HTTP{{Listen: c.plain}, {TLS: &config.TLS{Listen: c.secure}}}}
		got, want := acmeSettings(cfg), acme.Settings{Storage: "/state/acme", HTTP: c.http, TLS: c.tls}
		if got != want {
			t.Errorf("%s: %+v, want %+v", c.name, got, want)
		}
	}
	cfg := &config.Config{
		StateDir: "/state",
		ACME:     config.ACME{Email: "a@example.org", DirectoryURL: "https://ca.example/dir", Storage: "/elsewhere"},
		RTMP:     []config.RTMP{{}, {TLS: &config.TLS{Domains: []string{"a.example", "b.example"}}}},
		HTTP:     []config.HTTP{{TLS: &config.TLS{Domains: []string{"b.example"}}}, {TLS: &config.TLS{Certificate: "c.pem"}}},
	}
	if got, want := acmeSettings(cfg), (acme.Settings{Email: "a@example.org", Directory: "https://ca.example/dir", Storage: "/elsewhere"}); got != want {
		t.Errorf("%+v", got)
	}
	if got := acmeDomains(cfg); !slices.Equal(got, []string{"a.example", "b.example", "b.example"}) {
		t.Errorf("domains %q", got)
	}
}

func TestAReloadWithAStorageThatCannotBeMadeChangesNothing(t *testing.T) {
	t.Parallel()
	a := &acquired{srv: &Server{acme: acme.New(nil, 0)}, cfg: &config.Config{
		ACME: config.ACME{Storage: value.Path(filepath.Join("/dev/null", "acme"))},
	}}
	if err := a.prepareACME(); err != nil {
		t.Errorf("without domains: %v", err)
	}
	a.cfg.RTMP = []config.RTMP{{TLS: &config.TLS{Domains: []string{"a.example"}}}}
	if err := a.prepareACME(); err == nil || !strings.Contains(err.Error(), "acme storage") {
		t.Errorf("with domains: %v", err)
	}
}
