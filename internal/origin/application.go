package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/hooks"
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

	mu      sync.Mutex
	streams map[string]*Stream // live, or kept through a grace period
	// ending holds the streams whose outputs are still closing their files:
	// the next stream of that name starts its outputs after them.
	ending   map[string]*Stream
	players  map[string]*playerSet // by stream name
	files    map[string]*playerSet // by the path of the file that they play
	viewers  map[string]*viewerSet // over HTTP, by stream name
	claimed  int                   // publishers attached
	sessions int                   // connections that named it, and viewer sets
	gone     bool
}

// appRules is what a reload swaps at once: the configuration and the keys that
// were resolved for it.
type appRules struct {
	cfg   *config.Application
	keys  *keyring
	asked asked // set as an application takes the rules
}

func newApplication(v *Service, name string, rules *appRules) *Application {
	a := &Application{
		name:    name,
		svc:     v,
		origin:  v.origin,
		log:     v.origin.Log.With(zap.String("app", name)),
		streams: make(map[string]*Stream),
		ending:  make(map[string]*Stream),
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

// An owner is who may come back to a stream's name or take it over: the holder
// of the same key, or without keys the same address.
type owner struct {
	holder string // stream_key label; empty for a publisher without a key
	key    keyID  // zero for a publisher without a key
	// priority is the key's, among publishers that wait.
	priority int
	addr     netip.Addr
}

func (o owner) same(p owner) bool {
	if o.key != (keyID{}) || p.key != (keyID{}) {
		return o.key == p.key
	}
	return o.addr == p.addr
}

// whyStopped is why a stream ends as it should.
const whyStopped = "its publisher stopped"

var errAppGone = errors.New("the application was removed from the configuration")

// busyError says why a name can't be had now.
type busyError struct{ reason string }

func (e *busyError) Error() string { return e.reason }

// mayClaim reports whether who could have name now; nothing is taken yet.
func (a *Application) mayClaim(name string, who owner) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mayClaimLocked(name, who)
}

func (a *Application) mayClaimLocked(name string, who owner) error {
	if a.gone {
		return errAppGone
	}
	if why := a.origin.keptOut.why(keptOutBy(a.name, who, name)); why != "" {
		return &busyError{why}
	}
	cfg := a.rules.Load().cfg.For(name)
	if err := a.variantBusyLocked(cfg, name); err != nil {
		return err
	}
	st := a.streams[name]
	if st == nil || !slices.ContainsFunc(st.publications(), func(p *Publication) bool { return cfg.OnConflict != "standby" || p.owner.same(who) }) {
		if limit := cfg.MaxPublishers; limit > 0 && a.claimed >= limit {
			return &busyError{fmt.Sprintf("max_publishers = %d reached", limit)}
		}
	}
	switch {
	case st == nil:
		return nil
	case cfg.OnConflict == "replace":
		return nil
	case cfg.OnConflict == "standby":
		if len(st.waiting) >= maxStandby {
			return &busyError{fmt.Sprintf("%d publishers wait for the stream already", maxStandby)}
		}
		return nil
	case st.publication != nil && st.publication.slate:
		return nil
	case st.publication == nil:
		if st.owner.same(who) {
			return nil
		}
		return &busyError{"the name is kept for its publisher to come back (reconnect_grace)"}
	case cfg.OnConflict == "auto" && st.owner.same(who):
		return nil
	}
	return &busyError{"already publishing"}
}

// variantBusyLocked refuses the bare base name while one of its renditions is
// live: BASE.m3u8 is their master playlist then.
func (a *Application) variantBusyLocked(cfg *config.Application, name string) error {
	if cfg.HLS == nil || len(cfg.HLS.Variants) == 0 {
		return nil
	}
	for live := range a.streams {
		if base, ok := hls.VariantBase(*cfg.HLS, live); ok && base == name {
			return &busyError{fmt.Sprintf("the rendition %q is live: %q names the set of them", live, name)}
		}
	}
	return nil
}

// claim gives p the name: a new stream, or one that waits for its publisher,
// or a live one whose publisher is kicked.
func (a *Application) claim(name string, p *Publication) error {
	a.mu.Lock()
	if err := a.mayClaimLocked(name, p.owner); err != nil {
		a.mu.Unlock()
		return err
	}
	st := a.streams[name]
	goesOn := st != nil
	if st == nil {
		st = newStream(a, name)
		a.streams[name] = st
		a.attachPlayersLocked(st)
	}
	p.stream = st
	old := st.publication
	wait, eager := false, false
	if goesOn {
		wait, eager = st.waitsFor(a.rules.Load().cfg.For(name), p.owner)
	}
	if wait {
		old = st.sameWaitingLocked(p.owner)
		st.waitLocked(p, eager)
	}
	if old == nil {
		a.claimed++
	}
	if !wait {
		st.attachLocked(p)
	}
	a.mu.Unlock()
	switch {
	case wait && old == nil && !eager:
		p.log.Info("publisher waits: the stream has another one", zap.String("stream", name))
	case wait && old == nil:
	case old != nil:
		p.log.Info("stream goes on", zap.String("stream", name), zap.String("reason", "another publisher takes over"))
		old.publisher.Kick(Reason{RuleReplaced, "another publisher took over this stream"})
	case goesOn:
		p.log.Info("stream goes on", zap.String("stream", name), zap.String("reason", "it has a publisher again"))
	}
	st.outputs.apply(a.rules.Load().cfg.For(name))
	return nil
}

// detach ends p's hold on its stream. clean says that the publisher
// unpublished; either way the stream goes on for the grace that applies.
func (a *Application) detach(p *Publication, clean bool) {
	st := p.stream
	cfg := a.rules.Load().cfg.For(st.name)
	grace := cfg.ReconnectGrace
	switch {
	case p.evicted.Load():
		grace = 0 // else the name would be kept for who may not have it
	case clean:
		grace = cfg.HandoverGrace
	}
	a.mu.Lock()
	if i := slices.Index(st.waiting, p); i >= 0 {
		st.waiting = slices.Delete(st.waiting, i, i+1)
		a.claimed--
	}
	if st.publication != p {
		a.mu.Unlock()
		return
	}
	st.detachLocked()
	if !p.slate {
		a.claimed--
	}
	if a.origin.Stopping() {
		a.mu.Unlock()
		return // a stop ends no stream: the next start goes on with its playlist
	}
	if grace > 0 && !a.gone {
		st.grace = a.origin.Awake.AfterFunc(grace, func() { a.endIfWaiting(st) })
		a.mu.Unlock()
		p.log.Info("publisher lost; the stream waits for it",
			zap.String("stream", st.name), zap.Duration("grace", grace), zap.Bool("clean", clean))
		return
	}
	reason := "its publisher lost the connection"
	switch {
	case a.gone:
		reason = WhyAppGone
	case p.evicted.Load():
		reason = "its publisher was disconnected by the server"
	case clean:
		reason = whyStopped
	}
	a.endOrGoOnLocked(st, reason)
	a.mu.Unlock()
}

func (a *Application) endIfWaiting(st *Stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if st.publication == nil && a.streams[st.name] == st {
		a.endOrGoOnLocked(st, "its publisher did not come back")
	}
}

// endOrGoOnLocked ends a stream without a publisher, unless somebody waits for it.
func (a *Application) endOrGoOnLocked(st *Stream, reason string) {
	if next := st.nextLocked(); next != nil && !a.gone {
		st.onAirLocked(next)
		return
	}
	if cfg := a.rules.Load().cfg.For(st.name); showsFallback(cfg, st.name) && !a.gone && !a.origin.Stopping() {
		a.startSlateLocked(st, cfg.Fallback)
		return
	}
	a.endLocked(st, reason)
}

// endLocked takes st out of the application. Its outputs drain and end by
// themselves; at a stop of the server they were cancelled already.
func (a *Application) endLocked(st *Stream, reason string) {
	if st.grace != nil {
		st.grace.Stop()
	}
	delete(a.streams, st.name)
	a.ending[st.name] = st
	st.close()
	a.detachPlayersLocked(st)
	log := a.log.Info
	if reason == whyStopped { // the publisher's line says so
		log = a.log.Debug
	}
	log("stream ended", zap.String("stream", st.name), zap.String("reason", reason))
	a.origin.goes.Go(func() {
		st.outputs.wait()
		a.mu.Lock()
		if a.ending[st.name] == st {
			delete(a.ending, st.name)
		}
		a.mu.Unlock()
		a.svc.tidy(a)
	})
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

func (a *Application) idleLocked() bool { return a.sessions+len(a.streams)+len(a.ending) == 0 }

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
