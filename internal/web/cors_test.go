package web

import (
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func TestWhichOriginsMayRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.ts", "")
	s := site(t, Deps{}, locations(
		config.Location{Path: "/open", Alias: value.Path(dir)},
		config.Location{Path: "/some", Alias: value.Path(dir), CORSOrigins: []string{"https://a.example", "https://b.example"}},
		config.Location{Path: "/none", Alias: value.Path(dir), CORSOrigins: []string{}},
		config.Location{Path: "/health", Health: true},
		config.Location{Path: "/health2", Health: true, CORSOrigins: []string{"*"}},
	))
	for _, c := range []struct{ path, origin, allow, vary string }{
		{"/open/a.ts", "https://x.example", "*", ""},
		{"/open/a.ts", "", "*", ""},
		{"/open/missing", "https://x.example", "*", ""},
		{"/some/a.ts", "https://b.example", "https://b.example", "Origin"},
		{"/some/a.ts", "https://x.example", "", "Origin"},
		{"/some/a.ts", "", "", "Origin"},
		{"/none/a.ts", "https://a.example", "", ""},
		{"/health", "https://a.example", "", ""},
		{"/health2", "https://a.example", "*", ""},
	} {
		r := ask(t, s, "GET "+c.path, "Origin: "+c.origin)
		differs(t, c.path+" "+c.origin, r.Header.Get("Access-Control-Allow-Origin"), c.allow)
		differs(t, c.path+" "+c.origin+" vary", r.Header.Get("Vary"), c.vary)
		if exposed := r.Header.Get("Access-Control-Expose-Headers") != ""; exposed != (c.allow != "") {
			t.Errorf("%s %s: headers exposed %v", c.path, c.origin, exposed)
		}
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := site(t, Deps{}, locations(
		config.Location{Path: "/open", Alias: value.Path(dir)},
		config.Location{Path: "/locked", Alias: value.Path(dir), Token: "0123456789abcdef"},
		config.Location{Path: "/far", Alias: value.Path(dir), Access: rules("10.0.0.0/8")},
		config.Location{Path: "/none", Alias: value.Path(dir), CORSOrigins: []string{}},
	))
	for _, c := range []struct {
		path    string
		status  int
		methods string
	}{
		{"/open/x", 204, "GET, HEAD, OPTIONS"},
		{"/locked/x", 204, "GET, HEAD, OPTIONS"}, // browsers send no credentials with it
		{"/far/x", 403, ""},
		{"/none/x", 204, ""},
		{"/nowhere", 404, ""},
	} {
		r := ask(t, s, "OPTIONS "+c.path, "Origin: https://x.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: range")
		differs(t, c.path, r.StatusCode, c.status)
		differs(t, c.path, r.Header.Get("Access-Control-Allow-Methods"), c.methods)
		differs(t, c.path, min(len(r.Header.Get("Access-Control-Allow-Headers")), 1), min(len(c.methods), 1))
	}
	r := ask(t, s, "OPTIONS /open/x")
	differs(t, "plain OPTIONS", r.StatusCode, 204)
	differs(t, "plain OPTIONS", r.Header.Get("Allow"), "GET, HEAD, OPTIONS")
	differs(t, "plain OPTIONS", r.Header.Get("Access-Control-Allow-Methods"), "")
}

func TestPreflightHasTheHeadersAttribute(t *testing.T) {
	t.Parallel()
	s := site(t, Deps{}, locations(config.Location{
		Path: "/live", Alias: value.Path(t.TempDir()), CORSOrigins: []string{"https://a.example"}, BasicAuth: map[string]value.Secret{"u": "$2a$04$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"},
		Headers: map[string]string{"Access-Control-Allow-Credentials": "true", "Cache-Control": "no-store", "Access-Control-Max-Age": "60"},
	}))
	for _, request := range []string{"OPTIONS /live/x.m3u8", "GET /live/x.m3u8"} {
		r := ask(t, s, request, "Origin: https://a.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization")
		differs(t, request, r.Header.Get("Access-Control-Allow-Credentials"), "true")
		differs(t, request, r.Header.Get("Access-Control-Allow-Origin"), "https://a.example")
		differs(t, request, r.Header.Get("Access-Control-Max-Age"), "60")
	}
}
