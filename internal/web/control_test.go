package web

import (
	"io"
	"net/http"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func TestNoStrangersPageReachesControl(t *testing.T) {
	t.Parallel()
	control := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1") })
	block := locations(
		config.Location{Path: "/ruled", Control: &config.Control{}, Access: rules("192.0.2.0/24", "127.0.0.0/8")},
		config.Location{Path: "/token", Control: &config.Control{}, Token: token},
		config.Location{Path: "/basic", Control: &config.Control{}, BasicAuth: map[string]value.Secret{"admin": "$2a$04$K1GZCVPS1cxTqLe4/2WFBO0lkKQoyDP1aBfSnnwT3ufeNMjuJ2p2y"}},
	)
	block.PublicURL = []string{"https://live.example:8443/x"}
	s := site(t, Deps{Control: func(config.Control) http.Handler { return control }}, block)
	const (
		curl     = "User-Agent: curl/8"
		browser  = "User-Agent: Mozilla/5.0 (X11; Linux x86_64)"
		bearer   = "Authorization: Bearer " + token
		near     = "peer: 192.0.2.7"
		byNumber = "Host: 192.0.2.1:8080"
	)
	for _, c := range []struct {
		name    string
		what    string
		headers []string
		status  int
	}{
		{"a script", "GET /ruled/drop/client", []string{near, byNumber, curl}, 200},
		{"a script that posts", "POST /ruled/drop/client", []string{near, byNumber, curl}, 200},
		{"a script from elsewhere", "GET /ruled/drop/client", []string{"peer: 198.51.100.1", byNumber, curl}, 403},
		{"HEAD", "HEAD /ruled/drop/client", []string{near, byNumber, curl}, 405},
		{"DELETE", "DELETE /ruled/drop/client", []string{near, byNumber, curl}, 405},
		{"by a name of the local network", "GET /ruled/drop/client", []string{near, "Host: rtmpd:8080", curl}, 200},
		{"by localhost", "GET /ruled/drop/client", []string{"peer: 127.0.0.1", "Host: localhost", curl}, 200},
		{"by IPv6", "GET /ruled/drop/client", []string{near, "Host: [2001:db8::1]:8080", curl}, 200},
		{"by the public name", "GET /ruled/drop/client", []string{near, "Host: LIVE.example.", curl}, 200},
		{"a name that leads here (DNS rebinding)", "GET /ruled/drop/client", []string{near, "Host: evil.example", curl}, 403},
		{"the same in a browser, as its own page", "POST /ruled/drop/client", []string{near, "Host: evil.example", browser, "Origin: http://evil.example"}, 403},
		{"a stranger's page", "POST /ruled/drop/client", []string{near, byNumber, browser, "Origin: https://evil.example"}, 403},
		{"a sandboxed page", "POST /ruled/drop/client", []string{near, byNumber, browser, "Origin: null"}, 403},
		{"a stranger's image, with TLS", "GET /ruled/drop/client", []string{near, byNumber, browser, "Sec-Fetch-Site: cross-site"}, 403},
		{"a sister's page", "GET /ruled/drop/client", []string{near, byNumber, browser, "Sec-Fetch-Site: same-site"}, 403},
		{"a stranger's image, without", "GET /ruled/drop/client", []string{near, byNumber, browser, "Referer: http://evil.example/x"}, 403},
		{"a stranger's image, without a Referer", "GET /ruled/drop/client", []string{near, byNumber, browser}, 403},
		{"our own page", "GET /ruled/drop/client", []string{near, byNumber, browser, "Referer: http://192.0.2.1:8080/page"}, 200},
		{"our own page, posting", "POST /ruled/drop/client", []string{near, byNumber, browser, "Origin: http://192.0.2.1:8080"}, 200},
		{"our own page, with TLS", "GET /ruled/drop/client", []string{near, byNumber, browser, "Sec-Fetch-Site: same-origin"}, 200},
		{"typed into a browser, with TLS", "GET /ruled/drop/client", []string{near, byNumber, browser, "Sec-Fetch-Site: none"}, 200},

		{"no token", "GET /token/drop/client", []string{near, byNumber, curl}, 401},
		{"the token", "GET /token/drop/client", []string{near, "Host: some.example", curl, bearer}, 200},
		{"the token, from a stranger's page", "POST /token/drop/client", []string{near, byNumber, browser, bearer, "Origin: https://evil.example"}, 403},
		{"no password", "GET /basic/drop/client", []string{near, byNumber, curl}, 401},
		{"no password, by a name that leads here", "GET /basic/drop/client", []string{near, "Host: evil.example", curl}, 403},
		{"a stranger's image, for which the browser knows the password", "GET /basic/drop/client", []string{near, byNumber, browser, "Referer: http://evil.example/"}, 403},
	} {
		r := ask(t, s, c.what, c.headers...)
		differs(t, c.name, r.StatusCode, c.status)
		if c.status == 200 {
			differs(t, c.name, bodyOf(t, r), "1")
		}
		if c.status == 405 {
			differs(t, c.name+" Allow", r.Header.Get("Allow"), "GET, POST, OPTIONS")
		}
	}
	differs(t, "POST elsewhere", ask(t, site(t, Deps{}, locations(config.Location{Path: "/", Health: true})), "POST /").StatusCode, 405)
	if _, err := Compile(locations(config.Location{Path: "/c", Control: &config.Control{}}), Deps{Control: func(config.Control) http.Handler { return control }}); err == nil {
		t.Error("a control location that is open to everyone compiles")
	}
}
