package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// mustWait says whether p is audio of another codec than the open segment's. A segment
// has one audio codec, and a cut at once would be in the middle of a GOP. So p waits for
// the segment that begins with the next keyframe.
func (s *Segmenter) mustWait(p *media.Packet) bool {
	g := s.open
	if g == nil || p.Track.Kind != media.Audio || g.Tracks[media.Video] == nil {
		return false
	}
	audio := g.Tracks[media.Audio]
	if audio == nil && g.Fixed {
		audio = s.has(media.Audio)
	}
	return audio != nil && !s.fitsBeside(audio, p.Track) || len(s.delayed) > 0
}

// fitsBeside says whether sound of a and b can be in one segment.
func (s *Segmenter) fitsBeside(a, b *media.Track) bool {
	if s.rules.Apart {
		return mp4.SameCoding(a, b) // one initialisation section is for both
	}
	return a.Codec == b.Codec
}

// split takes the sound from t on out of the open segment, which ends there.
func (s *Segmenter) split(t time.Duration) {
	g := s.open
	if g == nil || !s.rules.Apart || g.Frames == 0 {
		return
	}
	kept := g.packets[:0]
	for _, p := range g.packets {
		if p.Track.Kind == media.Audio && g.shifted(p) >= t {
			s.delayed = append(s.delayed, p)
			continue
		}
		kept = append(kept, p)
	}
	clear(g.packets[len(kept):])
	g.packets = kept
}

// delay keeps p for the next segment.
func (s *Segmenter) delay(p *media.Packet) {
	s.delayed = append(s.delayed, p)
	s.open.held += p.Held() + s.open.headers.Charge(p)
}

// addDelayed adds the audio that waited to g, which has begun. If the codec changed
// several times meanwhile, only audio of the newest codec is added.
func (s *Segmenter) addDelayed(g *Segment) {
	if len(s.delayed) == 0 {
		return
	}
	newest := s.delayed[len(s.delayed)-1].Track
	for _, p := range s.delayed {
		if !s.fitsBeside(p.Track, newest) {
			s.dropped++
			continue
		}
		g.packets = append(g.packets, p)
		g.bytes += int64(len(p.Data))
		g.held += p.Held() + g.headers.Charge(p)
	}
	g.Tracks[media.Audio], g.audioShift = newest, s.line.shift
	clear(s.delayed)
	s.delayed = s.delayed[:0]
}

// dropDelayed drops the audio that waits: no segment follows.
func (s *Segmenter) dropDelayed() {
	s.dropped += uint64(len(s.delayed))
	clear(s.delayed)
	s.delayed = s.delayed[:0]
}
