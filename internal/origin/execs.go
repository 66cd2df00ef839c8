package origin

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// execs are the programs of an application's exec blocks.
type execs struct {
	app *Application

	mu        sync.Mutex
	queues    map[execKey]*hooks.Queue    // of blocks of events
	running   map[execKey]runningExec     // of kinds static and pull
	ending    map[execKey]<-chan struct{} // closed when the last program there is gone
	full      bool                        // no more of kind pull are started
	unwatched map[string]*time.Timer      // by stream name: ends the programs of kind pull
}

// An execKey tells programs apart. stream is empty for events and kind static.
type execKey struct{ recorder, kind, name, stream string }

type runningExec struct {
	block   config.Exec
	program *hooks.Kept
}

func newExecs(a *Application) *execs {
	return &execs{app: a, queues: make(map[execKey]*hooks.Queue), running: make(map[execKey]runningExec), ending: make(map[execKey]<-chan struct{}), unwatched: make(map[string]*time.Timer)}
}

// keep has a program run until it is stopped, or the sessions end at a stop of the
// server. It begins when the one before it with that key is gone.
func (x *execs) keep(key execKey, c hooks.Command, ready func() bool) *hooks.Kept {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.keepLocked(key, c, ready)
}

func (x *execs) keepLocked(key execKey, c hooks.Command, ready func() bool) *hooks.Kept {
	og := x.app.origin
	k := og.commands.Keep(og.ctx, c, x.ending[key], ready)
	x.ending[key] = k.Done()
	og.goes.Go(func() {
		<-k.Done()
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.ending[key] == k.Done() {
			delete(x.ending, key)
		}
	})
	return k
}

// selects says whether a block is of that kind, and for the stream.
func selects(e config.Exec, kind, stream string) bool {
	return e.Kind == kind && e.Streams.Match(stream)
}

// event has the programs of a kind of event run that blocks names for a stream.
// recorder is that of record blocks; empty: of the application.
func (x *execs) event(kind, recorder string, blocks []config.Exec, v hooks.Values) {
	for _, e := range blocks {
		if !selects(e, kind, v.Name) {
			continue
		}
		c := hooks.Command{Exec: e, Values: v, Log: x.app.log.With(zap.String("stream", v.Name))}
		x.queue(execKey{recorder: recorder, kind: kind, name: e.Name}).Run(c)
	}
}

func (x *execs) queue(key execKey) *hooks.Queue {
	x.mu.Lock()
	defer x.mu.Unlock()
	q := x.queues[key]
	if q == nil {
		q = x.app.origin.commands.Queue()
		x.queues[key] = q
	}
	return q
}

// apply ends the programs of blocks that cfg has no more, and starts those of kind
// static, if the application has a block of its own.
func (x *execs) apply(cfg *config.Application, own bool) {
	events := make(map[execKey]bool)
	for _, a := range cfg.WithStreams() {
		for _, e := range a.Execs {
			events[execKey{kind: e.Kind, name: e.Name}] = true
		}
		for _, r := range a.Records {
			for _, e := range r.Execs {
				events[execKey{recorder: r.Name, kind: e.Kind, name: e.Name}] = true
			}
		}
	}
	wanted := make(map[execKey]config.Exec)
	for _, e := range cfg.Execs {
		if own && e.Kind == "static" {
			wanted[execKey{kind: e.Kind, name: e.Name}] = e
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, q := range x.queues {
		if !events[key] {
			q.Stop()
			delete(x.queues, key)
		}
	}
	x.settleLocked(wanted, "static", "", nil)
}

// settleLocked makes the programs of a kind, of one stream, what is wanted.
func (x *execs) settleLocked(wanted map[execKey]config.Exec, kind, stream string, ready func() bool) {
	for key, r := range x.running {
		if block, ok := wanted[key]; key.kind == kind && key.stream == stream && (!ok || !config.Equal(block, r.block)) {
			r.program.Stop()
			delete(x.running, key)
		}
	}
	for key, block := range wanted {
		if _, ok := x.running[key]; ok {
			continue
		}
		if len(x.running) >= maxRunning {
			if !x.full { // a line for a time of trouble, not for each name
				x.app.log.Warn("exec is not started: too many of kind pull run", zap.String("exec", key.name), zap.String("stream", stream))
			}
			x.full = true
			continue
		}
		x.full = false
		log := x.app.log
		if stream != "" {
			log = log.With(zap.String("stream", stream))
		}
		c := hooks.Command{Exec: block, Log: log, Values: hooks.Values{Session: hooks.Session{App: x.app.name}, Name: stream}}
		x.running[key] = runningExec{block, x.keepLocked(key, c, ready)}
	}
}

// remove ends the programs that run without an event, for good.
func (x *execs) remove() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for key, r := range x.running {
		r.program.Stop()
		delete(x.running, key)
	}
	for name, t := range x.unwatched {
		t.Stop()
		delete(x.unwatched, name)
	}
}

func (x *execs) endStatic() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.settleLocked(nil, "static", "", nil)
}

// maxRunning bounds the programs of kind pull of an application: players choose the
// names that they run for.
const maxRunning = 256

// pullLinger is how long programs of kind pull go on after the last player: who loads a
// page again does not start another one, and nobody starts hundreds a second.
const pullLinger = 10 * time.Second

// pullLocked starts the programs of kind pull for a name that has players, as the newest
// rules have them. The application is locked.
func (x *execs) pullLocked(name string) {
	wanted := make(map[execKey]config.Exec)
	for _, e := range x.app.rules.Load().cfg.For(name).Execs {
		if selects(e, "pull", name) {
			wanted[execKey{kind: e.Kind, name: e.Name, stream: name}] = e
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.settleLocked(wanted, "pull", name, func() bool { return !x.app.published(name) })
}

// pullsLocked says whether a program of kind pull runs for a name.
func (x *execs) pullsLocked(name string) bool {
	for key := range x.running {
		if key.kind == "pull" && key.stream == name {
			return true
		}
	}
	return false
}

// unwatchedLocked ends the programs of kind pull for a name that has no players any more,
// unless it has some again by then. The application is locked.
func (x *execs) unwatchedLocked(name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.pullsLocked(name) {
		return
	}
	if t := x.unwatched[name]; t != nil {
		t.Reset(x.app.origin.linger)
		return
	}
	x.unwatched[name] = time.AfterFunc(x.app.origin.linger, func() {
		x.app.mu.Lock()
		defer x.app.mu.Unlock()
		x.mu.Lock()
		defer x.mu.Unlock()
		delete(x.unwatched, name)
		if x.app.players[name] == nil {
			x.settleLocked(nil, "pull", name, nil)
		}
	})
}

// applyPulls starts and ends the programs of kind pull as the newest rules have them.
func (a *Application) applyPulls() {
	a.mu.Lock()
	defer a.mu.Unlock()
	names := make(map[string]bool)
	for name := range a.players {
		names[name] = true
	}
	a.execs.mu.Lock()
	for key := range a.execs.running {
		if key.kind == "pull" {
			names[key.stream] = true // it may outlive its last player
		}
	}
	a.execs.mu.Unlock()
	for name := range names {
		a.execs.pullLocked(name)
	}
}

// published says whether somebody publishes the name now.
func (a *Application) published(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.streams[name]
	return st != nil && st.publication != nil && !st.publication.slate
}

// recordEvent runs the programs for a file of a recorder: those of its block and those
// of the application.
func (st *Stream) recordEvent(kind string, rec *config.Record, path string) {
	v := st.values()
	v.Path, v.Recorder = path, rec.Name
	st.app.execs.event(kind, rec.Name, rec.Execs, v)
	st.app.execs.event(kind, "", st.app.rules.Load().cfg.For(st.name).Execs, v)
}

// pulled says whether a program publishes the name once it has a player.
func pulled(cfg *config.Application, name string) bool {
	for _, e := range cfg.Execs {
		if selects(e, "pull", name) {
			return true
		}
	}
	return false
}
