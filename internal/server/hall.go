package server

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/viewers"
	"github.com/rtmpd/rtmpd/internal/web"
)

// A hall is where the HTTP viewers of a name sit. It belongs to its application
// and stays while it has viewers or the stream is there.
type hall struct {
	app     *application
	name    string
	viewers *viewers.Counter
	used    atomic.Int64 // Unix s of the last request
	closed  atomic.Bool
}

// emptyHall is how long a hall without viewers is kept for the next one.
const emptyHall = time.Minute

var errClosedHall = errors.New("the stream's viewers were shown out")

// openHall is the hall of a name; nil: the application is gone. The application
// was entered, and each hall stands for one that has.
func (a *application) openHall(name string) *hall {
	a.mu.Lock()
	h := a.halls[name]
	fresh := h == nil && !a.gone
	if fresh {
		h = &hall{app: a, name: name, viewers: a.srv.audience.pool.NewCounter(silence * unknownTarget)}
		h.used.Store(time.Now().Unix())
		a.halls[name] = h
	}
	a.mu.Unlock()
	if !fresh {
		a.exit()
	}
	return h
}

// room says whether one more viewer may come.
func (h *hall) room(cfg *config.Application, addr netip.Addr) error {
	h.app.mu.Lock()
	defer h.app.mu.Unlock()
	return h.app.roomFor(h.name, listen.SourceOf(addr), cfg.For(h.name))
}

// seat counts a new viewer. Who asks for a master playlist sits there for a
// while, too, to be seen off by the hooks, but takes nobody's place.
func (h *hall) seat(cfg *config.Application, id viewers.ID, v web.Visit, counted bool) error {
	bye := h.farewell(cfg, v)
	h.app.mu.Lock()
	defer h.app.mu.Unlock()
	if h.closed.Load() { // while on_play was asked; nobody would see this viewer off
		h.drop(bye)
		return errClosedHall
	}
	limits := cfg.For(h.name)
	if counted {
		if err := h.app.roomFor(h.name, listen.SourceOf(v.Addr), limits); err != nil {
			h.drop(bye)
			return err
		}
	}
	var info any
	if bye != nil {
		info = bye
	}
	fresh, err := h.viewers.Seat(id, listen.SourceOf(v.Addr), v.Now, info)
	if !fresh {
		h.drop(bye)
	} else if counted {
		h.app.srv.counters.viewed.Add(1)
	}
	if err != nil && limits.MaxPlayers == 0 && limits.MaxBandwidth == 0 {
		err = nil // served, and not counted
	}
	return err
}

// all returns the halls, each once.
func (au *audience) all() []*hall {
	au.mu.RLock()
	defer au.mu.RUnlock()
	seen := make(map[*hall]bool, len(au.halls))
	out := make([]*hall, 0, len(au.halls))
	for _, h := range au.halls {
		if !seen[h] {
			seen[h] = true
			out = append(out, h)
		}
	}
	return out
}

func (au *audience) sweep(now time.Time) {
	au.verdicts.Purge(au.beforeGap(now, time.Minute))
	for _, h := range au.all() {
		h.sayGone(h.viewers.Expire(now))
		if now.Unix()-h.used.Load() < int64(emptyHall/time.Second) || !h.viewers.Empty(now) {
			continue
		}
		h.app.mu.Lock()
		over := h.app.streams[h.name] == nil
		if over {
			h.closed.Store(true)
			delete(h.app.halls, h.name)
		}
		h.app.mu.Unlock()
		if over {
			au.forget(h)
			h.sayGone(h.viewers.Clear()) // who came in between
			h.app.exit()
		}
	}
}

// forget drops what was found to lead to h.
func (au *audience) forget(h *hall) {
	au.mu.Lock()
	defer au.mu.Unlock()
	for p, other := range au.halls {
		if other == h {
			delete(au.halls, p)
		}
	}
}

// leave shows the viewers of an application that is gone out.
func (au *audience) leave(a *application) {
	a.mu.Lock()
	var halls []*hall
	for name, h := range a.halls {
		h.closed.Store(true)
		halls = append(halls, h)
		delete(a.halls, name)
	}
	a.mu.Unlock()
	for _, h := range halls {
		au.forget(h)
		h.sayGone(h.viewers.Clear())
		a.exit()
	}
}

// close ends every viewer's session, for a server that stops.
func (au *audience) close() {
	for _, h := range au.all() {
		h.sayGone(h.viewers.Clear())
	}
}
