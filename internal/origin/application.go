package origin

import (
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/quota"
)

// An Application is one name that publishers connect to, and its streams. Its
// configuration is swapped by a reload; its streams outlive that.
type Application struct {
	name   string
	svc    *Service
	origin *Origin
	log    *zap.Logger
	rules  atomic.Pointer[appRules]
	hooks  *hooks.Caller
	execs  *execs
	id     uint64 // no other application's, ever
	scope  quota.Scope

	mu      sync.Mutex
	streams map[string]*Stream // live, or kept through a grace period
	// ending holds the streams whose outputs are still closing their files:
	// the next stream of that name starts its outputs after them.
	ending   map[string]*Stream
	pullers  map[string]*puller    // by stream name
	players  map[string]*playerSet // by stream name
	files    map[string]*playerSet // by the path of the file that they play
	viewers  map[string]*viewerSet // over HTTP, by stream name
	titles   map[string]title      // that an operator has set, by stream name; nil: none
	claimed  int                   // publishers attached
	sessions int                   // connections that named it, and viewer sets
	gone     bool
}

// appRules is what a reload swaps at once: the configuration and the keys that
// were resolved for it.
type appRules struct {
	cfg      *config.Application
	keys     *keyring
	triggers *hooks.Triggers
	// tokens are the rules of its tokens blocks; nil: it has none.
	tokens map[*config.Tokens]*tokenRules
	asked  asked // set as an application takes the rules
}

func newApplication(v *Service, name string, rules *appRules) *Application {
	a := &Application{
		name:    name,
		svc:     v,
		origin:  v.origin,
		log:     v.origin.Log.With(zap.String("app", name)),
		streams: make(map[string]*Stream),
		ending:  make(map[string]*Stream),
		pullers: make(map[string]*puller),
		players: make(map[string]*playerSet),
		files:   make(map[string]*playerSet),
		viewers: make(map[string]*viewerSet),
		id:      v.origin.epochs.Add(1),
	}
	a.hooks = v.origin.Hooks.Caller(a.log)
	a.execs = newExecs(a)
	a.setRules(rules)
	return a
}

// endLocked takes st out of the application. Its outputs drain and end by
// themselves; at a stop of the server they were cancelled already.
func (a *Application) endLocked(st *Stream, reason string) {
	if a.streams[st.name] != st {
		return // it has ended already
	}
	if st.grace != nil {
		st.grace.Stop()
	}
	delete(a.streams, st.name)
	a.ending[st.name] = st
	st.close()
	a.detachPlayersLocked(st)
	log := a.log.Info
	if reason == whyStopped || reason == whyServerStops { // other lines say so
		log = a.log.Debug
	}
	log("stream ended", zap.String("stream", st.name), zap.String("reason", reason))
	a.origin.ends.Go(func() {
		sums := st.sums()
		st.sayEnd(reason)
		st.outputs.wait()
		st.saySums(sums)
		a.mu.Lock()
		if a.ending[st.name] == st {
			delete(a.ending, st.name)
		}
		a.mu.Unlock()
		a.svc.tidy(a)
	})
}

// endAll ends all streams, at a stop.
func (a *Application) endAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, st := range a.streams {
		a.endLocked(st, whyServerStops)
	}
}

// enter counts a connection that named the application; Exit its end.
func (a *Application) enter() {
	a.mu.Lock()
	a.sessions++
	a.mu.Unlock()
}

func (a *Application) Exit() {
	a.leave()
	a.svc.tidy(a)
}

// leave is Exit with the service's lock held, for an application that is not alive.
func (a *Application) leave() {
	a.mu.Lock()
	a.sessions--
	a.mu.Unlock()
}

// remove closes the application for good: streams that wait for a publisher end
// now, the others as their publishers are kicked.
func (a *Application) remove() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = true
	a.execs.remove()
	for _, p := range a.pullers {
		p.stop()
	}
	for _, st := range a.streams {
		if p := st.publication; p != nil && p.slate {
			p.publisher.Kick(Reason{RuleEnded, WhyAppGone})
			st.detachLocked()
		}
		if st.publication == nil {
			a.endLocked(st, WhyAppGone)
		}
	}
}

// Stream returns the live or waiting stream of that name, or nil.
func (a *Application) Stream(name string) *Stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.streams[name]
}

// each calls f for every stream, without the lock.
func (a *Application) each(f func(*Stream)) {
	a.mu.Lock()
	all := make([]*Stream, 0, len(a.streams))
	for _, st := range a.streams {
		all = append(all, st)
	}
	a.mu.Unlock()
	for _, st := range all {
		f(st)
	}
}

// Name is what clients call the application.
func (a *Application) Name() string { return a.name }

// Hooks calls the application's hooks.
func (a *Application) Hooks() *hooks.Caller { return a.hooks }

// Config is the application's block as the newest reload has it, with what its
// stream blocks make of the stream name.
func (a *Application) Config(name string) *config.Application { return a.rules.Load().cfg.For(name) }

// Idle reports whether nobody is connected to the application, and no stream is
// live, waits for its publisher or closes its files.
func (a *Application) Idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.idleLocked()
}

func (a *Application) idleLocked() bool {
	return a.sessions+len(a.streams)+len(a.ending)+len(a.pullers) == 0
}

// busy is Idle's opposite, but for connections and streams that show their fallback.
func (a *Application) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, st := range a.streams {
		if st.publication == nil || !st.publication.slate {
			return true
		}
	}
	return len(a.ending) > 0
}
