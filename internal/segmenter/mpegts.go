package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

const (
	// maxAudioPES keeps an audio PES within its 16-bit length.
	maxAudioPES = 60000
	// resync is how far a frame may be from where the PES says that it is. Beyond that
	// it begins a PES of its own: only the first frame of a PES has a timestamp.
	resync = 20 * time.Millisecond
)

// MPEGTS is the Container of MPEG-TS. Continuity counters and the audio clock go on from
// one segment to the next.
type MPEGTS struct {
	muxer        *mpegts.Muxer
	video, audio *media.Track

	sync     time.Duration // see SetAudio
	maxDelay time.Duration // see SetAudio

	// The audio clock: after base there were count frames.
	clocked bool
	base    time.Duration
	count   int64

	// Where sound was missing: see silence.
	filling  bool
	newest   time.Duration // DTS of the newest picture
	late     time.Duration // how far the sound was behind it
	mute     bool          // the segment has no sound of its own
	at       int           // index of the first packet of the segment that is not written
	searched bool          // sound and more are soundFrom(at)
	sound    time.Duration
	more     bool
	silenced time.Duration // where the silence ends; 0: there was none
	left     uint64        // packets left out because silence was written in their place

	order        decodeOrder
	standing     standingPicture
	parts        []*media.Packet // scratch: of one picture
	pending      []*media.Packet // of the next audio PES
	pendingBytes int
	pendingStart time.Duration // its PTS
	pendingNext  time.Duration // where its next frame belongs
}

// NewMPEGTS makes a container for MPEG-TS, for one stream.
func NewMPEGTS() *MPEGTS { return &MPEGTS{} }

// Anchor implements Container. The clock of a transport stream has no beginning.
func (x *MPEGTS) Anchor(time.Duration) {}

// Carries implements Container.
func (x *MPEGTS) Carries(t *media.Track) bool { return mpegts.Supports(t) }

// SetAudio implements Container.
func (x *MPEGTS) SetAudio(sync, maxDelay time.Duration) { x.sync, x.maxDelay = sync, maxDelay }

// Dropped implements Container.
func (x *MPEGTS) Dropped() uint64 { return x.left }

// Size implements Container.
func (x *MPEGTS) Size(g *Segment) [2]int {
	return [2]int{int(g.bytes) + int(g.bytes)/20 + 220*len(g.packets) + 4096}
}

// Append implements Container.
func (x *MPEGTS) Append(dst *Files, g *Segment) [2]Piece {
	dst[0] = x.append(dst[0], g)
	ticks := func(t time.Duration) uint64 { return uint64(max(t, 0)/time.Millisecond) * 90 }
	return [2]Piece{{Start: ticks(g.Start), Duration: ticks(g.Duration), Timescale: 90000}}
}

// Apart implements Container.
func (x *MPEGTS) Apart() bool { return false }

func (x *MPEGTS) append(dst []byte, g *Segment) []byte {
	video, audio := g.Tracks[media.Video], g.Tracks[media.Audio]
	switch {
	case x.muxer == nil:
		x.muxer = mpegts.NewMuxer(video, audio)
	case video != x.video || audio != x.audio:
		x.muxer.SetTracks(video, audio)
	}
	if audio != x.audio || g.Discontinuity {
		x.clocked, x.silenced = false, 0
	}
	x.video, x.audio = video, audio
	x.order.begin(g)
	x.standing.begin(g)
	dst = x.muxer.AppendTables(dst)
	x.at, x.searched = 0, true
	x.sound, x.more = g.soundFrom(0)
	x.mute = !x.more
	if video != nil {
		dst = x.showAgain(dst, g, x.standing.first(g, x.order.lead))
	}
	for i, p := range g.packets {
		x.at = i + 1
		if p.Track.Kind == media.Audio {
			x.searched = false
			pts := g.shifted(p) + p.CTS
			if x.tooLate(pts) {
				continue
			}
			pts = x.smooth(p, pts)
			x.heard(pts)
			dst = x.appendAudio(dst, p, pts)
			continue
		}
		if p.Continues {
			continue // it was joined with the first message of its picture
		}
		p, x.parts = g.pictureAt(i, x.parts)
		dst = x.beforeVideo(dst, g, p.DTS)
		p = x.order.place(p)
		dst = x.muxer.AppendVideo(dst, p)
		x.standing.take(p)
	}
	if video != nil {
		dst = x.showAgain(dst, g, x.standing.last(g, x.order.lead))
	}
	if g.keyNext { // a GOP is much memory
		x.standing.forget()
	}
	return x.flush(dst)
}

// beforeVideo appends the sound that must be written before a picture of that DTS.
func (x *MPEGTS) beforeVideo(dst []byte, g *Segment, dts time.Duration) []byte {
	if len(x.pending) > 0 && dts >= x.pendingStart+x.maxDelay {
		dst = x.flush(dst)
	}
	x.newest = dts
	return x.silence(dst, g, dts)
}

// showAgain appends pictures that were written before: see standingPicture.
func (x *MPEGTS) showAgain(dst []byte, g *Segment, pictures []*media.Packet) []byte {
	for _, p := range pictures {
		dst = x.beforeVideo(dst, g, p.DTS+x.order.lead)
		dst = x.muxer.AppendVideo(dst, p)
		x.standing.note(p)
		x.order.last = p.DTS
	}
	return dst
}

// smooth returns the PTS of an audio frame: what the count of samples says, as long as
// the publisher's rounded timestamp is not further away than sync
// (ngx_rtmp_hls_module.c:ngx_rtmp_hls_audio).
func (x *MPEGTS) smooth(p *media.Packet, pts time.Duration) time.Duration {
	t := p.Track
	if t.FrameSamples == 0 || t.SampleRate == 0 {
		return pts
	}
	if x.clocked {
		want := x.base + Samples(x.count, t)
		if d := pts - want; d >= -x.sync && d <= x.sync {
			x.count++
			return want
		}
	}
	x.clocked, x.base, x.count = true, pts, 1
	return pts
}

// Samples is the duration of n frames of t.
func Samples(n int64, t *media.Track) time.Duration {
	whole := n * int64(t.FrameSamples)
	rate := int64(t.SampleRate)
	return time.Duration(whole/rate)*time.Second + time.Duration(whole%rate)*time.Second/time.Duration(rate)
}

func (x *MPEGTS) appendAudio(dst []byte, p *media.Packet, pts time.Duration) []byte {
	if len(x.pending) > 0 {
		off := pts - x.pendingNext
		if pts >= x.pendingStart+x.maxDelay/2 || x.pendingBytes+len(p.Data) > maxAudioPES || off > resync || off < -resync {
			dst = x.flush(dst)
		}
	}
	if len(x.pending) == 0 {
		x.pendingStart = pts
	}
	x.pending = append(x.pending, p)
	x.pendingBytes += len(p.Data)
	x.pendingNext = pts
	if t := p.Track; t.FrameSamples > 0 && t.SampleRate > 0 {
		x.pendingNext += Samples(1, t)
	}
	return dst
}

func (x *MPEGTS) flush(dst []byte) []byte {
	if len(x.pending) == 0 {
		return dst
	}
	dst = x.muxer.AppendAudio(dst, x.pending, x.pendingStart)
	clear(x.pending)
	x.pending, x.pendingBytes = x.pending[:0], 0
	return dst
}
