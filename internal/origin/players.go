package origin

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/live"
)

// A playerSet is the players of a name, or of a file. The first of them makes it. It
// outlives streams: its players wait for the next one.
type playerSet struct {
	name      string // of a file: its path
	chunkSize int
	fan       *fanout.Fan // nil for a file
	opened    time.Time
	members   map[*Playing]struct{} // guarded by app.mu, as is from
	from      map[netip.Prefix]int  // players by address
	bwOut     atomic.Uint64         // bits/s over the last rateSpan
}

func newPlayerSet(name string) *playerSet {
	return &playerSet{name: name, opened: time.Now(), members: make(map[*Playing]struct{}), from: make(map[netip.Prefix]int)}
}

func (set *playerSet) add(p *Playing) {
	p.set = set
	set.members[p] = struct{}{}
	set.from[p.source]++
}

func (set *playerSet) remove(p *Playing) {
	delete(set.members, p)
	if set.from[p.source]--; set.from[p.source] == 0 {
		delete(set.from, p.source)
	}
}

// join makes p one of the players of name.
func (a *Application) join(name string, p *Playing, cfg *config.Application) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	demanded := a.demandLocked(name, p.via, p.from)
	if a.gone {
		return &Refusal{RuleDenied, errAppGone.Error()}
	}
	st := a.streams[name]
	if st == nil && !cfg.IdleStreams && !demanded && !pulled(cfg, name) {
		return &Refusal{RuleNoStream, "No such stream"}
	}
	set := a.players[name]
	p.source = a.sourceOfPlayer(p.addr, cfg)
	if err := a.roomFor(name, p.source, cfg); err != nil {
		return err
	}
	seat, err := a.seat(p.source, a.rateLocked(name), &a.svc.scope)
	if err != nil {
		return err
	}
	if set == nil {
		if len(a.players) >= maxPlayedNames {
			seat.Leave(true)
			return &Refusal{RuleDenied, "too many different streams are waited for"}
		}
		set = newPlayerSet(name)
		set.chunkSize = int(a.svc.Config().ChunkSize)
		set.fan = a.origin.Hub.NewFan(set.chunkSize, cfg.Meta)
		a.players[name] = set
		if st != nil {
			st.fan.Store(set.fan)
			set.fan.Attach(st.live)
		}
	}
	p.name, p.seat = name, seat
	set.add(p)
	if st != nil {
		st.news.plays.Add(1)
	}
	if len(set.members) == 1 {
		a.execs.pullLocked(name)
	}
	return nil
}

// roomFor holds one more player or HTTP viewer of name, who comes from an address,
// against max_players, max_players_per_ip and max_bandwidth, those of the stream key
// first. The application is locked.
func (a *Application) roomFor(name string, from netip.Prefix, cfg *config.Application) error {
	if from == localSource {
		return nil
	}
	n, near := 1, 1
	if set := a.players[name]; set != nil {
		n += len(set.members) - set.from[localSource]
		near += set.from[from]
	}
	if h := a.viewers[name]; h != nil {
		now := time.Now()
		n += h.counter.Len(now) - h.counter.From(localSource, now)
		near += h.counter.From(from, now)
	}
	st := a.streams[name]
	most := roomOf(cfg)
	if st != nil {
		most = a.rules.Load().keys.roomOf(st.publication, most)
	}
	if err := checkRoom(most, n, near); err != nil {
		return err
	}
	if most.bandwidth == 0 || st == nil {
		return nil
	}
	if rate := bitRate(st.live.Snapshot(), time.Now()); rate*int64(n) > int64(most.bandwidth) {
		return &Refusal{RuleDenied, fmt.Sprintf("max_bandwidth = %s reached: %d times the stream's %d kb/s would be more",
			most.bandwidth, n, rate/1000)}
	}
	return nil
}

// A room is how many may watch a stream.
type room struct {
	players, perIP int
	bandwidth      value.Bitrate
}

func roomOf(cfg *config.Application) room {
	return room{cfg.MaxPlayers, cfg.MaxPlayersPerIP, cfg.MaxBandwidth}
}

// checkRoom holds n players, near of them from one address, against the limits.
func checkRoom(most room, n, near int) error {
	if most.players > 0 && n > most.players {
		return &Refusal{RuleDenied, fmt.Sprintf("max_players = %d reached", most.players)}
	}
	if limit := most.playersPerIP(); limit > 0 && near > limit {
		return &Refusal{RuleDenied, fmt.Sprintf("max_players_per_ip = %d reached", limit)}
	}
	return nil
}

// playersPerIP is how many players and viewers of a stream may come from one
// address: a quarter of all that there may be, if nothing else is said.
func (r room) playersPerIP() int {
	if r.perIP > 0 {
		return r.perIP
	}
	return (r.players + 3) / 4
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

// maxPlayedNames bounds the names that players may wait for in one application.
const maxPlayedNames = 10000

// leavePlayers takes p out of the players of its name. The set ends with the last one.
func (a *Application) leavePlayers(p *Playing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	set := p.set
	set.remove(p)
	if len(set.members) > 0 {
		return
	}
	delete(a.players, p.name)
	a.execs.unwatchedLocked(p.name)
	set.fan.Attach(nil)
	sent := set.fan.BytesOut.Load()
	a.origin.fanned.Add(sent)
	if st := a.streams[p.name]; st != nil {
		st.fan.Store(nil)
		st.fanned += sent
	}
}

// HasStream reports whether the name has a stream, waited-for ones included.
func (a *Application) HasStream(name string) bool { return a.Stream(name) != nil }

// attachPlayersLocked gives a new stream the players that wait for it.
func (a *Application) attachPlayersLocked(st *Stream) {
	if h := a.viewers[st.name]; h != nil {
		h.counter.Begin(time.Now())
		st.news.before = h.counter.Sent()
	}
	set := a.players[st.name]
	if set == nil {
		return
	}
	cfg := a.rules.Load().cfg.For(st.name)
	for p := range set.members {
		p.player.StreamBegins(cfg)
	}
	st.news.plays.Add(uint64(len(set.members)))
	st.news.before += set.fan.BytesOut.Load()
	st.fan.Store(set.fan)
	set.fan.SetMeta(cfg.Meta)
	set.fan.Attach(st.live)
}

// detachPlayersLocked tells the players that the stream is over. They stay and
// wait, unless idle_streams says otherwise.
func (a *Application) detachPlayersLocked(st *Stream) {
	set := a.players[st.name]
	if set == nil {
		return
	}
	set.fan.Attach(nil)
	cfg := a.rules.Load().cfg.For(st.name)
	drain := time.Duration(0)
	if !cfg.IdleStreams {
		drain = min(cfg.PlayerQueue, maxDrain)
	}
	for p := range set.members {
		p.player.StreamEnds(cfg, drain)
	}
}

// maxDrain is how long a player may at most take for the rest of a stream that
// has ended: as long as it may lag behind one that goes on.
const maxDrain = 30 * time.Second

// watchPlayers takes a sample of what the players of every name are sent, once a
// second, until ctx ends.
func (og *Origin) watchPlayers(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	windows := make(map[*playerSet]*rateWindow)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		windows = og.measurePlayers(windows)
		og.measure()
	}
}

func (og *Origin) measurePlayers(windows map[*playerSet]*rateWindow) map[*playerSet]*rateWindow {
	next := make(map[*playerSet]*rateWindow, len(windows))
	for _, set := range og.playerSets() {
		w := windows[set]
		if w == nil {
			w = &rateWindow{}
		}
		next[set] = w
		sent := w.add(set.fan.BytesOut.Load())
		if span := min(w.n-1, rateSpan); span > 0 {
			set.bwOut.Store(sent * 8 / uint64(span))
		}
	}
	return next
}

// playerSets are all there are.
func (og *Origin) playerSets() []*playerSet {
	var out []*playerSet
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			a.mu.Lock()
			out = slices.AppendSeq(out, maps.Values(a.players))
			a.mu.Unlock()
		}
	}
	return out
}
