package server

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// An application is one name that publishers connect to, and its streams. Its
// configuration is swapped by a reload; its streams outlive that.
type application struct {
	name  string
	svc   *service
	srv   *Server
	log   *zap.Logger
	rules atomic.Pointer[appRules]
	hooks *hooks.Caller
	id    uint64 // no other application's, ever

	mu      sync.Mutex
	streams map[string]*stream // live, or kept through a grace period
	// ending holds the streams whose outputs are still closing their files:
	// the next stream of that name starts its outputs after them.
	ending   map[string]*stream
	houses   map[string]*house // of RTMP players, by stream name
	halls    map[string]*hall  // of HTTP viewers, by stream name
	claimed  int               // publishers attached
	sessions int               // connections that named it, and halls
	gone     bool
}

// appRules is what a reload swaps at once: the configuration and the keys that
// were resolved for it.
type appRules struct {
	cfg   *config.Application
	keys  *keyring
	asked asked // set as an application takes the rules
}

func newApplication(v *service, name string, rules *appRules) *application {
	a := &application{
		name:    name,
		svc:     v,
		srv:     v.srv,
		log:     v.srv.log.With(zap.String("app", name)),
		streams: make(map[string]*stream),
		ending:  make(map[string]*stream),
		houses:  make(map[string]*house),
		halls:   make(map[string]*hall),
		id:      v.srv.epochs.Add(1),
	}
	a.hooks = v.srv.hooks.Caller(a.log)
	a.obey(rules)
	return a
}

// An owner is who may come back to a stream's name or take it over: the holder
// of the same key, or without keys the same address.
type owner struct {
	holder string // stream_key label; empty for a publisher without a key
	key    keyID  // zero for a publisher without a key
	addr   netip.Addr
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

// mayClaim reports whether sess could have name now; nothing is taken yet.
func (a *application) mayClaim(name string, sess *session) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mayClaimLocked(name, sess)
}

func (a *application) mayClaimLocked(name string, sess *session) error {
	if a.gone {
		return errAppGone
	}
	if why := a.srv.keptOut.why(keptOutBy(a.name, sess.owner, name)); why != "" {
		return &busyError{why}
	}
	cfg := a.rules.Load().cfg.For(name)
	if err := a.variantBusyLocked(cfg, name); err != nil {
		return err
	}
	st := a.streams[name]
	if st == nil || st.publisher == nil {
		if limit := cfg.MaxPublishers; limit > 0 && a.claimed >= limit {
			return &busyError{fmt.Sprintf("max_publishers = %d reached", limit)}
		}
	}
	switch {
	case st == nil:
		return nil
	case cfg.OnConflict == "replace":
		return nil
	case st.publisher == nil:
		if st.owner.same(sess.owner) {
			return nil
		}
		return &busyError{"the name is kept for its publisher to come back (reconnect_grace)"}
	case cfg.OnConflict == "auto" && st.owner.same(sess.owner):
		return nil
	}
	return &busyError{"already publishing"}
}

// variantBusyLocked refuses the bare base name while one of its renditions is
// live: BASE.m3u8 is their master playlist then.
func (a *application) variantBusyLocked(cfg *config.Application, name string) error {
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

// claim gives sess the name: a new stream, or one that waits for its publisher,
// or a live one whose publisher is shown out.
func (a *application) claim(name string, sess *session) (*stream, error) {
	a.mu.Lock()
	if err := a.mayClaimLocked(name, sess); err != nil {
		a.mu.Unlock()
		return nil, err
	}
	st := a.streams[name]
	goesOn := st != nil
	if st == nil {
		st = newStream(a, name)
		a.streams[name] = st
		a.openHouseLocked(st)
	}
	old := st.publisher
	if old == nil {
		a.claimed++
	}
	st.attachLocked(sess)
	a.mu.Unlock()
	switch {
	case old != nil:
		sess.log.Info("stream goes on", zap.String("stream", name), zap.String("reason", "another publisher takes over"))
		old.kick(statusReplaced, "another publisher took over this stream")
	case goesOn:
		sess.log.Info("stream goes on", zap.String("stream", name), zap.String("reason", "it has a publisher again"))
	}
	st.outputs.apply(a.rules.Load().cfg.For(name))
	return st, nil
}

// detach ends sess's hold on st. clean says that the publisher said good-bye;
// either way the stream goes on for the grace that applies.
func (a *application) detach(st *stream, sess *session, clean bool) {
	cfg := a.rules.Load().cfg.For(st.name)
	grace := cfg.ReconnectGrace
	switch {
	case sess.condemned.Load():
		grace = 0 // else the name would be kept for who may not have it
	case clean:
		grace = cfg.HandoverGrace
	}
	a.mu.Lock()
	if st.publisher != sess {
		a.mu.Unlock()
		return
	}
	st.detachLocked()
	a.claimed--
	if a.srv.stopping() {
		a.mu.Unlock()
		return // a stop ends no stream: the next start goes on with its playlist
	}
	if grace > 0 && !a.gone {
		st.grace = a.srv.awake.AfterFunc(grace, func() { a.endIfWaiting(st) })
		a.mu.Unlock()
		sess.log.Info("publisher lost; the stream waits for it",
			zap.String("stream", st.name), zap.Duration("grace", grace), zap.Bool("clean", clean))
		return
	}
	reason := "its publisher lost the connection"
	switch {
	case a.gone:
		reason = whyAppGone
	case sess.condemned.Load():
		reason = "its publisher was disconnected by the server"
	case clean:
		reason = whyStopped
	}
	a.endLocked(st, reason)
	a.mu.Unlock()
}

func (a *application) endIfWaiting(st *stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if st.publisher == nil && a.streams[st.name] == st {
		a.endLocked(st, "its publisher did not come back")
	}
}

// endLocked takes st out of the application. Its outputs drain and end by
// themselves; at a stop of the server they were cancelled already.
func (a *application) endLocked(st *stream, reason string) {
	if st.grace != nil {
		st.grace.Stop()
	}
	delete(a.streams, st.name)
	a.ending[st.name] = st
	st.close()
	a.closeHouseLocked(st)
	log := a.log.Info
	if reason == whyStopped { // the publisher's line says so
		log = a.log.Debug
	}
	log("stream ended", zap.String("stream", st.name), zap.String("reason", reason))
	a.srv.goes.Go(func() {
		st.outputs.wait()
		a.mu.Lock()
		if a.ending[st.name] == st {
			delete(a.ending, st.name)
		}
		a.mu.Unlock()
		a.svc.tidy(a)
	})
}

// enter counts a connection that named the application; exit its end.
func (a *application) enter() {
	a.mu.Lock()
	a.sessions++
	a.mu.Unlock()
}

func (a *application) exit() {
	a.leave()
	a.svc.tidy(a)
}

// leave is exit for who has the service's lock, and leaves one that is not alive.
func (a *application) leave() {
	a.mu.Lock()
	a.sessions--
	a.mu.Unlock()
}

// remove closes the application for good: streams that wait for a publisher end
// now, the others as their sessions are shown out.
func (a *application) remove() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = true
	for _, st := range a.streams {
		if st.publisher == nil {
			a.endLocked(st, whyAppGone)
		}
	}
}

// lookup returns the live or waiting stream of that name, or nil.
func (a *application) lookup(name string) *stream {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.streams[name]
}

// each calls f for every stream, without the lock.
func (a *application) each(f func(*stream)) {
	a.mu.Lock()
	all := make([]*stream, 0, len(a.streams))
	for _, st := range a.streams {
		all = append(all, st)
	}
	a.mu.Unlock()
	for _, st := range all {
		f(st)
	}
}
