package server

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A house is where the RTMP players of a name sit. It opens with the first of
// them and outlives streams: its players wait for the next one.
type house struct {
	name      string
	chunkSize int
	fan       *fanout.Fan
	opened    time.Time
	players   map[*playing]struct{} // guarded by app.mu, as is from
	from      map[netip.Prefix]int  // players by address
	bwOut     atomic.Uint64         // bits/s over the last rateSpan
}

// seat finds s a place in the house of name.
func (a *application) seat(name string, s *session, cfg *config.Application) (*playing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gone {
		return nil, &refusal{rtmp.StatusPlayFailed, errAppGone.Error()}
	}
	st := a.streams[name]
	if st == nil && !cfg.IdleStreams {
		return nil, &refusal{rtmp.StatusPlayStreamNotFound, "No such stream"}
	}
	h := a.houses[name]
	if err := a.roomFor(name, listen.SourceOf(s.addr), cfg); err != nil {
		return nil, err
	}
	if h == nil {
		if len(a.houses) >= maxHouses {
			return nil, &refusal{rtmp.StatusPlayFailed, "too many different streams are waited for"}
		}
		h = &house{name: name, chunkSize: a.svc.options().ChunkSize, opened: time.Now(), players: make(map[*playing]struct{}), from: make(map[netip.Prefix]int)}
		h.fan = a.srv.hub.NewFan(h.chunkSize, cfg.Meta)
		a.houses[name] = h
		if st != nil {
			st.fan.Store(h.fan)
			h.fan.Attach(st.live)
		}
	}
	pl := &playing{session: s, name: name, house: h}
	h.players[pl] = struct{}{}
	h.from[listen.SourceOf(s.addr)]++
	s.mu.Lock()
	s.playing = pl
	s.mu.Unlock()
	s.settled.Store(true)
	return pl, nil
}

// roomFor holds one more player or HTTP viewer of name, who comes from an address,
// against max_players, max_players_per_ip and max_bandwidth. The application is
// locked.
func (a *application) roomFor(name string, from netip.Prefix, cfg *config.Application) error {
	n, near := 1, 1
	if h := a.houses[name]; h != nil {
		n += len(h.players)
		near += h.from[from]
	}
	if h := a.halls[name]; h != nil {
		now := time.Now()
		n += h.viewers.Len(now)
		near += h.viewers.From(from, now)
	}
	if cfg.MaxPlayers > 0 && n > cfg.MaxPlayers {
		return &refusal{rtmp.StatusPlayFailed, fmt.Sprintf("max_players = %d reached", cfg.MaxPlayers)}
	}
	if limit := playersPerIP(cfg); limit > 0 && near > limit {
		return &refusal{rtmp.StatusPlayFailed, fmt.Sprintf("max_players_per_ip = %d reached", limit)}
	}
	st := a.streams[name]
	if cfg.MaxBandwidth == 0 || st == nil {
		return nil
	}
	if rate := bitRate(st.live.Snapshot(), time.Now()); rate*int64(n) > int64(cfg.MaxBandwidth) {
		return &refusal{rtmp.StatusPlayFailed, fmt.Sprintf("max_bandwidth = %s reached: %d times the stream's %d kb/s would be more",
			cfg.MaxBandwidth, n, rate/1000)}
	}
	return nil
}

// playersPerIP is how many players and viewers of a stream may come from one
// address: a quarter of all that there may be, if nothing else is said.
func playersPerIP(cfg *config.Application) int {
	if cfg.MaxPlayersPerIP > 0 {
		return cfg.MaxPlayersPerIP
	}
	return (cfg.MaxPlayers + 3) / 4
}

// bitRate is a stream's in bits/s. In its first second, of which there is no
// figure yet, it is what has come so far, over a quarter of a second at least:
// encoders begin with a burst.
func bitRate(s live.Snapshot, now time.Time) int64 {
	if age := now.Sub(s.FirstWrite); s.BwIn == 0 && !s.FirstWrite.IsZero() && age < 2*time.Second {
		return int64(float64(s.BytesIn) * 8 / max(age, time.Second/4).Seconds())
	}
	return int64(s.BwIn)
}

// maxHouses bounds the names that players may wait for in one application.
const maxHouses = 10000

// unseat shows the player out; the last one closes the house.
func (a *application) unseat(pl *playing) {
	pl.session.mu.Lock()
	pl.session.playing = nil
	pl.session.mu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(pl.house.players, pl)
	from := listen.SourceOf(pl.session.addr)
	if pl.house.from[from]--; pl.house.from[from] == 0 {
		delete(pl.house.from, from)
	}
	if len(pl.house.players) > 0 {
		return
	}
	delete(a.houses, pl.name)
	pl.house.fan.Attach(nil)
	sent := pl.house.fan.BytesOut.Load()
	a.srv.fanned.Add(sent)
	if st := a.streams[pl.name]; st != nil {
		st.fan.Store(nil)
		st.fanned += sent
	}
}

// publishing reports whether the name has a stream, waited-for ones included.
func (a *application) publishing(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.streams[name] != nil
}

// openHouseLocked gives a new stream the players that wait for it.
func (a *application) openHouseLocked(st *stream) {
	h := a.houses[st.name]
	if h == nil {
		return
	}
	cfg := a.rules.Load().cfg.For(st.name)
	for pl := range h.players {
		pl.tell(func(c *rtmp.Conn) error {
			err := c.WriteUserControl(rtmp.StreamBegin, 1)
			if err == nil && cfg.PlayRestart {
				err = c.WriteStatus(1, "status", rtmp.StatusPlayStart, "Start live")
			}
			if err == nil && cfg.PublishNotify {
				err = c.WriteStatus(1, "status", rtmp.StatusPlayPublishNotify, "Start publishing")
			}
			return err
		})
	}
	st.fan.Store(h.fan)
	h.fan.SetMeta(cfg.Meta)
	h.fan.Attach(st.live)
}

// closeHouseLocked tells the players that the stream is over. They stay and
// wait, unless idle_streams says otherwise.
func (a *application) closeHouseLocked(st *stream) {
	h := a.houses[st.name]
	if h == nil {
		return
	}
	h.fan.Attach(nil)
	cfg := a.rules.Load().cfg.For(st.name)
	for pl := range h.players {
		pl.tell(func(c *rtmp.Conn) error {
			err := c.WriteUserControl(rtmp.StreamEOF, 1)
			if err == nil && cfg.PlayRestart {
				err = c.WriteStatus(1, "status", rtmp.StatusPlayStop, "Stop live")
			}
			if err == nil && cfg.PublishNotify {
				err = c.WriteStatus(1, "status", rtmp.StatusPlayUnpublishNotify, "Stop publishing")
			}
			return err
		})
		if !cfg.IdleStreams {
			pl.session.kickAfter(min(cfg.PlayerQueue, maxDrain), rtmp.StatusPlayStreamNotFound, "the stream has ended")
		}
	}
}

// maxDrain is how long a player may at most take for the rest of a stream that
// has ended: as long as it may lag behind one that goes on.
const maxDrain = 30 * time.Second

// tell hands a player messages that go out with the stream. It does not block:
// the fan queues them, and a player that lets them pile up is closed.
func (pl *playing) tell(write func(*rtmp.Conn) error) {
	if pl.leaving.Load() {
		return
	}
	conn := pl.session.conn.Load()
	if write(conn) == nil {
		_ = conn.Flush() // a dead connection: its session hears of it
	}
}

// watchHouses takes a sample of what goes out of every house once a second, until
// ctx ends.
func (s *Server) watchHouses(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	windows := make(map[*house]*rateWindow)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		windows = s.measureHouses(windows)
	}
}

func (s *Server) measureHouses(windows map[*house]*rateWindow) map[*house]*rateWindow {
	next := make(map[*house]*rateWindow, len(windows))
	for _, h := range s.houses() {
		w := windows[h]
		if w == nil {
			w = &rateWindow{}
		}
		next[h] = w
		sent := w.add(h.fan.BytesOut.Load())
		if span := min(w.n-1, rateSpan); span > 0 {
			h.bwOut.Store(sent * 8 / uint64(span))
		}
	}
	return next
}

// houses are all there are.
func (s *Server) houses() []*house {
	s.mu.Lock()
	services := s.services
	s.mu.Unlock()
	var out []*house
	for _, v := range services {
		for _, a := range v.all() {
			a.mu.Lock()
			out = slices.AppendSeq(out, maps.Values(a.houses))
			a.mu.Unlock()
		}
	}
	return out
}
