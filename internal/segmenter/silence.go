package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// maxSilence is how long a gap in the sound may be before it is filled.
	maxSilence = time.Second
	// silenceSlack is how far silence stays behind the video: the next packet may be
	// sound of that time.
	silenceSlack = 500 * time.Millisecond
	// maxSilentRun bounds the silence that one picture can add.
	maxSilentRun = 2 * maxForward
)

// silence appends silence up to about dts, where the next picture of g is decoded, or to
// the next sound. Players of a stream with an audio track play only where they have
// both: hls.js stops for good at a segment without audio, as a muted encoder makes it.
func (x *MPEGTS) silence(dst []byte, g *Segment, dts time.Duration) []byte {
	t := x.audio
	if !x.clocked || t == nil || t.Codec != media.CodecAAC || t.FrameSamples == 0 || t.SampleRate == 0 ||
		t.ChannelConfig < 1 || int(t.ChannelConfig) >= len(silent) {
		return dst
	}
	until := dts - x.late
	gap := until - x.base - Samples(x.count, t)
	if gap < maxSilence && !x.filling || gap > maxSilentRun {
		return dst
	}
	if !x.searched {
		x.searched = true
		x.sound, x.more = g.soundFrom(x.at)
	}
	switch {
	case x.more:
		until = min(until, x.sound-Samples(1, t))
	case x.mute:
		until -= silenceSlack
	default: // what is missing may come in the next segment
		return dst
	}
	pts := x.base + Samples(x.count, t)
	if first := g.Start - max(x.late, 0); pts < first {
		pts = first
		x.base, x.count = first, 0
	}
	for pts <= until {
		x.filling = true
		x.count++
		x.silenced = pts + Samples(1, t)
		dst = x.appendAudio(dst, &media.Packet{Track: t, DTS: pts, Data: silent[t.ChannelConfig]}, pts)
		pts = x.base + Samples(x.count, t)
	}
	return dst
}

// tooLate says whether silence was already written at pts: the sound came back with a
// longer delay than before. It is left out.
func (x *MPEGTS) tooLate(pts time.Duration) bool {
	if x.silenced == 0 || pts >= x.silenced-resync {
		return false
	}
	x.left++
	return true
}

// heard notes that there is sound at pts.
func (x *MPEGTS) heard(pts time.Duration) {
	x.filling = false
	x.late = x.newest - pts
}

// soundFrom returns the earliest time of the sound among the packets from index i on;
// false: there is none.
func (g *Segment) soundFrom(i int) (pts time.Duration, ok bool) {
	for _, p := range g.packets[i:] {
		if p.Track.Kind != media.Audio {
			continue
		}
		if at := g.shifted(p) + p.CTS; !ok || at < pts {
			pts, ok = at, true
		}
	}
	return pts, ok
}
