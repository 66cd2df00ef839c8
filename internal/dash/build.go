package dash

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// build is the MPD of the window, as of now. live: with the open segment, for low latency.
func (m *manifest) build(now time.Time, live bool) *mpd {
	l := &m.w.Window
	m.forget()
	doc := &mpd{
		Profiles: profiles, Type: dynamic,
		AvailabilityStartTime: instant{l.Epoch}, PublishTime: instant{now},
		MinBufferTime: duration(m.longest), MaxSegmentDuration: duration(m.longest),
		UTCTimings: timings(&m.cfg, m.file),
	}
	var first, end time.Duration // of what is named, in the presentation
	for i := range m.parts {
		p := &m.parts[i]
		to := l.Next()
		if i+1 < len(m.parts) {
			to = max(min(to, m.parts[i+1].first), l.Seq)
		}
		from := min(max(p.first, l.Seq), to)
		var open *[2]opened
		if last := i+1 == len(m.parts); live && last && m.low.seq == l.Next() {
			open = &m.low.open
		}
		x, begins, ends := p.period(l.Segments[from-l.Seq:to-l.Seq], open)
		if len(x.Sets) == 0 {
			continue
		}
		if len(doc.Periods) == 0 {
			first = begins
		}
		end = ends
		doc.Periods = append(doc.Periods, x)
	}
	if l.Ended {
		doc.Type, doc.MediaPresentationDuration, doc.UTCTimings = static, duration(end), nil
		return doc
	}
	doc.MinimumUpdatePeriod = duration(updatePeriod(m.w.Settings().Fragment))
	// Players count both from now. While there is no new segment now goes away from the
	// newest one, and who comes then must not be beyond it.
	lag := now.Sub(l.Epoch.Add(end)) - m.lag.tolerance(m.longest)
	doc.TimeShiftBufferDepth = duration(end - first + max(lag, 0))
	// At the beginning of a stream there is less: a period must contain the time at which
	// a player is to begin.
	there := now.Sub(l.Epoch.Add(first)).Truncate(time.Millisecond)
	doc.SuggestedPresentationDelay = duration(min(m.delay()+max(lag, 0), max(there, 0)))
	if live {
		m.lowLatency(doc)
	}
	return doc
}

// forget drops the parts that have no segment in the window any more.
func (m *manifest) forget() {
	if m.w.Window.Past.Count > 0 {
		return
	}
	n := 0
	for n+1 < len(m.parts) && m.parts[n+1].first <= m.w.Window.Seq {
		n++
	}
	m.parts = append(m.parts[:0:0], m.parts[n:]...)
	m.forgetPast()
}

// period is p with segments, and from when to when they are in the presentation. open, if
// it is not nil, are the files of another segment, which grow.
func (p *part) period(segments []packager.Segment, open *[2]opened) (x period, begins, ends time.Duration) {
	x = period{ID: p.id, Start: duration(p.start)}
	for kind := range p.tracks {
		t := &p.tracks[kind]
		if t.timescale == 0 {
			continue
		}
		s := adaptationSet{
			ID: kindIDs[kind], ContentType: kindNames[kind], MimeType: kindNames[kind] + "/mp4", SegmentAlignment: true,
			Template: segmentTemplate{
				Timescale: t.timescale, Offset: toTicks(p.from, t.timescale),
				Initialization: uri(t.init), Media: t.media.uri(),
			},
			Representation: t.coding,
		}
		if t.independent {
			s.StartWithSAP = 1
		}
		if kind == int(media.Audio) {
			s.Lang = "und"
		} else {
			s.Accessibility = accessibility(p.captions)
		}
		s.Template.Timeline.S = slices.Clone(p.past[kind].S)
		for i := range segments {
			if f := &segments[i].Files[kind]; f.Name != "" && f.Timescale == t.timescale {
				s.Template.Timeline.add(f.Start, f.Duration)
			}
		}
		if open != nil && open[kind].name == t.media.file(open[kind].start) {
			s.Template.Timeline.add(open[kind].start, open[kind].duration)
		}
		runs := s.Template.Timeline.S
		if len(runs) == 0 {
			continue
		}
		last := &runs[len(runs)-1]
		from, until := p.at(ticks(runs[0].T, t.timescale)), p.at(ticks(last.T+(last.R+1)*last.D, t.timescale))
		if len(x.Sets) == 0 {
			begins, ends = from, until
		}
		begins, ends = min(begins, from), max(ends, until)
		x.Sets = append(x.Sets, s)
	}
	return x, max(begins, p.start), ends
}

var kindIDs = [2]string{media.Video: "1", media.Audio: "2"}

// toTicks is t in ticks.
func toTicks(t time.Duration, timescale uint32) uint64 {
	return (uint64(t/time.Millisecond)*uint64(timescale) + 500) / 1000
}
