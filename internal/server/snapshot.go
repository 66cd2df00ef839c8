package server

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/web"
)

// Snapshot shows the server at this moment, for stat and its kin.
func (s *Server) Snapshot() *api.Snapshot {
	now := time.Now()
	snap := &api.Snapshot{
		Version:  s.opts.Version,
		Built:    s.opts.Built,
		Uptime:   now.Sub(s.started),
		Accepted: s.accepted.Load(),
	}
	snap.Process, snap.Healthy = process(), s.Health().OK
	s.count(snap)
	s.mu.Lock()
	services, sites := slices.Clone(s.services), slices.Clone(s.sites)
	snap.Connections = len(s.live)
	snap.BytesIn, snap.BytesOut = s.gone.in, s.gone.out
	sessions := slices.AppendSeq(make([]*session, 0, len(s.live)), maps.Values(s.live))
	s.mu.Unlock()
	for _, sess := range sessions { // those that have ended since keep their figures
		if conn := sess.conn.Load(); conn != nil {
			snap.BytesIn += conn.BytesIn()
			snap.BytesOut += conn.BytesOut()
		}
	}
	snap.BytesOut += s.fanned.Load()
	for _, v := range services {
		snap.HooksDown = append(snap.HooksDown, v.hooksDown()...)
		server, out, held := v.snapshot(now)
		snap.Servers = append(snap.Servers, server)
		snap.BytesOut += out
		snap.FanoutBytes += held
	}
	snap.Examine()
	snap.BytesOut = s.sentAtLeast(snap.BytesOut)
	for _, site := range sites {
		snap.HTTP = append(snap.HTTP, httpFigures(site, now))
	}
	for i := range snap.Servers {
		for j := range snap.Servers[i].Applications {
			for _, st := range snap.Servers[i].Applications[j].Streams {
				snap.BwIn += st.BwIn
				snap.BwOut += st.BwOut
			}
		}
	}
	return snap
}

// sentAtLeast is the most that was ever shown as sent. A house that closes while
// a snapshot is made, or that of an application which is gone and still shows its
// players out, is missing from one: a counter must not fall for that.
func (s *Server) sentAtLeast(sum uint64) uint64 {
	for {
		shown := s.shownOut.Load()
		if sum <= shown {
			return shown
		}
		if s.shownOut.CompareAndSwap(shown, sum) {
			return sum
		}
	}
}

func httpFigures(site *web.Site, now time.Time) api.HTTP {
	f := site.Traffic().Figures(now)
	out := api.HTTP{
		Listen: site.Listen(), Requests: f.Requests, BytesOut: f.BytesOut, BytesIn: f.BytesIn,
		InFlight: f.InFlight, Connections: f.Connections,
	}
	for _, c := range f.Codes {
		out.Codes = append(out.Codes, api.CodeCount(c))
	}
	for _, p := range f.Paths {
		out.Paths = append(out.Paths, api.PathCount(p))
	}
	return out
}

// snapshot shows the applications in the order of the configuration, then those
// that "*" brought to life. fanned is what the players there have been sent, held
// the memory of what they are being sent.
func (v *service) snapshot(now time.Time) (out api.Server, fanned, held uint64) {
	place := make(map[string]int)
	for i, a := range v.rules.Load().cfg.Applications {
		place[a.Name] = i - len(v.rules.Load().cfg.Applications)
	}
	for _, a := range v.all() {
		app := api.Application{Name: a.name, Live: a.rules.Load().cfg.Live}
		for _, g := range a.glance() {
			runtime.Gosched() // media goes first
			app.Streams = append(app.Streams, g.snapshot(now))
			if g.house != nil {
				fanned += g.house.fan.BytesOut.Load()
				held += uint64(g.house.fan.Memory())
			}
		}
		slices.SortFunc(app.Streams, func(x, y api.Stream) int { return cmp.Compare(x.Name, y.Name) })
		out.Applications = append(out.Applications, app)
	}
	slices.SortFunc(out.Applications, func(x, y api.Application) int {
		return cmp.Or(cmp.Compare(place[x.Name], place[y.Name]), cmp.Compare(x.Name, y.Name))
	})
	return out, fanned, held
}

// hooksDown lists the block's hooks that give no answer, then its applications'.
func (v *service) hooksDown() []api.HookDown {
	var out []api.HookDown
	add := func(app string, c *hooks.Caller) {
		for _, d := range c.Down() {
			out = append(out, api.HookDown{Application: app, Hook: d.Hook.String(), Since: d.Since, Calls: d.Calls, Error: d.Err})
		}
	}
	add("", v.hooks)
	apps := v.all()
	slices.SortFunc(apps, func(x, y *application) int { return cmp.Compare(x.name, y.name) })
	for _, a := range apps {
		add(a.name, a.hooks)
	}
	return out
}

// A glimpse is what there was of one name while the application was locked.
type glimpse struct {
	name      string
	stream    *stream // nil: players wait for it
	publisher *session
	before    uint64 // bytes sent to players of houses that have closed
	house     *house // nil: no players
	players   []*session
	hall      *hall // nil: no HTTP viewers
}

// glance copies what a snapshot looks at: the names, then the players of each
// house by themselves. Publishers wait for the application's lock, so it is held
// for as long as it takes to copy some pointers, and given back in between.
func (a *application) glance() []glimpse {
	out := a.glanceNames()
	for i := range out {
		if h := out[i].house; h != nil {
			out[i].players = a.glancePlayers(h)
		}
	}
	return out
}

func (a *application) glanceNames() []glimpse {
	a.mu.Lock()
	n := len(a.streams) + len(a.houses)
	a.mu.Unlock()
	out := make([]glimpse, 0, n+n/8) // not with the lock held: it may have to wait for the collector
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, st := range a.streams {
		out = append(out, glimpse{name: name, stream: st, publisher: st.publisher, before: st.fanned, house: a.houses[name], hall: a.halls[name]})
	}
	for name, h := range a.houses {
		if a.streams[name] == nil {
			out = append(out, glimpse{name: name, house: h})
		}
	}
	return out
}

func (a *application) glancePlayers(h *house) []*session {
	a.mu.Lock()
	n := len(h.players)
	a.mu.Unlock()
	out := make([]*session, 0, n+n/8)
	a.mu.Lock()
	defer a.mu.Unlock()
	for pl := range h.players {
		out = append(out, pl.session)
	}
	return out
}

func (g *glimpse) snapshot(now time.Time) api.Stream {
	out := api.Stream{Name: g.name, BytesOut: g.before, Clients: make([]api.Client, 0, len(g.players)+1)}
	var avSync int64
	if st := g.stream; st != nil {
		l := st.live.Snapshot()
		out.Age = now.Sub(st.started)
		out.BytesIn, out.BwIn, out.BwAudio, out.BwVideo = l.BytesIn, l.BwIn, l.BwAudio, l.BwVideo
		out.Video, out.Audio = l.Video, l.Audio
		out.Packets, out.VideoFrames, out.Keyframes, out.Skipped = l.Packets, l.VideoPackets, l.Keyframes, l.Skipped
		out.BufferPackets, out.BufferBytes, out.Readers = l.Held, l.HeldBytes, l.Cursors
		out.Ingest, out.Health = st.health()
		out.FrameRate = out.Ingest.FrameRate
		if l.Video != nil && l.Audio != nil {
			avSync = int64(int32(l.AudioTimestamp - l.VideoTimestamp))
		}
		out.Publishing = g.publisher != nil
		// As at nginx-rtmp: from the publisher's first media on.
		out.Active = out.Publishing && l.LastWrite.UnixNano() >= st.publishedAt.Load()
	}
	var at uint32
	if h := g.house; h != nil {
		if g.stream == nil {
			out.Age = now.Sub(h.opened)
		}
		out.BytesOut += h.fan.BytesOut.Load()
		out.BwOut = h.bwOut.Load()
		at = h.fan.Timestamp()
	}
	if g.hall != nil {
		out.Viewers, out.ViewersPeak, out.ViewersUnique = g.hall.viewers.Counts(now)
	}
	if g.publisher != nil {
		out.Clients = append(out.Clients, g.publisher.client(now))
	}
	for _, s := range g.players {
		c := s.client(now)
		c.Timestamp = at
		out.Clients = append(out.Clients, c)
	}
	for i := range out.Clients {
		c := &out.Clients[i]
		c.AVSync, c.Active = avSync, c.Active && out.Active
	}
	// The newest first, as nginx-rtmp has them.
	slices.SortFunc(out.Clients, func(x, y api.Client) int { return cmp.Compare(y.ID, x.ID) })
	return out
}

// client shows a publisher or player; Active is whether it is ready for media.
func (s *session) client(now time.Time) api.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := api.Client{
		ID: s.id, Address: s.addr.String(), Age: now.Sub(s.started),
		FlashVer: s.connect.FlashVer, PageURL: s.connect.PageURL, SWFURL: s.connect.SWFURL,
		Timestamp: s.timestamp.Load(), Publishing: s.stream != nil, Active: s.stream != nil,
	}
	if conn := s.conn.Load(); conn != nil {
		out.RoundTrip = conn.RoundTrip()
	}
	if s.playing != nil && s.playing.fan != nil {
		out.Active, out.Dropped = true, s.playing.fan.Lapped()
	}
	return out
}
