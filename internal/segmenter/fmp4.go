package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// FMP4 is the Container of fragmented MP4 (CMAF, ISO 23000-19): a file for each track.
// Samples last until the next one, and the last of a segment until the segment ends, so
// durations add up over segments.
//
// A file has one fragment, or one for each part: see SetParts. Then Advance writes parts
// while the segment is still open, and Append the rest of it.
type FMP4 struct {
	tracks [2]fragmentTrack // by media.Kind
	base   time.Duration    // is added to all times: tfdt has no sign
	begun  bool             // base is set
	anchor time.Duration    // where a timeline is to begin; negative: anywhere

	sync     time.Duration // see SetAudio
	part     time.Duration // see SetParts
	standing standingPicture
	joined   []*media.Packet // scratch: of one picture
	silence  silentTrack
	left     uint64 // packets left out because silence was written in their place

	open   bool          // the segment given last is not complete
	day    time.Time     // of time 0 of the timeline; zero: parts do not say
	newest time.Duration // DTS of the newest picture that came before the sound in hand
}

// NewFMP4 makes a container for fragmented MP4, for one stream.
func NewFMP4() *FMP4 { return &FMP4{anchor: -1} }

// Anchor implements Container.
func (x *FMP4) Anchor(at time.Duration) { x.anchor = at }

// Carries implements Container.
func (x *FMP4) Carries(t *media.Track) bool { return mp4.Supports(t) }

// SetAudio implements Container. A longest duration of one piece has no meaning here.
func (x *FMP4) SetAudio(sync, _ time.Duration) { x.sync = max(sync, minSync) }

// minSync is how far sound is from the count of its samples at least before that begins
// again: publishers round timestamps, and gaps and overlaps of samples are heard.
const minSync = 60 * time.Millisecond

// Apart implements Container.
func (x *FMP4) Apart() bool { return true }

// Dropped implements Container.
func (x *FMP4) Dropped() uint64 { return x.left }

// Size implements Container.
func (x *FMP4) Size(g *Segment) (n [2]int) {
	for _, p := range g.packets {
		n[p.Track.Kind] += len(p.Data) + 16
	}
	const boxes = 256
	return [2]int{n[0] + boxes, n[1] + boxes}
}

// Append implements Container.
func (x *FMP4) Append(dst *Files, g *Segment) (out [2]Piece) {
	x.advance(dst, g, true)
	x.open, x.day = false, time.Time{}
	for kind := range out {
		out[kind] = x.Piece(g, media.Kind(kind))
	}
	return out
}

// Piece says what of g is in the file of a kind so far; without a Track: nothing.
func (x *FMP4) Piece(g *Segment, kind media.Kind) Piece {
	f := &x.tracks[kind]
	if len(f.parts) == 0 {
		return Piece{}
	}
	p := Piece{Track: f.track, Init: f.init, Start: uint64(f.first), Duration: uint64(f.end - f.first), Timescale: uint32(f.scale), Parts: f.parts}
	p.Later = mp4.Time(f.first, f.scale) - x.base - g.Start - x.tracks[media.Video].lead
	return p
}

// advance appends what came to g since the call before; all of it, if g is complete.
func (x *FMP4) advance(dst *Files, g *Segment, complete bool) {
	if !x.open {
		x.open = true
		x.rebase(g)
		for kind := range x.tracks {
			f := &x.tracks[kind]
			f.settle(media.Kind(kind), x.part)
			f.next(g)
		}
		x.standing.begin(g)
		if g.Discontinuity {
			x.silence.on = false
		}
	}
	if complete && x.part > 0 {
		x.recount(g)
	}
	if v := g.Tracks[media.Video]; v != nil {
		dst[media.Video] = x.pictures(dst[media.Video], g, v, complete)
	}
	if a := g.Tracks[media.Audio]; a != nil {
		dst[media.Audio] = x.sound(dst[media.Audio], g, a, complete)
	}
}

// rebase makes all times of g positive. That may only change at a discontinuity.
func (x *FMP4) rebase(g *Segment) {
	if x.begun && !g.Discontinuity {
		return
	}
	x.begun = true
	first := g.Start
	for _, p := range g.packets {
		first = min(first, g.shifted(p))
	}
	if x.anchor >= 0 {
		x.base = x.anchor - g.Start
	}
	if first+x.base < 0 {
		x.base = (-first).Truncate(time.Second) + time.Second
	}
}

// ticks is the time t of the timeline on f's clock.
func (x *FMP4) ticks(f *fragmentTrack, t time.Duration) int64 { return mp4.Ticks(t+x.base, f.scale) }

// pictures appends the pictures of g that are not in dst yet. Without complete a picture
// waits for the next one: only then it is known how long it lasts, and that no slice of it
// is missing.
func (x *FMP4) pictures(dst []byte, g *Segment, v *media.Track, complete bool) []byte {
	f := &x.tracks[media.Video]
	if !f.begun {
		first := firstOf(g, media.Video)
		if first == nil && !complete {
			return dst
		}
		again := x.standing.first(g, 0)
		if len(again) > 0 {
			first = again[0]
		}
		f.begun = true
		if first == nil {
			f.begin(v, nil)
			return dst
		}
		f.begin(v, first.Data)
		if !f.on {
			f.lead = first.CTS
		}
		for _, p := range again {
			dst = x.picture(dst, f, p)
			x.standing.note(p)
		}
	}
	for f.pos < len(g.packets) {
		at, following := g.picturesFrom(f.pos)
		if at < 0 || following < 0 && !complete {
			break
		}
		var p *media.Packet
		p, x.joined = g.pictureAt(at, x.joined)
		dst = x.picture(dst, f, p)
		x.standing.take(p)
		f.taken++
		if f.pos = following; following < 0 {
			f.pos = len(g.packets)
		}
	}
	clear(x.joined)
	if complete {
		dst = x.finish(dst, f, x.ticks(f, g.Start+g.Duration+f.lead))
	}
	return dst
}

// picture adds p. All pictures are decoded later by the composition offset of the first
// keyframe, so that a segment that begins with a keyframe is presented from the time on
// that tfdt says, without an edit list. Offsets have signs for that (ISO 14496-12
// §8.8.8, trun version 1).
func (x *FMP4) picture(dst []byte, f *fragmentTrack, p *media.Packet) []byte {
	at := x.ticks(f, p.DTS+f.lead)
	if f.partEnds(at, p.Keyframe) {
		dst = x.finish(dst, f, at)
	}
	f.put(p.Data, at, x.ticks(f, p.DTS+p.CTS), p.Keyframe)
	return dst
}

// picturesFrom returns the index of the first picture from i on, and that of the next one
// after it; -1: there is none.
func (g *Segment) picturesFrom(i int) (at, following int) {
	at = -1
	for ; i < len(g.packets); i++ {
		p := g.packets[i]
		switch {
		case p.Track.Kind != media.Video || p.Continues:
		case at < 0:
			at = i
		default:
			return at, i
		}
	}
	return at, -1
}

// firstOf is the first packet of a kind in g; nil: there is none.
func firstOf(g *Segment, kind media.Kind) *media.Packet {
	for _, p := range g.packets {
		if p.Track.Kind == kind {
			return p
		}
	}
	return nil
}
