package segmenter

import (
	"slices"
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

// silent are raw data blocks of AAC-LC without sound, by channel configuration.
var silent = [...][]byte{
	1: {0x00, 0xc8, 0x00, 0x80, 0x23, 0x80},
	2: {0x21, 0x00, 0x49, 0x90, 0x02, 0x19, 0x00, 0x23, 0x80},
}

// silence appends silence up to about dts, where the next picture is decoded. Players
// of a stream with an audio track play only where they have both: hls.js stops for good
// at a segment without audio, as a muted encoder makes it.
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

// heard says whether the segment has sound of its own.
func (g *Segment) heard() bool {
	return slices.ContainsFunc(g.packets, func(p *media.Packet) bool { return p.Track.Kind == media.Audio })
}
