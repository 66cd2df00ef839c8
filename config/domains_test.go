package config

import (
	"strings"
	"testing"
)

// said loads src and returns what was said about it.
func said(t *testing.T, src string) (*Config, string) {
	t.Helper()
	cfg, files, diags := loadText(t, src, LoadOptions{Env: testEnv})
	return cfg, text(files, diags)
}

func TestWithDomainsThePlainListenersRedirectUnlessToldNotTo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, tls string
		want      bool
	}{
		{"domains alone", `domains = ["live.example.org"]`, true},
		{"domains, and redirect = false", "domains = [\"live.example.org\"]\nredirect = false", false},
		{"files alone", "certificate = \"cert.pem\"\nkey = \"key.pem\"", false},
	} {
		cfg, _ := said(t, "http {\n listen = \":80\"\n tls {\n listen = \":443\"\n "+c.tls+"\n }\n}\n")
		if got := cfg.HTTP[0].TLS.Redirect; got != c.want {
			t.Errorf("%s: redirect is %v", c.name, got)
		}
	}
}

func TestDomainsNeedAListenerWhereTheAuthorityAsks(t *testing.T) {
	t.Parallel()
	rtmps := "rtmp {\n tls {\n listen = \":1936\"\n domains = [\"live.example.org\"]\n }\n}\n"
	for _, c := range []struct {
		name, src string
		ok        bool
	}{
		{"no http at all", rtmps, false},
		{"plain http on port 80", rtmps + "http {\n listen = \"192.0.2.1:80\"\n}\n", true},
		{"https on port 443, with domains of its own", rtmps + "http {\n listen = []\n tls {\n listen = \":443\"\n domains = [\"a.example\"]\n }\n}\n", true},
		{"plain http on port 443", rtmps + "http {\n listen = \":443\"\n}\n", false},
		{"https on port 80", rtmps + "http {\n listen = []\n tls {\n listen = \":80\"\n domains = [\"a.example\"]\n }\n}\n", false},
	} {
		_, got := said(t, c.src)
		if strings.Contains(got, "domains need an http listener on port 80 or 443") == c.ok {
			t.Errorf("%s:\n%s", c.name, got)
		}
	}
}

func TestAnACMEBlockThatNothingUsesIsWarnedAbout(t *testing.T) {
	t.Parallel()
	const acme = "acme {\n email = \"a@example.org\"\n}\n"
	if _, got := said(t, acme+"rtmp {\n}\n"); !strings.Contains(got, "warning: acme is used by no tls block") {
		t.Errorf("without domains: %q", got)
	}
	if _, got := said(t, acme+"http {\n listen = \":80\"\n tls {\n listen = \":443\"\n domains = [\"a.example\"]\n }\n}\n"); got != "" {
		t.Errorf("with domains: %q", got)
	}
}
