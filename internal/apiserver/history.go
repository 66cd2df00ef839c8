package apiserver

import (
	"context"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/origin"
)

const (
	// kept is how long figures are kept, as MistServer does: ten minutes, one of each
	// second.
	kept = 600
	// maxSeries bounds the streams that have a history of their own: some 11 MB. The sums
	// over all streams have those beyond it, too.
	maxSeries = 512
)

// A sample is what there was in one second.
type sample struct {
	Players, Viewers, Inputs, Outputs uint32
	Down, UpRTMP, UpHTTP              uint32 // bytes in that second
}

func (a *sample) add(b sample) {
	a.Players += b.Players
	a.Viewers += b.Viewers
	a.Inputs += b.Inputs
	a.Outputs += b.Outputs
	a.Down = sum32(a.Down, b.Down)
	a.UpRTMP = sum32(a.UpRTMP, b.UpRTMP)
	a.UpHTTP = sum32(a.UpHTTP, b.UpHTTP)
}

func sum32(a, b uint32) uint32 { return uint32(min(uint64(a)+uint64(b), 1<<32-1)) }

// A series is the samples of a stream, or of all.
type series struct {
	end     int64 // Unix second of the newest sample
	samples []sample
	quiet   int // samples at the end that are all zero
	watched uint64
}

// put appends the sample of a second. Seconds that were left out, because the process did
// not run, get the same.
func (s *series) put(at int64, v sample) {
	for gap := min(at-s.end-1, kept); gap > 0 && len(s.samples) > 0; gap-- {
		s.samples = append(s.samples, v)
		s.watched += uint64(v.Players) + uint64(v.Viewers)
	}
	if s.end-at > kept { // the clock was set back by far
		s.samples, s.end = s.samples[:0], at-1
	}
	if at <= s.end { // by little
		at = s.end
		s.samples = s.samples[:max(0, len(s.samples)-1)]
	}
	s.end = at
	s.samples = append(s.samples, v)
	if len(s.samples) >= kept+kept/10 {
		s.samples = append(s.samples[:0], s.samples[len(s.samples)-kept:]...)
	}
	s.watched += uint64(v.Players) + uint64(v.Viewers)
	s.quiet++
	if v != (sample{}) {
		s.quiet = 0
	}
}

// at returns the sample of a second; false: there is none.
func (s *series) at(second int64) (sample, bool) {
	i := len(s.samples) - 1 - int(s.end-second)
	if second > s.end || i < 0 || s.end-second >= kept {
		return sample{}, false
	}
	return s.samples[i], true
}

type streamKey struct{ app, name string }

// before is what a stream's counters were a second ago.
type before struct{ received, rtmp, http uint64 }

// A history is what there was in the last ten minutes.
type history struct {
	mu     sync.Mutex // guards what follows
	all    series
	of     map[streamKey]*series
	before map[streamKey]before
}

// Run takes a sample of every stream each second, until ctx ends.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if s.o.Wanted() {
				s.history.take(now, s.o.Origin.SampleFigures())
			}
		}
	}
}

// take adds the sample of a second.
func (h *history) take(now time.Time, figures []*origin.Figures) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of, h.before = make(map[streamKey]*series), make(map[streamKey]before)
	}
	at := seconds(now)
	var sum sample
	span := uint64(1) // seconds since the last sample
	if at > h.all.end && len(h.all.samples) > 0 {
		span = uint64(at - h.all.end)
	}
	was, seen := h.before, make(map[streamKey]before, len(figures))
	for i := range figures {
		f := figures[i]
		key := streamKey{f.App, f.Name}
		b, known := was[key]
		if !known { // since when it has these bytes is not known
			b = before{f.Received, f.SentRTMP, f.SentHTTP}
		}
		v := sampleOf(f, b, span)
		seen[key] = before{f.Received, f.SentRTMP, f.SentHTTP}
		sum.add(v)
		s := h.of[key]
		if s == nil && len(h.of) < maxSeries {
			s = &series{end: at - 1}
			h.of[key] = s
		}
		if s != nil {
			s.put(at, v)
		}
	}
	for key, s := range h.of {
		if _, there := seen[key]; !there {
			if s.put(at, sample{}); s.quiet >= kept {
				delete(h.of, key)
			}
		}
	}
	h.before = seen
	h.all.put(at, sum)
}

// sampleOf is the sample of a stream, span seconds after its counters were was. Where no session counts bytes, HTTP viewers are taken
// to be sent the stream's own bit rate.
func sampleOf(f *origin.Figures, was before, span uint64) sample {
	v := sample{
		Players: uint32(f.Players), Viewers: uint32(f.Viewers), Outputs: uint32(f.Outputs),
		Down: grown(f.Received, was.received, span), UpRTMP: grown(f.SentRTMP, was.rtmp, span), UpHTTP: grown(f.SentHTTP, was.http, span),
	}
	if f.Publishing {
		v.Inputs = 1
	}
	if !f.Metered {
		v.UpHTTP = uint32(min(f.BwIn/8*uint64(f.Viewers), 1<<32-1))
	}
	return v
}

// grown is how much a counter has grown in a second, on average over some.
func grown(now, was, seconds uint64) uint32 {
	if now < was {
		return 0
	}
	return uint32(min((now-was)/seconds, 1<<32-1))
}

// watched is how many seconds all viewers of a stream have watched it.
func (h *history) watched(app, name string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.of[streamKey{app, name}]; s != nil {
		return s.watched
	}
	return 0
}
