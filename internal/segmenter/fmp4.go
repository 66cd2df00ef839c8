package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// FMP4 is the Container of fragmented MP4 (CMAF, ISO 23000-19): a file for each track,
// one fragment in each. Samples last until the next one, and the last of a segment until
// the segment ends, so durations add up over segments.
type FMP4 struct {
	tracks [2]fragmentTrack // by media.Kind
	base   time.Duration    // is added to all times: tfdt has no sign
	begun  bool             // base is set
	anchor time.Duration    // where a timeline is to begin; negative: anywhere

	sync     time.Duration // see SetAudio
	standing standingPicture
	parts    []*media.Packet // scratch: of one picture
	silence  silentTrack
	left     uint64 // packets left out because silence was written in their place
}

// A fragmentTrack is what the files of one track go on with. Times are in the ticks of
// its timescale.
type fragmentTrack struct {
	track  *media.Track
	init   []byte // its initialisation section
	scale  int64
	lead   time.Duration // of video: composition offset of the first keyframe, see picture
	number uint32        // of the newest fragment
	end    int64         // where the newest fragment ends
	on     bool          // the next fragment is to begin at end

	grid    int64 // of sound: where the next frame is by the count of samples
	clocked bool  // grid is known
	step    int64 // between the last two samples, or a guess

	run  [1]mp4.Run // scratch: the fragment
	last int64      // DTS of its newest sample
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
	x.rebase(g)
	if v := g.Tracks[media.Video]; v != nil {
		x.pictures(g, v)
		dst[media.Video], out[media.Video] = x.write(dst[media.Video], g, media.Video)
	}
	if a := g.Tracks[media.Audio]; a != nil {
		x.sound(g, a)
		dst[media.Audio], out[media.Audio] = x.write(dst[media.Audio], g, media.Audio)
	}
	return out
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

// begin begins a fragment of t in g; first is a frame of it.
func (f *fragmentTrack) begin(g *Segment, t *media.Track, first []byte) {
	r := &f.run[0]
	r.TrackID, r.Video, r.Samples = uint32(t.Kind)+1, t.Kind == media.Video, r.Samples[:0]
	if g.Discontinuity {
		f.on, f.clocked = false, false
	}
	if first == nil || f.track != nil && mp4.SameCoding(f.track, t) {
		return
	}
	f.track, f.scale = t, int64(mp4.Timescale(t))
	f.on, f.clocked, f.step = false, false, mp4.Ticks(frameGuess, f.scale)
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
	f.last = at
	r.Samples = append(r.Samples, mp4.Sample{Data: data, Offset: clampOffset(pts - at), Sync: sync})
}

// shut ends the fragment at the given time.
func (f *fragmentTrack) shut(end int64) {
	r := &f.run[0]
	n := len(r.Samples)
	if n == 0 {
		return
	}
	r.Samples[n-1].Duration = clampDuration(end - f.last)
	f.end, f.on = f.last+int64(r.Samples[n-1].Duration), true
}

// write appends the fragment of a kind to dst as a segment, if it has a sample.
func (x *FMP4) write(dst []byte, g *Segment, kind media.Kind) ([]byte, Piece) {
	f := &x.tracks[kind]
	r := &f.run[0]
	if len(r.Samples) == 0 || f.init == nil {
		return dst, Piece{}
	}
	f.number++
	dst = mp4.AppendSegmentType(dst)
	dst = mp4.AppendFragment(dst, f.number, f.run[:])
	p := Piece{Track: f.track, Init: f.init, Start: r.Start, Duration: uint64(f.end) - r.Start, Timescale: uint32(f.scale)}
	p.Later = mp4.Time(int64(r.Start), f.scale) - x.base - g.Start - x.tracks[media.Video].lead
	for i := range r.Samples {
		r.Samples[i].Data = nil
	}
	return dst, p
}

// ticks is the time t of the timeline on f's clock.
func (x *FMP4) ticks(f *fragmentTrack, t time.Duration) int64 { return mp4.Ticks(t+x.base, f.scale) }

// pictures makes the fragment of the pictures in g.
func (x *FMP4) pictures(g *Segment, v *media.Track) {
	f := &x.tracks[media.Video]
	x.standing.begin(g)
	again := x.standing.first(g, 0)
	first := firstOf(g, media.Video)
	if len(again) > 0 {
		first = again[0]
	}
	if first == nil {
		f.begin(g, v, nil)
		return
	}
	f.begin(g, v, first.Data)
	if !f.on {
		f.lead = first.CTS
	}
	for _, p := range again {
		x.picture(f, p)
		x.standing.note(p)
	}
	for i, p := range g.packets {
		if p.Track.Kind != media.Video || p.Continues {
			continue
		}
		p, x.parts = g.pictureAt(i, x.parts)
		x.picture(f, p)
		x.standing.take(p)
	}
	clear(x.parts)
	f.shut(x.ticks(f, g.Start+g.Duration+f.lead))
}

// picture adds p. All pictures are decoded later by the composition offset of the first
// keyframe, so that a segment that begins with a keyframe is presented from the time on
// that tfdt says, without an edit list. Offsets have signs for that (ISO 14496-12
// §8.8.8, trun version 1).
func (x *FMP4) picture(f *fragmentTrack, p *media.Packet) {
	f.put(p.Data, x.ticks(f, p.DTS+f.lead), x.ticks(f, p.DTS+p.CTS), p.Keyframe)
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

func clampDuration(v int64) uint32 { return uint32(min(max(v, 1), 1<<32-1)) }
func clampOffset(v int64) int32    { return int32(min(max(v, -1<<31), 1<<31-1)) }
