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

// sound appends the sound of g that is not in dst yet. Beside pictures it is written up to
// the newest one: what is later may belong to the next segment.
func (x *FMP4) sound(dst []byte, g *Segment, a *media.Track, complete bool) []byte {
	f := &x.tracks[media.Audio]
	until := g.newestPicture()
	if !f.begun {
		first := firstOf(g, media.Audio)
		if first == nil && !complete && (f.track == nil || until-x.time(f, f.grid) < maxSilence) {
			return dst
		}
		f.begun = true
		if first != nil {
			x.silence.set(first.Track, first.Data)
			f.begin(first.Track, first.Data)
		} else {
			x.silence.set(a, nil)
			f.begin(a, x.silence.frame)
		}
		x.newest = g.Start
	}
	if f.track == nil {
		return dst
	}
	beside := g.Tracks[media.Video] != nil
	for ; f.pos < len(g.packets); f.pos++ {
		p := g.packets[f.pos]
		if p.Track.Kind == media.Video {
			x.newest = p.DTS
			continue
		}
		at := g.shifted(p) + p.CTS
		if !complete && beside && at+p.Track.FrameDuration() > until {
			break
		}
		f.taken++
		var ok bool
		if dst, ok = x.frame(dst, f, p, at); ok {
			x.silence.late = max(x.newest-at, 0)
		}
	}
	switch {
	case !beside:
	case complete:
		dst = x.fill(dst, f, g, g.Start+g.Duration)
	case f.pos == len(g.packets):
		dst = x.fill(dst, f, g, until)
	}
	if complete {
		dst = x.finish(dst, f, f.grid)
	}
	return dst
}

// newestPicture is the DTS of the newest picture of g, or where g begins.
func (g *Segment) newestPicture() time.Duration {
	for i := len(g.packets) - 1; i >= 0; i-- {
		if p := g.packets[i]; p.Track.Kind == media.Video && !p.Continues {
			return p.DTS
		}
	}
	return g.Start
}

// time is a tick of f's clock on the timeline.
func (x *FMP4) time(f *fragmentTrack, tick int64) time.Duration {
	return mp4.Time(tick, f.scale) - x.base
}

// frame adds a frame of sound at the given time of the timeline. It returns whether there
// is a place for it: not if silence was written there, because the sound came back with a
// longer delay than before.
func (x *FMP4) frame(dst []byte, f *fragmentTrack, p *media.Packet, t time.Duration) ([]byte, bool) {
	at, tolerance := x.ticks(f, t), mp4.Ticks(x.sync, f.scale)
	if x.silence.on {
		if at < f.grid-mp4.Ticks(resync, f.scale) {
			x.left++
			return dst, false
		}
		dst = x.silent(dst, f, at, 0)
		f.clocked = false
	}
	begins, drift := len(f.run[0].Samples) == 0, at-f.grid
	switch {
	case !f.clocked:
	case drift >= -tolerance && drift <= tolerance:
		at = f.grid
	case drift >= mp4.Ticks(maxSilence, f.scale) || begins && drift > 0:
		dst = x.silent(dst, f, at, 0)
	}
	x.silence.on = false
	if f.partEnds(at, false) {
		dst = x.finish(dst, f, at)
	}
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
	if f.clocked && f.partEnds(f.grid, false) {
		dst = x.finish(dst, f, f.grid)
	}
	return dst, true
}

// silent adds silence from the end of the sound on, to slack before until, if there is
// any for the track.
func (x *FMP4) silent(dst []byte, f *fragmentTrack, until int64, slack time.Duration) []byte {
	n := x.silence.lasts
	if x.silence.frame == nil || until-f.grid > mp4.Ticks(maxSilentRun, f.scale) {
		return dst
	}
	for until -= mp4.Ticks(slack, f.scale); f.grid+n <= until; {
		f.put(x.silence.frame, f.grid, f.grid, true)
		x.silence.on = true
		if f.grid += n; f.partEnds(f.grid, false) {
			dst = x.finish(dst, f, f.grid)
		}
	}
	return dst
}

// fill adds silence up to a time of the timeline, less that by which the sound is usually
// later than the picture.
func (x *FMP4) fill(dst []byte, f *fragmentTrack, g *Segment, end time.Duration) []byte {
	if x.silence.frame == nil {
		return dst
	}
	until := x.ticks(f, end-x.silence.late)
	if !f.clocked || until-f.grid > mp4.Ticks(maxSilentRun, f.scale) {
		f.grid, f.clocked = max(x.ticks(f, g.Start-x.silence.late), f.grid), true
	} else if !x.silence.on && until-f.grid < mp4.Ticks(maxSilence, f.scale) {
		return dst
	}
	return x.silent(dst, f, until, silenceSlack)
}
