package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A silentTrack knows where the sound of a stream is missing. Players of a stream with an
// audio track play only where they have both.
type silentTrack struct {
	late  time.Duration // how far the sound was behind the pictures that came with it
	on    bool          // the newest frames written are silence
	track *media.Track  // frame is for it
	frame []byte        // one without sound; nil: there is none
	lasts int64         // its duration in ticks
}

// set makes s ready for sound like t; sample is a frame of it, if there is one.
func (s *silentTrack) set(t *media.Track, sample []byte) {
	if s.track == t && (s.frame != nil || sample == nil) {
		return
	}
	s.track = t
	s.frame, s.lasts = silentFrame(t, sample), 0
	if s.frame != nil {
		s.lasts = mp4.FrameSamples(t, s.frame)
	}
	if s.lasts == 0 {
		s.frame = nil
	}
}

// silentFrame is a frame of t without sound; nil: there is none.
func silentFrame(t *media.Track, sample []byte) []byte {
	switch t.Codec {
	case media.CodecAAC: // SBR is not needed in each frame
		if n := int(t.ChannelConfig); n < len(silent) && (t.AudioObjectType == 2 || t.AudioObjectType == 5 || t.AudioObjectType == 29) {
			return silent[n]
		}
	case media.CodecOpus: // RFC 6716 §3.1: 20 ms of CELT, of one channel: all others are like it
		if len(t.Config) > 18 && t.Config[18] == 0 {
			return []byte{0xf8, 0xff, 0xfe}
		}
	case media.CodecMP3:
		// ISO 11172-3 §2.4.1: the header, without CRC, and side information that says
		// that no frequency has anything.
		if len(sample) > 4 {
			frame := make([]byte, len(sample))
			copy(frame, sample[:4])
			frame[1] |= 1
			return frame
		}
	}
	return nil
}

// sound makes the fragment of the sound in g.
func (x *FMP4) sound(g *Segment, a *media.Track) {
	f := &x.tracks[media.Audio]
	if g.Discontinuity {
		x.silence.on = false
	}
	first := firstOf(g, media.Audio)
	if first != nil {
		x.silence.set(first.Track, first.Data)
		f.begin(g, first.Track, first.Data)
	} else {
		x.silence.set(a, nil)
		f.begin(g, a, x.silence.frame)
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
		x.silent(f, at, 0)
		f.clocked = false
	}
	begins, drift := len(f.run[0].Samples) == 0, at-f.grid
	switch {
	case !f.clocked:
	case drift >= -tolerance && drift <= tolerance:
		at = f.grid
	case drift >= mp4.Ticks(maxSilence, f.scale) || begins && drift > 0:
		x.silent(f, at, 0)
	}
	x.silence.on = false
	begins = len(f.run[0].Samples) == 0
	if hole := at - f.end; begins && f.on && hole > 0 && hole < mp4.Ticks(maxSilence, f.scale) {
		f.put(p.Data, f.end, f.end, true) // it lasts longer instead
	} else {
		f.put(p.Data, at, at, true)
	}
	n := mp4.FrameSamples(p.Track, p.Data)
	f.clocked = n > 0
	if n == 0 {
		n = f.step // until the next one comes
	}
	f.grid = max(at, f.last) + n
	return true
}

// silent adds silence from the end of the sound on, to slack before until, if there is
// any for the track.
func (x *FMP4) silent(f *fragmentTrack, until int64, slack time.Duration) {
	n := x.silence.lasts
	if x.silence.frame == nil || until-f.grid > mp4.Ticks(maxSilentRun, f.scale) {
		return
	}
	for until -= mp4.Ticks(slack, f.scale); f.grid+n <= until; f.grid += n {
		f.put(x.silence.frame, f.grid, f.grid, true)
		x.silence.on = true
	}
}

// fill adds silence up to the end of g, less the time by which the sound is usually
// later than the picture.
func (x *FMP4) fill(f *fragmentTrack, g *Segment) {
	if x.silence.frame == nil {
		return
	}
	until := x.ticks(f, g.Start+g.Duration-x.silence.late)
	if !f.clocked || until-f.grid > mp4.Ticks(maxSilentRun, f.scale) {
		f.grid, f.clocked = max(x.ticks(f, g.Start-x.silence.late), f.grid), true
	} else if !x.silence.on && until-f.grid < mp4.Ticks(maxSilence, f.scale) {
		return
	}
	x.silent(f, until, silenceSlack)
}
