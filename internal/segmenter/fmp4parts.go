package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A Part is a part of a segment's file: one fragment.
type Part struct {
	Duration     time.Duration
	Independent  bool // it begins with a keyframe, or is sound
	Offset, Size int  // in the file
}

// SetParts sets about how long a part is; 0: as long as its segment. A part has a whole
// number of samples, so how long parts of a track are is settled once it is known how long
// its samples are, after its first segment: see PartTarget. It does not change after that.
func (x *FMP4) SetParts(d time.Duration) {
	x.part = d
	for kind := range x.tracks {
		if d == 0 {
			x.tracks[kind].limit = 0
		}
	}
}

// SetAligned says that segments end at times that were settled before. A keyframe that
// would end a part too early is within it then; otherwise the segment ends: see Short.
func (x *FMP4) SetAligned(aligned bool) { x.tracks[media.Video].aligned = aligned }

// SetDay has each part say at what time of day its media was (prft), for the open segment:
// g, which began at begins.
func (x *FMP4) SetDay(g *Segment, begins time.Time) {
	x.day = begins.Add(-g.Start)
}

// finish ends the fragment of f.
func (x *FMP4) finish(dst []byte, f *fragmentTrack, end int64) []byte {
	f.day = x.day
	if !f.day.IsZero() {
		f.day = f.day.Add(-x.base - x.tracks[media.Video].lead)
	}
	return f.finish(dst, end)
}

// PartTarget is how long a part of a kind is at most; 0: it is not settled.
func (x *FMP4) PartTarget(kind media.Kind) time.Duration { return x.tracks[kind].target }

// Advance appends the parts of g, which is open, that are complete by now. Append then
// appends the rest. dst is the same as in the call before, with what that appended.
func (x *FMP4) Advance(dst *Files, g *Segment) { x.advance(dst, g, false) }

// Abandon gives up the segment that Advance began: there will be no Append.
func (x *FMP4) Abandon() { x.open, x.day = false, time.Time{} }

// End is where the media of a kind ends that is in files, and goes on, in the ticks of its
// track and on the timeline.
func (x *FMP4) End(kind media.Kind) (tick uint64, at time.Duration, ok bool) {
	f := &x.tracks[kind]
	if !f.on {
		return 0, 0, false
	}
	at = x.time(f, f.end)
	if kind == media.Video {
		at -= f.lead
	}
	return uint64(f.end), at, true
}

// Due is the DTS of the picture, or frame of sound if there are no pictures, with which
// the next part of g is complete; 0: not known.
func (x *FMP4) Due(g *Segment) (kind media.Kind, at time.Duration) {
	kind = media.Video
	if g.Tracks[media.Video] == nil {
		kind = media.Audio
	}
	for k := range x.tracks {
		f := &x.tracks[k]
		begins := f.end
		switch {
		case f.limit == 0 || g.Tracks[k] == nil:
			continue
		case len(f.run[0].Samples) > 0:
			begins = int64(f.run[0].Start)
		case !f.on:
			continue
		}
		due := x.time(f, begins+f.limit-f.usual/2)
		if media.Kind(k) == media.Video {
			due -= f.lead
		}
		if at == 0 || due < at {
			at = due
		}
	}
	return kind, at
}

// settle settles how long parts of about length are, before a segment.
func (f *fragmentTrack) settle(kind media.Kind, length time.Duration) {
	if length == 0 || f.limit > 0 || f.samples == 0 {
		return
	}
	f.usual = max(f.ticks/f.samples, 1)
	if f.target > 0 { // another track: it must do with what is settled
		f.limit = max(mp4.Ticks(f.target, f.scale)/f.usual, 1) * f.usual
		return
	}
	f.limit = fitting(max((mp4.Ticks(length, f.scale)+f.usual/2)/f.usual, 1), f.gop) * f.usual
	f.target = mp4.Time(f.limit, f.scale)
	if kind == media.Video {
		// Publishers round the times of pictures to milliseconds.
		f.target = f.target.Truncate(time.Millisecond) + 2*time.Millisecond
	}
}

// fitting is about how many samples a part has so that parts up to a keyframe within a
// segment are not too short, if there is one every gop samples. want is how many there
// should be.
func fitting(want, gop int64) int64 {
	for apart := range want/2 + 1 {
		for _, n := range [...]int64{want + apart, want - apart} {
			if n > 0 && n < gop && (gop%n == 0 || short*n <= 100*(gop%n)) {
				return n
			}
		}
	}
	return want
}

// short is how many percent of the part target a part must last (RFC 8216bis §4.4.4.9),
// unless it begins with a keyframe or is the last one of its segment.
const short = 85

// Short says whether a keyframe at t on the timeline, with nothing of it in g so far, would
// end a part too early. The segment may end there instead: its last part may be short.
func (x *FMP4) Short(t time.Duration) bool {
	f := &x.tracks[media.Video]
	r := &f.run[0]
	if !x.open || f.limit == 0 || len(r.Samples) == 0 || r.Samples[0].Sync {
		return false
	}
	lasts := x.ticks(f, t+f.lead) - int64(r.Start)
	if lasts > f.limit+f.usual/2 { // the newest picture, which is not in it, begins a part
		lasts -= f.limit
	}
	return lasts > f.usual/2 && lasts*100 < mp4.Ticks(f.target, f.scale)*short
}

// partEnds says whether the part is to end before a sample at the given time.
func (f *fragmentTrack) partEnds(at int64, keyframe bool) bool {
	r := &f.run[0]
	if f.limit == 0 || len(r.Samples) == 0 {
		return false
	}
	lasts, target := at-int64(r.Start), mp4.Ticks(f.target, f.scale)
	switch {
	case keyframe && !(f.aligned && lasts*100 < target*short): // players begin with parts
		return true
	case lasts >= f.limit-f.usual/2:
		return true
	}
	// With another sample like the newest one it would be too long.
	return lasts*100 >= target*short && lasts+at-f.last > target
}

// recount finds the places in g again after packets were taken out of it, which were in no
// part.
func (x *FMP4) recount(g *Segment) {
	for kind := range x.tracks {
		f := &x.tracks[kind]
		n := 0
		for f.pos = 0; f.pos < len(g.packets) && n < f.taken; f.pos++ {
			if p := g.packets[f.pos]; p.Track.Kind == media.Kind(kind) && !p.Continues {
				n++
			}
		}
	}
}
