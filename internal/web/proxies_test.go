package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func request(headers ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "live.example"
	r.RemoteAddr = "127.0.0.1:4711"
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "peer":
			r.RemoteAddr = value
		case "Host":
			r.Host = value
		default:
			r.Header.Add(name, value)
		}
	}
	return r
}

func TestWhoIsAsking(t *testing.T) {
	t.Parallel()
	s := site(t, Deps{}, config.HTTP{TrustedProxies: append(loopback(), prefixes("10.0.0.0/8", "2001:db8::/32")...)})
	for _, c := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"nobody in between", []string{"peer: 192.0.2.7:1"}, "192.0.2.7"},
		{"an untrusted peer's word", []string{"peer: 192.0.2.7:1", "X-Forwarded-For: 1.2.3.4"}, "192.0.2.7"},
		{"an untrusted peer's real ip", []string{"peer: 192.0.2.7:1", "X-Real-IP: 1.2.3.4"}, "192.0.2.7"},
		{"one proxy", []string{"X-Forwarded-For: 192.0.2.7"}, "192.0.2.7"},
		{"IPv6 peer", []string{"peer: [::1]:1", "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7"},
		{"mapped peer", []string{"peer: [::ffff:127.0.0.1]:1", "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7"},
		{"a unix socket", []string{"peer: @", "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7"},
		{"a lie to the left", []string{"X-Forwarded-For: 8.8.8.8, 192.0.2.7"}, "192.0.2.7"},
		{"two proxies", []string{"X-Forwarded-For: 8.8.8.8, 192.0.2.7, 10.1.2.3"}, "192.0.2.7"},
		{"two lines", []string{"X-Forwarded-For: 8.8.8.8, 192.0.2.7", "X-Forwarded-For: 10.1.2.3"}, "192.0.2.7"},
		{"all trusted", []string{"X-Forwarded-For: 10.9.9.9, 10.1.2.3"}, "10.9.9.9"},
		{"with a port", []string{"X-Forwarded-For: 192.0.2.7:5555"}, "192.0.2.7"},
		{"IPv6", []string{"X-Forwarded-For: 2001:db9::7"}, "2001:db9::7"},
		{"IPv6 with a port", []string{`X-Forwarded-For: "[2001:db9::7]:99"`}, "2001:db9::7"},
		{"IPv6 in brackets", []string{"X-Forwarded-For: [2001:db9::7]"}, "2001:db9::7"},
		{"mapped", []string{"X-Forwarded-For: ::ffff:192.0.2.7"}, "192.0.2.7"},
		{"no address", []string{"X-Forwarded-For: 192.0.2.7, unknown"}, "127.0.0.1"},
		{"no address behind a proxy", []string{"X-Forwarded-For: unknown, 10.1.2.3"}, "10.1.2.3"},
		{"empty", []string{"X-Forwarded-For: "}, "127.0.0.1"},
		{"real ip", []string{"X-Real-IP: 192.0.2.7"}, "192.0.2.7"},
		{"real ip beside the list", []string{"X-Real-IP: 8.8.8.8", "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7"},
		{"real ip that is none", []string{"X-Real-IP: me"}, "127.0.0.1"},
		{"Forwarded", []string{"Forwarded: for=192.0.2.7;proto=https;host=a.example"}, "192.0.2.7"},
		{"Forwarded: IPv6 with a port", []string{`Forwarded: proto=https; For="[2001:db8::7]:4711"`}, "2001:db8::7"},
		{"Forwarded: two hops", []string{"Forwarded: for=192.0.2.7, for=10.0.0.1"}, "192.0.2.7"},
		{"Forwarded: a lie to the left", []string{"Forwarded: for=1.1.1.1, for=192.0.2.7"}, "192.0.2.7"},
		{"Forwarded: a lie on a line before", []string{"Forwarded: for=1.1.1.1", "Forwarded: for=192.0.2.7"}, "192.0.2.7"},
		{"Forwarded: a comma in a string", []string{`Forwarded: for=1.1.1.1, for=192.0.2.7;by="a, for=10.0.0.9"`}, "192.0.2.7"},
		{"Forwarded: unknown", []string{"Forwarded: for=unknown, for=10.0.0.1"}, "10.0.0.1"},
		{"Forwarded: hidden", []string{"Forwarded: for=_hidden"}, "127.0.0.1"},
		{"Forwarded without for: X-Real-IP", []string{"Forwarded: proto=https", "X-Real-IP: 192.0.2.9"}, "192.0.2.9"},
		{"X-Forwarded-For beside Forwarded", []string{"Forwarded: for=1.1.1.1", "X-Forwarded-For: 192.0.2.7"}, "192.0.2.7"},
		{"Forwarded of an untrusted peer", []string{"peer: 192.0.2.8:1", "Forwarded: for=1.1.1.1"}, "192.0.2.8"},
		{"more hops than are followed", []string{"X-Forwarded-For: 192.0.2.7" + strings.Repeat(", 10.0.0.1", 100)}, "10.0.0.1"},
	} {
		differs(t, c.name, s.ClientAddr(request(c.headers...)).String(), c.want)
	}
}

func TestThePublicAddress(t *testing.T) {
	t.Parallel()
	free := site(t, Deps{}, config.HTTP{TrustedProxies: append(loopback(), prefixes("10.0.0.0/8")...)})
	named := site(t, Deps{}, config.HTTP{TrustedProxies: loopback(), PublicURL: []string{"https://chat.example/tv/", "http://other.example:8000"}})
	for _, c := range []struct {
		name    string
		site    *Site
		headers []string
		want    string
		header  bool
	}{
		{"Host", free, nil, "http://live.example", false},
		{"Host with port", free, []string{"Host: live.example:8080"}, "http://live.example:8080", false},
		{"public_url", named, nil, "https://chat.example/tv", false},
		{"the public_url that was asked for", named, []string{"Host: other.example:8000"}, "http://other.example:8000", false},
		{"X-Mst-Path", free, []string{"X-Mst-Path: https://live.example/mist/"}, "https://live.example/mist", true},
		{"X-Mst-Path without final slash", free, []string{"X-Mst-Path: https://live.example/mist"}, "https://live.example/mist", true},
		{"X-Mst-Path without prefix", free, []string{"X-Mst-Path: http://live.example"}, "http://live.example", true},
		{"X-Mst-Path with the scheme's port", free, []string{"X-Mst-Path: https://live.example:443/"}, "https://live.example:443", true},
		{"X-Mst-Path and Host with ports", free, []string{"Host: live.example:8443", "X-Mst-Path: https://live.example:8443/x"}, "https://live.example:8443/x", true},
		{"X-Mst-Path of another host", free, []string{"X-Mst-Path: https://evil.example/"}, "http://live.example", false},
		{"X-Mst-Path of another port", free, []string{"X-Mst-Path: https://live.example:8443/"}, "http://live.example", false},
		{"X-Mst-Path of an untrusted peer", free, []string{"peer: 192.0.2.7:1", "X-Mst-Path: https://live.example/"}, "http://live.example", false},
		{"X-Mst-Path is a script", free, []string{"X-Mst-Path: javascript:alert(1)"}, "http://live.example", false},
		{"X-Mst-Path with markup", free, []string{`X-Mst-Path: https://live.example/"><script>`}, "https://live.example/%22%3E%3Cscript%3E", true},
		{"X-Mst-Path with a user", free, []string{"X-Mst-Path: https://a@live.example/"}, "http://live.example", false},
		{"X-Mst-Path with dots", free, []string{"X-Mst-Path: https://live.example/a/../b"}, "http://live.example", false},
		{"X-Mst-Path of a public_url", named, []string{"X-Mst-Path: https://chat.example/mist/"}, "https://chat.example/mist", true},
		{"X-Mst-Path equal to Host is not enough beside public_url", named, []string{"X-Mst-Path: https://live.example/"}, "https://chat.example/tv", false},
		{"X-Mst-Path of the wrong scheme", named, []string{"X-Mst-Path: http://chat.example/"}, "https://chat.example/tv", false},
		{"X-Forwarded-Proto", free, []string{"X-Forwarded-Proto: https"}, "https://live.example", true},
		{"X-Forwarded-Proto of two proxies", free, []string{"X-Forwarded-Proto: https, http"}, "https://live.example", true},
		{"X-Forwarded-Proto of a WebSocket", free, []string{"X-Forwarded-Proto: wss"}, "https://live.example", true},
		{"X-Forwarded-Proto of a WebSocket without TLS", free, []string{"X-Forwarded-Proto: ws"}, "http://live.example", true},
		{"X-Forwarded-Proto of no kind", free, []string{"X-Forwarded-Proto: gopher"}, "http://live.example", false},
		{"X-Forwarded-Host", free, []string{"X-Forwarded-Host: live.example", "X-Forwarded-Proto: https"}, "https://live.example", true},
		{"X-Forwarded-Host of another", free, []string{"X-Forwarded-Host: evil.example"}, "http://live.example", false},
		{"X-Forwarded-Host of a public_url", named, []string{"X-Forwarded-Host: chat.example", "X-Forwarded-Proto: https"}, "https://chat.example/tv", true},
		{"X-Forwarded-Host of a public_url, and another prefix", named, []string{"X-Forwarded-Host: chat.example", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /live"}, "https://chat.example/live", true},
		{"Forwarded of a public_url", named, []string{"Forwarded: proto=https;host=chat.example"}, "https://chat.example/tv", true},
		{"X-Forwarded-Port", free, []string{"Host: live.example:8443", "X-Forwarded-Proto: https", "X-Forwarded-Port: 8443", "X-Forwarded-Host: live.example"}, "https://live.example:8443", true},
		{"X-Forwarded-Port of the scheme", free, []string{"X-Forwarded-Proto: https", "X-Forwarded-Port: 443"}, "https://live.example", true},
		{"X-Forwarded-Port that is none", free, []string{"X-Forwarded-Proto: https", "X-Forwarded-Port: 1x"}, "http://live.example", false},
		{"X-Forwarded-Prefix", free, []string{"X-Forwarded-Prefix: /tv/"}, "http://live.example/tv", true},
		{"X-Forwarded-Prefix with a host in it", free, []string{"X-Forwarded-Prefix: //evil.example/"}, "http://live.example", false},
		{"X-Forwarded-Prefix that is a URL", free, []string{"X-Forwarded-Prefix: https://evil.example/"}, "http://live.example", false},
		{"Forwarded", free, []string{`Forwarded: for=192.0.2.7;proto=https;host="live.example"`}, "https://live.example", true},
		{"Forwarded with blanks and capitals", free, []string{`Forwarded: For="[2001:db9::1]:99" ; Proto=HTTPS ; Host=live.example`}, "https://live.example", true},
		{"Forwarded: a lie to the left", free, []string{"Forwarded: for=1.1.1.1;proto=https;host=live.example, for=192.0.2.7;proto=http"}, "http://live.example", true},
		{"Forwarded by two proxies", free, []string{"Forwarded: for=192.0.2.7;proto=https;host=live.example, for=10.0.0.1;proto=http;host=inner"}, "https://live.example", true},
		{"Forwarded of another", free, []string{"Forwarded: host=evil.example"}, "http://live.example", false},
		{"Forwarded with nothing of it", free, []string{"Forwarded: for=192.0.2.7"}, "http://live.example", false},
		{"a Host that is none", free, []string{`Host: a"b`}, "", false},
	} {
		got, header := c.site.PublicURL(request(c.headers...))
		if got != c.want || header != c.header {
			t.Errorf("%s: got %q from a header: %v, want %q, %v", c.name, got, header, c.want, c.header)
		}
	}
}

func TestHeadersThatAreIgnoredAreReportedOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, peer, add string }{
		{"in Docker", "172.17.0.2", `trusted_proxies = ["private"]`},
		{"on this host", "127.0.0.1", `trusted_proxies = ["loopback"]`},
		{"elsewhere", "192.0.2.7", `trusted_proxies = ["192.0.2.7"]`},
	} {
		log, logs := observed()
		s := site(t, Deps{Log: log}, locations(config.Location{Path: "/", Health: true}))
		for range 5 {
			ask(t, s, "GET /", "peer: "+c.peer, "X-Forwarded-For: 1.2.3.4")
		}
		all := logs.All()
		if len(all) != 1 || all[0].ContextMap()["add"] != c.add {
			t.Errorf("%s: got %v, want one line that says %s", c.name, all, c.add)
		}
	}
	log, logs := observed()
	s := site(t, Deps{Log: log}, config.HTTP{TrustedProxies: loopback()})
	for range 5 {
		s.PublicURL(request("X-Forwarded-Host: evil.example"))
	}
	if n := logs.Len(); n != 1 {
		t.Errorf("a foreign public address is logged %d times, want once", n)
	}
}

func TestAccessRulesJudgeTheClientNotTheProxy(t *testing.T) {
	t.Parallel()
	cfg := locations(config.Location{Path: "/", Health: true, Access: rules("192.0.2.0/24")})
	cfg.TrustedProxies = loopback()
	s := site(t, Deps{}, cfg)
	differs(t, "let in", ask(t, s, "GET /", "peer: 127.0.0.1", "X-Forwarded-For: 192.0.2.7").StatusCode, 200)
	differs(t, "refused", ask(t, s, "GET /", "peer: 127.0.0.1", "X-Forwarded-For: 203.0.113.7").StatusCode, 403)
	differs(t, "forged", ask(t, s, "GET /", "peer: 203.0.113.7", "X-Forwarded-For: 192.0.2.7").StatusCode, 403)
	differs(t, "Forwarded", ask(t, s, "GET /", "peer: 127.0.0.1", "Forwarded: for=192.0.2.7").StatusCode, 200)
	differs(t, "Forwarded, refused", ask(t, s, "GET /", "peer: 127.0.0.1", "Forwarded: for=203.0.113.7").StatusCode, 403)
	differs(t, "no proxy", ask(t, s, "GET /", "peer: 192.0.2.7").StatusCode, 200)
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	cfg := locations(
		config.Location{Path: "/out", Redirect: "https://other.example/x?a=b&c=$d"},
		config.Location{Path: "/in", Redirect: "/live/test.m3u8"},
		config.Location{Path: "/cached", Redirect: "/x", CacheControl: "max-age=9"},
	)
	cfg.TrustedProxies = loopback()
	s := site(t, Deps{}, cfg)
	cfg.PublicURL = []string{"https://chat.example/tv"}
	prefixed := site(t, Deps{}, cfg)
	for _, c := range []struct {
		name, path string
		site       *Site
		header     string
		want       string
		cache      string
	}{
		{"a URL as it stands", "/out?x=y", s, "X-A: b", "https://other.example/x?a=b&c=$d", "no-cache"},
		{"a path as it stands", "/in", s, "X-A: b", "/live/test.m3u8", "no-cache"},
		{"below the location", "/in/deep", s, "X-A: b", "/live/test.m3u8", "no-cache"},
		{"behind a proxy that strips a prefix", "/in", s, "X-Forwarded-Prefix: /tv", "http://example.com/tv/live/test.m3u8", "private"},
		{"a URL is nobody's business", "/out", s, "X-Forwarded-Prefix: /tv", "https://other.example/x?a=b&c=$d", "no-cache"},
		{"public_url with a prefix", "/in", prefixed, "X-A: b", "https://chat.example/tv/live/test.m3u8", "no-cache"},
		{"cache_control", "/cached", s, "X-A: b", "/x", "max-age=9"},
	} {
		r := ask(t, c.site, "GET "+c.path, "peer: 127.0.0.1", c.header)
		differs(t, c.name, r.StatusCode, 302)
		differs(t, c.name, r.Header.Get("Location"), c.want)
		differs(t, c.name, r.Header.Get("Cache-Control"), c.cache)
		if vary := strings.Contains(r.Header.Get("Vary"), "X-Mst-Path"); vary != (c.cache == "private") {
			t.Errorf("%s: Vary is %q", c.name, r.Header.Get("Vary"))
		}
	}
	differs(t, "POST", ask(t, s, "POST /in").StatusCode, 405)
}

func FuzzForwarded(f *testing.F) {
	for _, h := range []string{"192.0.2.7", "a, b", `for="[2001:db8::1]:9";proto=https;host=live.example`, "https://live.example/x/", `for="\"";host="`, "/tv", "::1%eth0", "443", "[", ",,;;==\"\\"} {
		f.Add(h, h, "live.example")
	}
	s := site(f, Deps{}, config.HTTP{TrustedProxies: append(loopback(), prefixes("10.0.0.0/8")...)})
	names := []string{"X-Forwarded-For", "Forwarded", "X-Mst-Path", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-Ip"}
	f.Fuzz(func(t *testing.T, a, b, host string) {
		fuzztime.Bound(t)
		for i, name := range names {
			r := request("Host: " + host)
			r.Header[name] = []string{a, b}
			other := names[(i+1)%len(names)]
			r.Header[other] = []string{b}
			if got := s.ClientAddr(r); !got.IsValid() || got.Zone() != "" || got.Is4In6() {
				t.Fatalf("client address %v", got)
			}
			base, header := s.PublicURL(r)
			if base == "" {
				continue
			}
			u, ok := parseBase(base)
			if !ok || strings.ContainsAny(base, "\"'<> \\\r\n") {
				t.Fatalf("public address %q", base)
			}
			if header && u.host != withPort(strings.ToLower(host), strings.SplitN(base, ":", 2)[0]) {
				t.Fatalf("public address %q for host %q", base, host)
			}
		}
	})
}
