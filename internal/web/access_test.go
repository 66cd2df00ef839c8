package web

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// TestAccessIsJudgedFirst: in every kind of location the rules are looked at in
// their order, before the method, credentials, and what is there.
func TestAccessIsJudgedFirst(t *testing.T) {
	t.Parallel()
	rule := func(allow bool, prefix string) value.Rule {
		return value.Rule{Allow: allow, Prefix: netip.MustParsePrefix(prefix)}
	}
	ordered := value.Rules{
		rule(false, "192.0.2.7/32"), rule(true, "192.0.2.0/24"), rule(false, "192.0.2.8/32"), // too late
		rule(true, "2001:db8::/32"), {All: true},
	}
	dir := t.TempDir()
	write(t, dir, "root/x", "alias/x")
	var reached atomic.Int32
	inner := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reached.Add(1) })
	kinds := map[string]config.Location{
		"root":     {Root: value.Path(dir)},
		"alias":    {Alias: value.Path(dir + "/alias")},
		"redirect": {Redirect: "/elsewhere"},
		"health":   {Health: true},
		"stat":     {Stat: &config.Stat{}},
		"control":  {Control: &config.Control{}},
		"player":   {Player: &config.Player{}},
	}
	var all []config.Location
	for name, l := range kinds {
		l.Path, l.Access = "/"+name, ordered
		all = append(all, l)
		l.Path, l.Token = "/"+name+"-token", token
		all = append(all, l)
	}
	s := site(t, Deps{
		Stat: func(config.Stat) http.Handler { return inner }, Player: player(inner),
		Control: func(config.Control) http.Handler { return inner },
	}, locations(all...))
	bearer := "Authorization: Bearer " + token
	for name := range kinds {
		for _, peer := range []string{"192.0.2.7", "::ffff:192.0.2.7", "198.51.100.1", "2001:db9::1", "::1", "127.0.0.1"} {
			for _, what := range []string{"GET /" + name + "/x", "GET /" + name + "/none", "PUT /" + name, "GET /" + name + "-token/x"} {
				differs(t, what+" from "+peer, ask(t, s, what, "peer: "+peer, bearer).StatusCode, 403)
			}
		}
		differs(t, name+": handlers that were reached", reached.Load(), 0)
		for _, peer := range []string{"192.0.2.8", "::ffff:192.0.2.9", "2001:db8::1"} {
			if got := ask(t, s, "GET /"+name+"/x", "peer: "+peer, "Host: 192.0.2.1").StatusCode; got == 403 || got == 401 {
				t.Errorf("%s from %s: %d, want an answer", name, peer, got)
			}
			differs(t, name+" without its token from "+peer, ask(t, s, "GET /"+name+"-token/x", "peer: "+peer, "Host: 192.0.2.1").StatusCode, 401)
		}
		reached.Store(0)
	}
}
