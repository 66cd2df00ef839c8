package origin

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

// Snapshot shows the applications in the order of the configuration, then those
// that "*" brought to life. sent is what the players there have been sent, in
// bytes; held is the memory of what they are being sent.
func (v *Service) Snapshot(now time.Time) (out api.Server, sent, held uint64) {
	place := make(map[string]int)
	for i, a := range v.Config().Applications {
		place[a.Name] = i - len(v.Config().Applications)
	}
	for _, a := range v.All() {
		cfg := a.rules.Load().cfg
		app := api.Application{Name: a.name, Live: cfg.Live, VOD: cfg.VOD != nil, Files: a.playedFiles(now)}
		for _, view := range a.streamViews() {
			runtime.Gosched() // media goes first
			app.Streams = append(app.Streams, view.snapshot(now))
			if view.set != nil {
				sent += view.set.fan.BytesOut.Load()
				held += uint64(view.set.fan.Memory())
			}
		}
		slices.SortFunc(app.Streams, func(x, y api.Stream) int { return cmp.Compare(x.Name, y.Name) })
		out.Applications = append(out.Applications, app)
	}
	slices.SortFunc(out.Applications, func(x, y api.Application) int {
		return cmp.Or(cmp.Compare(place[x.Name], place[y.Name]), cmp.Compare(x.Name, y.Name))
	})
	return out, sent, held
}

// HooksDown lists the block's hooks that give no answer, then its applications'.
func (v *Service) HooksDown() []api.HookDown {
	var out []api.HookDown
	add := func(app string, c *hooks.Caller) {
		for _, d := range c.Down() {
			out = append(out, api.HookDown{Application: app, Hook: d.Hook.String(), Since: d.Since, Calls: d.Calls, Error: d.Err})
		}
	}
	add("", v.hooks)
	apps := v.All()
	slices.SortFunc(apps, func(x, y *Application) int { return cmp.Compare(x.name, y.name) })
	for _, a := range apps {
		add(a.name, a.hooks)
	}
	return out
}

// A streamView is what there was of one name while the application was locked.
type streamView struct {
	name        string
	stream      *Stream // nil: players wait for it
	publication *Publication
	waiting     []*Publication // publishers, for it to be their turn
	sentBefore  uint64         // bytes sent to earlier players, of fans that are closed
	set         *playerSet     // nil: no players
	players     []*Playing
	viewers     *viewerSet // nil: none over HTTP
}

// streamViews copies what a snapshot looks at: the names, then the players of each
// by themselves. Publishers wait for the application's lock, so it is held for as
// long as it takes to copy some pointers, and given back in between.
func (a *Application) streamViews() []streamView {
	out := a.viewNames()
	for i := range out {
		if set := out[i].set; set != nil {
			out[i].players = a.viewPlayers(set)
		}
	}
	return out
}

func (a *Application) viewNames() []streamView {
	a.mu.Lock()
	n := len(a.streams) + len(a.players)
	a.mu.Unlock()
	out := make([]streamView, 0, n+n/8) // not with the lock held: it may have to wait for the collector
	a.mu.Lock()
	defer a.mu.Unlock()
	for name, st := range a.streams {
		out = append(out, streamView{name: name, stream: st, publication: st.publication, waiting: slices.Clone(st.waiting), sentBefore: st.fanned, set: a.players[name], viewers: a.viewers[name]})
	}
	for name, set := range a.players {
		if a.streams[name] == nil {
			out = append(out, streamView{name: name, set: set})
		}
	}
	return out
}

func (a *Application) viewPlayers(set *playerSet) []*Playing {
	a.mu.Lock()
	n := len(set.members)
	a.mu.Unlock()
	out := make([]*Playing, 0, n+n/8)
	a.mu.Lock()
	defer a.mu.Unlock()
	for p := range set.members {
		out = append(out, p)
	}
	return out
}

func (v *streamView) snapshot(now time.Time) api.Stream {
	out := api.Stream{Name: v.name, BytesOut: v.sentBefore, Clients: make([]api.Client, 0, len(v.players)+1)}
	var avSync int64
	if st := v.stream; st != nil {
		l := st.live.Snapshot()
		out.Age = now.Sub(st.started)
		out.BytesIn, out.BwIn, out.BwAudio, out.BwVideo = l.BytesIn, l.BwIn, l.BwAudio, l.BwVideo
		out.Video, out.Audio = l.Video, l.Audio
		out.Packets, out.VideoFrames, out.Keyframes, out.Skipped = l.Packets, l.VideoPackets, l.Keyframes, l.Skipped
		out.BufferPackets, out.BufferBytes, out.Readers = l.Held, l.HeldBytes, l.Cursors
		out.Ingest, out.Health = st.Health()
		out.Outputs = st.outputs.snapshot()
		out.FrameRate = out.Ingest.FrameRate
		if l.Video != nil && l.Audio != nil {
			avSync = int64(int32(l.AudioTimestamp - l.VideoTimestamp))
		}
		out.Publishing = v.publication != nil && !v.publication.slate
		if v.publication != nil && v.publication.slate {
			out.Fallback = v.publication.publisher.(*slate).source
		}
		// As at nginx-rtmp: from the publisher's first media on.
		out.Active = out.Publishing && l.LastWrite.UnixNano() >= st.publishedAt.Load()
	}
	var at uint32
	if set := v.set; set != nil {
		if v.stream == nil {
			out.Age = now.Sub(set.opened)
		}
		out.BytesOut += set.fan.BytesOut.Load()
		out.BwOut = set.bwOut.Load()
		at = set.fan.Timestamp()
	}
	if v.viewers != nil {
		out.Viewers, out.ViewersPeak, out.ViewersUnique = v.viewers.counter.Counts(now)
		for name, n := range v.viewers.counter.Watching() {
			out.ViewersBy = append(out.ViewersBy, api.ProtocolCount{Protocol: name, Viewers: n})
		}
		if health := v.viewers.health.Load(); health != nil {
			f := health.Figures(now)
			out.PlayerHealth = &f
		}
		slices.SortFunc(out.ViewersBy, func(x, y api.ProtocolCount) int { return cmp.Compare(x.Protocol, y.Protocol) })
	}
	if p := v.publication; p != nil && !p.slate {
		c := client(p.publisher.Describe(), now)
		c.Timestamp, c.Publishing, c.Active = p.timestamp.Load(), true, true
		out.Clients = append(out.Clients, c)
	}
	for _, p := range v.waiting {
		c := client(p.publisher.Describe(), now)
		c.Timestamp, c.Publishing, c.Standby = p.timestamp.Load(), true, true
		out.Clients = append(out.Clients, c)
	}
	for _, p := range v.players {
		d := p.player.Describe()
		c := client(d, now)
		c.Timestamp, c.Active, c.Dropped = at, d.Playing, d.Lapped
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

func client(d Description, now time.Time) api.Client {
	return api.Client{
		ID: d.ID, Address: d.Address.String(), Age: now.Sub(d.Since),
		FlashVer: d.Encoder, PageURL: d.PageURL, SWFURL: d.SWFURL, RoundTrip: d.RoundTrip,
	}
}
