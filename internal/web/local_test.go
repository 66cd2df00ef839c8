package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
)

func TestStatAnswersOnlyThisMachineUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	stat := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<rtmp/>") })
	block := locations(
		config.Location{Path: "/stat", Stat: &config.Stat{}},
		config.Location{Path: "/ruled", Stat: &config.Stat{}, Access: rules("0.0.0.0/0")},
		config.Location{Path: "/token", Stat: &config.Stat{}, Token: token},
	)
	block.TrustedProxies = loopback()
	s := site(t, Deps{Stat: func(config.Stat) http.Handler { return stat }}, block)
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"from here", []string{"peer: 127.0.0.1", "Host: localhost:8080"}, 200},
		{"by address", []string{"peer: 127.0.0.1", "Host: 127.0.0.1:8080"}, 200},
		{"over IPv6", []string{"peer: ::1", "Host: [::1]:8080"}, 200},
		{"by a mapped address", []string{"peer: ::ffff:127.0.0.1", "Host: 192.0.2.1"}, 200},
		{"localhost with a final dot", []string{"peer: 127.0.0.1", "Host: LOCALHOST."}, 200},
		{"own page", []string{"peer: 127.0.0.1", "Host: localhost:8080", "Origin: http://localhost:8080"}, 200},
		{"from elsewhere", []string{"peer: 192.0.2.7", "Host: localhost"}, 403},
		{"a name that leads here (DNS rebinding)", []string{"peer: 127.0.0.1", "Host: evil.example"}, 403},
		{"a stranger's page", []string{"peer: 127.0.0.1", "Host: localhost:8080", "Origin: https://evil.example"}, 403},
		{"another port's page", []string{"peer: 127.0.0.1", "Host: localhost:8080", "Origin: http://localhost:3000"}, 403},
		{"a sandboxed page", []string{"peer: 127.0.0.1", "Host: localhost:8080", "Origin: null"}, 403},
		{"a stranger's image", []string{"peer: 127.0.0.1", "Host: localhost:8080", "Sec-Fetch-Site: cross-site"}, 403},
		{"typed into a browser", []string{"peer: 127.0.0.1", "Host: localhost:8080", "Sec-Fetch-Site: none"}, 200},
		{"X-Forwarded-For", []string{"peer: 127.0.0.1", "Host: localhost", "X-Forwarded-For: 127.0.0.1"}, 403},
		{"X-Forwarded-Anything", []string{"peer: 127.0.0.1", "Host: localhost", "X-Forwarded-Server: x"}, 403},
		{"Forwarded", []string{"peer: 127.0.0.1", "Host: localhost", "Forwarded: for=127.0.0.1"}, 403},
		{"X-Real-IP", []string{"peer: 127.0.0.1", "Host: localhost", "X-Real-IP: 127.0.0.1"}, 403},
		{"Via", []string{"peer: 127.0.0.1", "Host: localhost", "Via: 1.1 x"}, 403},
		{"X-Mst-Path", []string{"peer: 127.0.0.1", "Host: localhost", "X-Mst-Path: http://localhost/"}, 403},
	} {
		r := ask(t, s, "GET /stat", c.headers...)
		differs(t, c.name, r.StatusCode, c.status)
		body := bodyOf(t, r)
		if c.status == 200 {
			differs(t, c.name, body, "<rtmp/>")
		} else if !strings.Contains(body, "basic_auth") || !strings.Contains(body, "access") {
			t.Errorf("%s: the answer does not say how to allow it:\n%s", c.name, body)
		}
	}
	far := []string{"peer: 192.0.2.7", "Host: live.example"}
	differs(t, "access given", ask(t, s, "GET /ruled", far...).StatusCode, 200)
	differs(t, "token missing", ask(t, s, "GET /token", far...).StatusCode, 401)
	differs(t, "token given", ask(t, s, "GET /token", append(far, "Authorization: Bearer "+token)...).StatusCode, 200)

	r := httptest.NewRequest("GET", "http://localhost/stat", nil)
	r.RemoteAddr = "127.0.0.1:1"
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connKey{}, &conn{proxied: true})))
	differs(t, "PROXY header", w.Code, 403)
}

func TestALocationNobodyBuiltIsAnError(t *testing.T) {
	t.Parallel()
	for name, l := range map[string]config.Location{
		"stat": {Stat: &config.Stat{}}, "control": {Control: &config.Control{}}, "player": {Player: &config.Player{}}, "metrics": {Metrics: true}, "api": {API: &config.API{}}, "nothing": {},
	} {
		l.Path = "/"
		if _, err := Compile(locations(l), Deps{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
	s := site(t, Deps{Player: player(page)}, locations(config.Location{Path: "/", Player: &config.Player{}, CacheControl: "max-age=1"}))
	r := ask(t, s, "GET /", "peer: 192.0.2.7")
	differs(t, "player", bodyOf(t, r), "page")
	differs(t, "player's Cache-Control", r.Header.Get("Cache-Control"), "max-age=1")
	differs(t, "player's origins", r.Header.Get("Access-Control-Allow-Origin"), "*")
}
