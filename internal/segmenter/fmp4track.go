package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A fragmentTrack is what the files of one track go on with. Times are in the ticks of
// its timescale.
type fragmentTrack struct {
	track *media.Track
	init  []byte // its initialisation section
	scale int64
	lead  time.Duration // of video: composition offset of the first keyframe, see FMP4.picture

	number uint32 // of the newest fragment
	end    int64  // where the newest fragment ends
	on     bool   // the next fragment is to begin at end

	grid    int64 // of sound: where the next frame is by the count of samples
	clocked bool  // grid is known
	step    int64 // between the last two samples, or a guess

	// The segment in hand.
	begun bool
	pos   int   // index of the first packet that may not be in a fragment yet
	taken int   // pictures, or frames of sound, that are in fragments
	first int64 // where its media begins
	parts []Part

	day  time.Time  // of tick 0; zero: parts do not say
	run  [1]mp4.Run // scratch: the fragment
	last int64      // DTS of its newest sample

	aligned bool // see FMP4.SetAligned

	// Parts: see SetParts.
	samples int64         // in the segments before, for the usual duration of one
	ticks   int64         // their duration
	gop     int64         // of video: samples between two keyframes of a segment; 0: not known
	keyAt   int64         // samples when the newest keyframe came
	usual   int64         // duration of a sample; 0: not known yet
	limit   int64         // a part ends after about as many ticks; 0: only with its segment
	target  time.Duration // no part is longer; 0: not settled
}

// next begins segment g.
func (f *fragmentTrack) next(g *Segment) {
	f.begun, f.pos, f.taken, f.parts = false, 0, 0, f.parts[:0]
	r := &f.run[0]
	r.Samples = r.Samples[:0]
	if g.Discontinuity {
		f.on, f.clocked = false, false
	}
}

// begin begins the fragments of t in a segment; first is a frame of it.
func (f *fragmentTrack) begin(t *media.Track, first []byte) {
	r := &f.run[0]
	r.TrackID, r.Video = uint32(t.Kind)+1, t.Kind == media.Video
	if first == nil || f.track != nil && mp4.SameCoding(f.track, t) {
		return
	}
	f.track, f.scale = t, int64(mp4.Timescale(t))
	f.on, f.clocked, f.step = false, false, mp4.Ticks(frameGuess, f.scale)
	f.samples, f.ticks, f.gop, f.limit = 0, 0, 0, 0
	var err error
	if f.init, err = mp4.AppendTrackInit(nil, mp4.Track{ID: r.TrackID, Media: t, Frame: first}); err != nil {
		f.init, f.track = nil, nil // the frame is damaged; the next segment has others
	}
}

// put adds a sample to the fragment. at and pts are its times, on f's clock.
func (f *fragmentTrack) put(data []byte, at, pts int64, sync bool) {
	r := &f.run[0]
	n := len(r.Samples)
	switch {
	case n > 0:
		at = max(at, f.last+1)
		f.step = at - f.last
		r.Samples[n-1].Duration = clampDuration(f.step)
	case f.on:
		at = max(at, f.end)
		r.Start = uint64(at)
	default:
		at = max(at, 0)
		r.Start = uint64(at)
	}
	if n == 0 && len(f.parts) == 0 {
		f.first = at
	}
	if sync && r.Video {
		came := f.samples + int64(n)
		if n > 0 || len(f.parts) > 0 {
			f.gop = came - f.keyAt
		}
		f.keyAt = came
	}
	f.last = at
	r.Samples = append(r.Samples, mp4.Sample{Data: data, Offset: clampOffset(pts - at), Sync: sync})
}

// finish ends the fragment, if it has a sample, at the given time, and appends it to dst.
func (f *fragmentTrack) finish(dst []byte, end int64) []byte {
	r := &f.run[0]
	n := len(r.Samples)
	if n == 0 || f.init == nil {
		r.Samples = r.Samples[:0]
		return dst
	}
	r.Samples[n-1].Duration = clampDuration(end - f.last)
	f.end, f.on = f.last+int64(r.Samples[n-1].Duration), true
	from := len(dst)
	if len(f.parts) == 0 {
		dst = mp4.AppendSegmentType(dst)
	}
	if !f.day.IsZero() {
		dst = mp4.AppendProducerTime(dst, r.TrackID, r.Start, f.day.Add(mp4.Time(int64(r.Start), f.scale)))
	}
	f.number++
	dst = mp4.AppendFragment(dst, f.number, f.run[:])
	f.parts = append(f.parts, Part{
		Duration: mp4.Time(f.end, f.scale) - mp4.Time(int64(r.Start), f.scale), Independent: r.Samples[0].Sync, Offset: from, Size: len(dst) - from,
	})
	f.samples, f.ticks = f.samples+int64(n), f.ticks+f.end-int64(r.Start)
	for i := range r.Samples {
		r.Samples[i].Data = nil
	}
	r.Samples = r.Samples[:0]
	return dst
}

func clampDuration(v int64) uint32 { return uint32(min(max(v, 1), 1<<32-1)) }
func clampOffset(v int64) int32    { return int32(min(max(v, -1<<31), 1<<31-1)) }
