package mpegts

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Program is one transport stream without fragments, in the order in which packets come:
// sound goes in PES packets of 150 ms, and PAT and PMT are repeated before every keyframe,
// so that players can begin there; without video twice a second. It belongs to one
// goroutine.
type Program struct {
	mux     *Muxer
	zero    time.Duration // DTS that is time 0
	video   bool
	sound   []*media.Packet // of the next PES packet
	scratch media.Packet
	tables  time.Duration // when they were written last
}

const (
	// programSound is how much sound one PES packet gets.
	programSound = 150 * time.Millisecond
	// programTables is how often PAT and PMT are repeated without video.
	programTables = 500 * time.Millisecond
)

// NewProgram begins a transport stream with those tracks; nil: there is none. zero is the
// DTS of the first packet.
func NewProgram(video, audio *media.Track, zero time.Duration) *Program {
	return &Program{mux: NewMuxer(video, audio), video: video != nil, zero: zero}
}

// AppendTables appends PAT and PMT: the beginning of the stream.
func (x *Program) AppendTables(dst []byte) []byte { return x.mux.AppendTables(dst) }

// SetTracks changes the tracks at a packet.
func (x *Program) SetTracks(dst []byte, video, audio *media.Track) []byte {
	dst = x.AppendSound(dst)
	x.mux.SetTracks(video, audio)
	x.video = video != nil
	return x.mux.AppendTables(dst)
}

// Append appends p, a whole picture or one frame of sound. Sound is kept for the next PES
// packet.
func (x *Program) Append(dst []byte, p *media.Packet) []byte {
	at := p.DTS - x.zero
	if len(x.sound) > 0 && p.DTS-x.sound[0].DTS >= programSound {
		dst = x.AppendSound(dst)
	}
	if p.Track.Kind == media.Audio {
		if !x.video && at-x.tables >= programTables {
			dst, x.tables = x.mux.AppendTables(dst), at
		}
		x.sound = append(x.sound, p)
		return dst
	}
	if p.Keyframe && at > x.tables {
		dst = x.AppendSound(dst)
		dst, x.tables = x.mux.AppendTables(dst), at
	}
	x.scratch = *p
	x.scratch.DTS = at
	dst = x.mux.AppendVideo(dst, &x.scratch)
	x.scratch = media.Packet{}
	return dst
}

// AppendSound appends the sound that waits.
func (x *Program) AppendSound(dst []byte) []byte {
	if len(x.sound) == 0 {
		return dst
	}
	dst = x.mux.AppendAudio(dst, x.sound, max(x.sound[0].DTS-x.zero, 0))
	clear(x.sound)
	x.sound = x.sound[:0]
	return dst
}
