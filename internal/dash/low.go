package dash

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// PartLength is about how long the parts are that a growing segment is sent in
// (dash.low_latency), unless HLS has parts of another length.
const PartLength = 200 * time.Millisecond

// A low is what low latency adds: an MPD that names the segment that is being written. It
// is in memory, for rtmpd's own HTTP, which has that segment as it grows: whoever serves
// the files has the MPD without.
type low struct {
	mpd  segstore.Low
	open [2]opened // by media.Kind
	seq  uint64    // of the open segment, if one is named
	part time.Duration
	// shift is by how much the presentation is to be later from the next segment on.
	shift time.Duration
}

// An opened file grows.
type opened struct {
	name            string // empty: there is none
	start, duration uint64 // in ticks; the duration is what is expected
}

// PublishParts implements packager.PartManifest.
func (m *manifest) PublishParts(o *packager.Open, targets [2]time.Duration) {
	if m.low == nil {
		return
	}
	named := false
	for kind := range o.Files {
		f, x := &o.Files[kind], &m.low.open[kind]
		if f.Name == "" || f.Name == x.name {
			continue
		}
		lasts := o.Likely
		if frame := f.Track.FrameDuration(); media.Kind(kind) == media.Audio && frame > 0 {
			lasts = (lasts + frame - 1) / frame * frame
		}
		*x = opened{name: f.Name, start: f.Start, duration: uint64(mp4.Ticks(lasts, int64(f.Timescale)))}
		named = true
	}
	m.low.part = max(targets[0], targets[1])
	if named && m.announce(o) {
		m.publishLow()
	}
}

// EndParts implements packager.PartManifest: the text of its versions is made with them.
func (m *manifest) EndParts() {}

// announce says whether the MPD is to name the open segment. It may begin a period, of
// which all tracks are known by then.
func (m *manifest) announce(o *packager.Open) bool {
	s := packager.Segment{Discontinuity: o.Discontinuity, Files: o.Files}
	for kind := range s.Files {
		if f := &s.Files[kind]; f.Track != nil && (f.Name == "" || f.Init == nil) {
			return false
		}
	}
	from, _, ok := span(&s)
	if !ok {
		return false
	}
	p, shift := m.part(), m.low.shift
	m.low.seq, m.low.shift = o.Seq, 0
	switch {
	case p != nil && p.first == o.Seq:
	case p == nil || o.Discontinuity:
		m.begin(o.Seq, &s, from, from)
	case shift != 0 || !p.takes(&s):
		m.begin(o.Seq, &s, from, p.at(from)+shift)
	}
	return true
}

// publishLow publishes the MPD with the open segment.
func (m *manifest) publishLow() {
	doc := m.build(m.d.Now(), true)
	if text, err := doc.text(); err == nil && len(doc.Periods) > 0 {
		m.low.mpd.Publish(m.edition(text))
	}
}

func (m *manifest) edition(text []byte) *segstore.Edition {
	return segstore.NewEdition(segstore.TextsFunc(func() (body, delta []byte) { return text, nil }), m.d.Gzipper())
}

const (
	latencyTarget = 1500 * time.Millisecond
	latencyLeast  = 800 * time.Millisecond
	latencyMost   = 6 * time.Second
)

// lowLatency adds to doc what players with low latency need (ISO/IEC 23009-1 annex K;
// DASH-IF Low-latency Modes for DASH).
func (m *manifest) lowLatency(doc *mpd) {
	fragment := m.w.Settings().Fragment
	doc.MinimumUpdatePeriod = duration(min(fragment/2, minUpdate))
	doc.ServiceDescription = &serviceDescription{
		ID:      "0",
		Latency: latency{Target: latencyTarget.Milliseconds(), Min: latencyLeast.Milliseconds(), Max: latencyMost.Milliseconds()},
		Rate:    playbackRate{Min: "0.96", Max: "1.04"},
	}
	if len(doc.UTCTimings) == 0 { // which is a must here
		doc.UTCTimings = []urnPair{{clocks["http_iso"], uri(m.file) + "?" + ClockQuery}}
	}
	for i := range doc.Periods {
		p := &doc.Periods[i]
		for k := range p.Sets {
			t := &p.Sets[k].Template
			if m.low.part > 0 && fragment > m.low.part {
				t.AvailabilityOffset = seconds3((fragment - m.low.part).Seconds())
				t.AvailabilityComplete = "false"
			}
			p.Sets[k].Reference = &producerReference{
				ID: "0", Inband: true, Type: "captured", Time: t.Offset,
				WallClock: instant{doc.AvailabilityStartTime.Add(time.Duration(p.Start))},
			}
			p.Sets[k].Resync = &resync{Type: "0", Interval: toTicks(m.low.part, t.Timescale)}
		}
	}
}
