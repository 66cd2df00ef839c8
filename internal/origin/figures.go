package origin

import (
	"cmp"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/output"
)

// Figures are the numbers of a stream at one moment. They cost less than a snapshot: an
// API asks for those of all streams every second.
type Figures struct {
	App, Name string
	// Publishing: it has a publisher that has sent media. Ready: a viewer would see
	// something.
	Publishing, Ready bool
	Began             time.Time

	Players, Viewers int    // RTMP; HTTP
	Outputs          int    // pushes and recordings
	Views            uint64 // players and viewers since it began
	Received         uint64 // bytes, of its publishers
	SentRTMP         uint64 // bytes to players
	SentHTTP         uint64 // bytes to viewers, where they are metered
	Metered          bool   // SentHTTP is known
	BwIn             uint64 // bits/s, over 10 s

	Live live.Snapshot
}

// EachFigures returns the figures of every stream that there is, by application and name.
func (og *Origin) EachFigures() []*Figures {
	out := og.figures(true)
	slices.SortFunc(out, func(x, y *Figures) int { return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Name, y.Name)) })
	return out
}

// SampleFigures is EachFigures in no order and without what takes a look at more than
// counters: Ready.
func (og *Origin) SampleFigures() []*Figures { return og.figures(false) }

func (og *Origin) figures(ready bool) (out []*Figures) {
	now := time.Now()
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			rules := a.rules.Load()
			a.each(func(st *Stream) { out = append(out, st.figures(rules, now, ready)) })
		}
	}
	return out
}

func (st *Stream) figures(rules *appRules, now time.Time, ready bool) *Figures {
	f := &Figures{App: st.app.name, Name: st.name, Began: st.started, Metered: rules.meters(), Live: st.live.Snapshot()}
	f.Received, f.BwIn, f.Views = f.Live.BytesIn, f.Live.BwIn, st.news.plays.Load()
	st.app.mu.Lock()
	p := st.publication
	f.SentRTMP = st.fanned
	if set := st.app.players[st.name]; set != nil {
		f.Players = len(set.members)
		f.SentRTMP += set.fan.BytesOut.Load()
	}
	h := st.app.viewers[st.name]
	st.app.mu.Unlock()
	f.Publishing = p != nil && !p.slate && f.Live.LastWrite.UnixNano() >= st.publishedAt.Load()
	if ready && f.Publishing {
		st.news.mu.Lock()
		f.Ready = st.playable(rules.cfg.For(st.name), f.Live)
		st.news.mu.Unlock()
	}
	if h != nil {
		f.Viewers = h.counter.Len(now)
		f.Views += uint64(h.counter.Since())
		f.SentHTTP = h.counter.Sent()
	}
	f.Outputs = st.outputs.count(pushKind.Name, recordKind.Name)
	return f
}

// HealthOf is what STREAM_BUFFER tells of a stream's health; nil: there is no such stream.
func (og *Origin) HealthOf(app, name string) map[string]any {
	if st := og.stream(app, name); st != nil {
		return st.health(st.live.Snapshot(), nil)
	}
	return nil
}

// FindingsOf is what could be better about a stream.
func (og *Origin) FindingsOf(app, name string) []doctor.Finding {
	if st := og.stream(app, name); st != nil {
		_, found := st.Health()
		return found
	}
	return nil
}

// A Recording is a record block at work on a stream.
type Recording struct {
	App, Stream, Name string
	output.State
}

// Recordings are those of the streams that there are; empty names are all.
func (og *Origin) Recordings(app, stream string) (out []Recording) {
	for _, v := range *og.services.Load() {
		for _, a := range v.All() {
			if app != "" && a.name != app {
				continue
			}
			a.each(func(st *Stream) {
				if stream != "" && st.name != stream {
					return
				}
				for _, s := range st.outputs.list() {
					if s.kind.Name == recordKind.Name {
						_, state := s.now()
						out = append(out, Recording{a.name, st.name, s.label, state})
					}
				}
			})
		}
	}
	slices.SortFunc(out, func(x, y Recording) int {
		return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Stream, y.Stream), cmp.Compare(x.Name, y.Name))
	})
	return out
}
