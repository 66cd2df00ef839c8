package origin

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/cmcd"
	"github.com/rtmpd/rtmpd/internal/quota"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// A viewerSet is the HTTP viewers of a name. It stays while it has viewers or the
// stream is there.
type viewerSet struct {
	app     *Application
	name    string
	cookie  string // the name of the cookie that keeps the token of its viewers
	counter *viewers.Counter
	used    atomic.Int64 // Unix s of the last request
	closed  atomic.Bool

	health atomic.Pointer[cmcd.Health] // by what players say; nil: none has said anything

	invalidated   atomic.Uint64 // the epoch of the last invalidation; 0: none
	invalidatedAt atomic.Int64  // and when that was, Unix ns
}

// emptyKept is how long a viewerSet without viewers is kept for the next one.
const emptyKept = time.Minute

var errViewersOut = errors.New("the stream's viewers were disconnected")

// openViewers returns the viewers of a name; nil: the application is gone. The
// application was entered, and each set stands for one that has.
func (a *Application) openViewers(name string) *viewerSet {
	a.mu.Lock()
	h := a.viewers[name]
	fresh := h == nil && !a.gone
	if fresh {
		h = &viewerSet{app: a, name: name, cookie: cookieName(a.name, name), counter: a.origin.audience.pool.NewCounter(silence * unknownTarget)}
		h.used.Store(time.Now().Unix())
		a.viewers[name] = h
	}
	a.mu.Unlock()
	if !fresh {
		a.Exit()
	}
	return h
}

// room says whether one more viewer may come.
func (h *viewerSet) room(cfg *config.Application, v *viewers.Visit) error {
	from := h.app.sourceOfViewer(v, cfg)
	h.app.mu.Lock()
	defer h.app.mu.Unlock()
	if err := h.app.roomFor(h.name, from, cfg.For(h.name)); err != nil {
		return err
	}
	return h.app.hasSeat(from, h.app.rateLocked(h.name), v.Scope)
}

// join counts a new viewer. Who asks for a master playlist is there for a while,
// too, for the hooks to hear of its end, but takes nobody's place.
func (h *viewerSet) join(rules *appRules, id viewers.ID, v viewers.Visit, counted bool) error {
	cfg := rules.cfg
	done := h.doneCall(rules, id, v)
	h.app.mu.Lock()
	defer h.app.mu.Unlock()
	if h.closed.Load() { // while on_play was asked; no hook would hear of its end
		h.drop(done)
		return errViewersOut
	}
	limits, from := cfg.For(h.name), h.app.sourceOfViewer(&v, cfg)
	var seat *quota.Seat
	if counted {
		err := h.app.roomFor(h.name, from, limits)
		if err == nil {
			seat, err = h.app.seat(from, h.app.rateLocked(h.name), v.Scope)
		}
		if err != nil {
			h.drop(done)
			return err
		}
	}
	var info any
	if done != nil {
		info = done
	}
	fresh, err := h.counter.Join(id, from, v.Now, info)
	if !fresh || !h.counter.Seat(id, seat) {
		seat.Leave(false)
	}
	if !fresh {
		h.drop(done)
	} else if counted {
		h.app.origin.viewed.Add(1)
	}
	if err != nil && cfg.Limits == nil && limits.MaxPlayers == 0 && limits.MaxBandwidth == 0 {
		err = nil // served, and not counted
	}
	return err
}

// seatLate gives a viewer a place that has joined with a master playlist, for which none is
// taken.
func (h *viewerSet) seatLate(rules *appRules, id viewers.ID, v *viewers.Visit, counted bool) error {
	if !counted || !v.Poll || h.counter.Seated(id) {
		return nil
	}
	from := h.app.sourceOfViewer(v, rules.cfg)
	if from == localSource {
		return nil
	}
	h.app.mu.Lock()
	seat, err := h.app.seat(from, h.app.rateLocked(h.name), v.Scope)
	h.app.mu.Unlock()
	if err != nil {
		return full(err)
	}
	if !h.counter.Seat(id, seat) {
		seat.Leave(false)
	}
	return nil
}

// all returns the sets, each once.
func (au *Audience) all() []*viewerSet {
	au.mu.RLock()
	defer au.mu.RUnlock()
	seen := make(map[*viewerSet]bool, len(au.sets))
	out := make([]*viewerSet, 0, len(au.sets))
	for _, h := range au.sets {
		if !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	return out
}

func (au *Audience) sweep(now time.Time) {
	au.verdicts.Purge(au.beforeGap(now, time.Minute))
	for _, h := range au.all() {
		h.sayGone(h.counter.Expire(now))
		if now.Unix()-h.used.Load() < int64(emptyKept/time.Second) || !h.counter.Empty(now) {
			continue
		}
		h.app.mu.Lock()
		over := h.app.streams[h.name] == nil
		if over {
			h.closed.Store(true)
			delete(h.app.viewers, h.name)
		}
		h.app.mu.Unlock()
		if over {
			au.forget(h)
			h.sayGone(h.counter.Clear()) // who came in between
			h.forgetHealth()
			h.app.Exit()
		}
	}
}

// forget drops what was found to lead to h.
func (au *Audience) forget(h *viewerSet) {
	au.mu.Lock()
	defer au.mu.Unlock()
	for p, other := range au.sets {
		if other == h {
			delete(au.sets, p)
		}
	}
}

// leave ends the viewers of an application that is gone.
func (au *Audience) leave(a *Application) {
	a.mu.Lock()
	var sets []*viewerSet
	for name, h := range a.viewers {
		h.closed.Store(true)
		sets = append(sets, h)
		delete(a.viewers, name)
	}
	a.mu.Unlock()
	for _, h := range sets {
		au.forget(h)
		h.sayGone(h.counter.Clear())
		h.forgetHealth()
		a.Exit()
	}
}

// Close ends every viewer's session, for a server that stops.
func (au *Audience) Close() {
	for _, h := range au.all() {
		h.sayGone(h.counter.Clear())
	}
}
