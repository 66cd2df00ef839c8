package server

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A service is one rtmp block at run time: its applications, by name, and what
// its connections are made with. Listeners come and go; sessions keep theirs.
type service struct {
	srv   *Server
	rules atomic.Pointer[serviceRules]
	gate  listen.Gate
	hooks *hooks.Caller // of on_connect and on_disconnect

	access  atomic.Pointer[sessionLog] // nil: none
	removed atomic.Bool                // its block is gone; its sessions may not be yet

	mu   sync.Mutex
	apps map[string]*application
	// guesses are those of the applications with keys, by the name of their
	// block: all that "*" takes in have its keys, and count together.
	guesses map[string]*guessLimit
}

type serviceRules struct {
	cfg *config.RTMP
	// keys are the rings of the applications the block names, by name; those
	// that "*" takes in share its.
	keys map[string]*keyring
}

func newService(srv *Server) *service {
	return &service{srv: srv, apps: make(map[string]*application), hooks: srv.hooks.Caller(srv.log)}
}

func (v *service) options() rtmp.Options {
	c := v.rules.Load().cfg
	return rtmp.Options{
		HandshakeTimeout: c.HandshakeTimeout,
		Timeout:          c.Timeout,
		Ping:             c.Ping,
		PingTimeout:      c.PingTimeout,
		MaxMessage:       int(c.MaxMessage),
		ChunkSize:        int(c.ChunkSize),
		AckWindow:        int(c.AckWindow),
		Awake:            v.srv.awake,
	}
}

// find resolves an application's name in r: its own block, else "*".
func (r *serviceRules) find(name string) *appRules {
	cfg := r.cfg.Application(name)
	if cfg == nil {
		return nil
	}
	ring := r.keys[name]
	if ring == nil {
		ring = r.keys["*"]
	}
	return &appRules{cfg: cfg, keys: ring}
}

// guessLimit is that of an application. It outlives the application: else who
// guesses would begin anew with another name that "*" takes in.
func (v *service) guessLimit(name string) *guessLimit {
	cfg := v.rules.Load().cfg
	if !slices.ContainsFunc(cfg.Applications, func(a config.Application) bool { return a.Name == name }) {
		name = "*"
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.guesses[name]
	if g == nil {
		if v.guesses == nil {
			v.guesses = make(map[string]*guessLimit)
		}
		g = &guessLimit{}
		v.guesses[name] = g
	}
	return g
}

const maxWildApps = 1000 // names that "*" may bring to life at a time

// named returns the application that a client's connect names, or nil. One that
// only "*" has a place for comes to life with a publish or play: see alive.
func (v *service) named(name string) *application {
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.apps[name]
	if a == nil {
		rules := v.rules.Load().find(name)
		if rules == nil || value.ValidStreamName(name) != nil {
			return nil
		}
		a = newApplication(v, name, rules)
	}
	a.enter()
	return a
}

// alive returns the application of a's name that is alive, a itself if there is
// none. Whoever entered a has entered that one then.
func (v *service) alive(a *application) (*application, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if b := v.apps[a.name]; b != nil {
		if b != a {
			b.enter()
			a.leave()
		}
		return b, nil
	}
	rules := v.rules.Load().find(a.name)
	switch {
	case rules == nil:
		return nil, errAppGone
	case len(v.apps) >= maxWildApps:
		return nil, errManyApps
	}
	a.obey(rules)
	v.apps[a.name] = a
	return a, nil
}

var errManyApps = errors.New("too many different applications are in use")

// application returns the application of a name, alive, or nil.
func (v *service) application(name string) *application {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a := v.apps[name]; a != nil {
		a.enter()
		return a
	}
	rules := v.rules.Load().find(name)
	if rules == nil || value.ValidStreamName(name) != nil || len(v.apps) >= maxWildApps {
		return nil
	}
	a := newApplication(v, name, rules)
	v.apps[name] = a
	a.enter()
	return a
}

// commit swaps the block's rules and judges everything live by them. It
// returns the applications that are gone.
func (v *service) commit(r *serviceRules) (gone []*application) {
	v.mu.Lock()
	if old := v.rules.Swap(r); old != nil && (old.cfg.OnConnect != r.cfg.OnConnect || old.cfg.OnDisconnect != r.cfg.OnDisconnect) {
		v.hooks.Moved()
	}
	var stay []*application
	for name, a := range v.apps {
		rules := r.find(name)
		if rules == nil {
			delete(v.apps, name)
			gone = append(gone, a)
			continue
		}
		a.obey(rules)
		stay = append(stay, a)
	}
	for i := range r.cfg.Applications {
		name := r.cfg.Applications[i].Name
		if name != "*" && v.apps[name] == nil {
			v.apps[name] = newApplication(v, name, r.find(name))
		}
	}
	v.mu.Unlock()
	for _, a := range stay {
		a.judge()
		cfg := a.rules.Load().cfg
		a.each(func(st *stream) { st.outputs.apply(cfg.For(st.name)) })
	}
	return gone
}

// exit counts a connection out. The last one of a block that is gone closes its
// access log.
func (v *service) exit(sess *session) {
	v.gate.Leave(sess.counted)
	v.tidyLog()
}

func (v *service) tidyLog() {
	if v.removed.Load() && v.gate.Empty() {
		v.useAccessLog(nil)
	}
}

// tidy forgets an application that only "*" brought to life, once nobody uses it.
func (v *service) tidy(a *application) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sessions+len(a.streams)+len(a.ending) > 0 || v.apps[a.name] != a {
		return
	}
	cfg := v.rules.Load().cfg
	for i := range cfg.Applications {
		if cfg.Applications[i].Name == a.name {
			return
		}
	}
	delete(v.apps, a.name)
}

// all returns the applications, in no order.
func (v *service) all() []*application {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make([]*application, 0, len(v.apps))
	for _, a := range v.apps {
		all = append(all, a)
	}
	return all
}
