package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A silentTrack knows where the sound of a stream is missing. Players of a stream with an
// audio track play only where they have both.
type silentTrack struct {
	late time.Duration // how far the sound was behind the pictures that came with it
	on   bool          // the newest frames written are silence
}

// sound makes the fragment of the sound in g.
func (x *FMP4) sound(g *Segment, a *media.Track) {
	f := &x.tracks[media.Audio]
	if g.Discontinuity {
		x.silence.on = false
	}
	first := firstOf(g, media.Audio)
	switch {
	case first != nil:
		f.begin(g, first.Track, first.Data)
	case x.canFill(a):
		f.begin(g, a, silent[a.ChannelConfig])
	default:
		f.begin(g, a, nil)
	}
	if f.track == nil {
		return
	}
	newest := g.Start // DTS of the newest picture
	for _, p := range g.packets {
		if p.Track.Kind == media.Video {
			newest = p.DTS
			continue
		}
		at := g.shifted(p) + p.CTS
		if x.frame(f, p, at) {
			x.silence.late = max(newest-at, 0)
		}
	}
	if g.Tracks[media.Video] != nil {
		x.fill(f, g)
	}
	f.shut(f.grid)
}

// frame adds a frame of sound at the given time of the timeline. It returns whether there
// is a place for it: not if silence was written there, because the sound came back with a
// longer delay than before.
func (x *FMP4) frame(f *fragmentTrack, p *media.Packet, t time.Duration) bool {
	at, tolerance := x.ticks(f, t), mp4.Ticks(x.sync, f.scale)
	if x.silence.on {
		if at < f.grid-mp4.Ticks(resync, f.scale) {
			x.left++
			return false
		}
		x.silence.on, f.clocked = false, false
	}
	if drift := at - f.grid; f.clocked && drift >= -tolerance && drift <= tolerance {
		at = f.grid
	}
	begins := len(f.run[0].Samples) == 0
	if hole := at - f.end; begins && f.on && hole > 0 && hole < mp4.Ticks(maxSilence, f.scale) {
		f.put(p.Data, f.end, f.end, true) // it lasts longer instead
	} else {
		f.put(p.Data, at, at, true)
	}
	n := mp4.FrameSamples(p.Track, p.Data)
	if n == 0 {
		n = mp4.Ticks(frameGuess, f.scale) // until the next one comes
	}
	f.grid, f.clocked = max(at, f.last)+n, true
	return true
}

// canFill says whether there is silence for a track like a.
func (x *FMP4) canFill(a *media.Track) bool {
	return a.Codec == media.CodecAAC && a.AudioObjectType == 2 && a.FrameSamples > 0 && a.SampleRate > 0 && int(a.ChannelConfig) < len(silent) && silent[a.ChannelConfig] != nil
}

// fill adds silence up to the end of g, less the time by which the sound is usually
// later than the picture.
func (x *FMP4) fill(f *fragmentTrack, g *Segment) {
	if !x.canFill(f.track) {
		return
	}
	until := x.ticks(f, g.Start+g.Duration-x.silence.late)
	from := f.grid
	if !f.clocked || until-from > mp4.Ticks(maxSilentRun, f.scale) {
		from = max(x.ticks(f, g.Start-x.silence.late), f.grid)
	}
	if !x.silence.on && until-from < mp4.Ticks(maxSilence, f.scale) {
		return
	}
	f.grid, f.clocked = from, true
	for f.grid <= until-mp4.Ticks(silenceSlack, f.scale) {
		f.put(silent[f.track.ChannelConfig], f.grid, f.grid, true)
		f.grid += int64(f.track.FrameSamples)
		x.silence.on = true
	}
}
