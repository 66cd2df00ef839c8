package segmenter

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// maxSilence is how long a gap in the sound may be before it is filled.
	maxSilence = time.Second
	// silenceSlack is how far silence stays behind where sound would be now: it
	// may be back with the next packet.
	silenceSlack = 500 * time.Millisecond
	// maxSilentRun bounds what one picture can add.
	maxSilentRun = 2 * maxForward
)

// silent are raw data blocks of AAC-LC without sound, by channel configuration.
var silent = [...][]byte{
	1: {0x00, 0xc8, 0x00, 0x80, 0x23, 0x80},
	2: {0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80},
}

// silence fills the sound up to about a picture decoded at dts. Players that
// know of an audio track play only what they have both of: hls.js stops for
// good at fragments without audio, which is what a muted encoder makes.
func (x *MPEGTS) silence(dst []byte, start, dts time.Duration) []byte {
	t := x.audio
	x.newest = dts
	if !x.clocked || t == nil || t.Codec != media.CodecAAC || t.AudioObjectType != 2 || t.FrameSamples == 0 || t.SampleRate == 0 ||
		t.ChannelConfig < 1 || int(t.ChannelConfig) >= len(silent) {
		return dst
	}
	until := dts - x.late
	gap := until - x.base - Samples(x.count, t)
	if gap < maxSilence && !x.filling || gap > maxSilentRun {
		return dst
	}
	if first := start - max(x.late, 0); x.base+Samples(x.count, t) < first {
		x.base, x.count = first, 0
	}
	x.filling = true
	for {
		pts := x.base + Samples(x.count, t)
		if pts > until-silenceSlack {
			return dst
		}
		x.count++
		x.silenced = pts + Samples(1, t)
		dst = x.appendAudio(dst, &media.Packet{Track: t, DTS: pts, Data: silent[t.ChannelConfig]}, pts)
	}
}

// tooLate says whether sound at pts lies behind the silence that was written in its
// place: it came back later than it was before, and is left out.
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

// heard says whether the segment has sound of its own.
func (g *Segment) heard() bool {
	return slices.ContainsFunc(g.packets, func(p *media.Packet) bool { return p.Track.Kind == media.Audio })
}
