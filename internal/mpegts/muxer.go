// Package mpegts writes MPEG transport streams (ISO 13818-1): PAT, PMT, PES
// packets, continuity counters and clock references, one pass from coded frames
// to 188-byte packets in the caller's buffer.
package mpegts

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	packetSize  = 188
	payloadSize = packetSize - 4

	pidPAT   = 0x0000
	pidPMT   = 0x1000
	pidVideo = 0x0100
	pidAudio = 0x0101
	pidNone  = 0x1fff // as PCR PID: there is no clock
)

// Muxer writes one program of at most one video and one audio stream. It appends
// whole 188-byte packets. Continuity counters, the version of the PMT and the clock
// continue from fragment to fragment. It belongs to one goroutine.
//
// A frame whose track differs from the Muxer's only in its parameters is muxed
// with its own; one of another codec is left out and counted.
type Muxer struct {
	// Malformed counts the frames of which a part or all was left out: NAL
	// unit lengths that run past the end, frames too large for their framing
	// or of a codec that the PMT does not list.
	Malformed uint64

	video, audio *media.Track
	pat, pmt     [packetSize]byte // but for the continuity counter
	version      uint8            // of the PMT, 5 bits
	pcrPID       uint16
	clock        clock

	patCount, pmtCount, videoCount, audioCount uint8 // continuity counters to come
}

// Supports reports whether a transport stream for HLS can carry t: H.264, HEVC, AAC
// that an ADTS header can describe, MP3, AC-3, E-AC-3.
func Supports(t *media.Track) bool {
	if t == nil {
		return false
	}
	switch t.Codec {
	case media.CodecH264, media.CodecHEVC:
		return t.NALULength >= 1 && t.NALULength <= 4
	case media.CodecAAC:
		_, err := media.ADTSHeader(t, 0)
		return err == nil
	case media.CodecMP3, media.CodecAC3, media.CodecEAC3:
		return true
	}
	return false
}

// NewMuxer returns a muxer. An absent track is nil; an unsupported one counts as
// absent.
func NewMuxer(video, audio *media.Track) *Muxer {
	m := &Muxer{}
	m.writePAT()
	m.setTracks(video, audio)
	m.writePMT()
	return m
}

// SetTracks changes the tracks between two fragments. The counters continue; the PMT
// gets a new version if its content changes.
func (m *Muxer) SetTracks(video, audio *media.Track) {
	old := m.pmt
	m.setTracks(video, audio)
	m.writePMT()
	if m.pmt != old {
		m.version = (m.version + 1) & 0x1f
		m.writePMT()
	}
}

func (m *Muxer) setTracks(video, audio *media.Track) {
	m.video, m.audio = nil, nil
	m.pcrPID = pidNone
	if Supports(audio) {
		m.audio, m.pcrPID = audio, pidAudio
	}
	if Supports(video) {
		m.video, m.pcrPID = video, pidVideo
	}
}

// AppendTables appends PAT and PMT: the start of every fragment.
func (m *Muxer) AppendTables(dst []byte) []byte {
	dst = append(dst, m.pat[:]...)
	dst[len(dst)-packetSize+3] |= m.patCount
	dst = append(dst, m.pmt[:]...)
	dst[len(dst)-packetSize+3] |= m.pmtCount
	m.patCount = (m.patCount + 1) & 0xf
	m.pmtCount = (m.pmtCount + 1) & 0xf
	return dst
}

// trackOf returns the track of p, or nil if the PMT, made for want, does not list its
// codec.
func trackOf(p *media.Packet, want *media.Track) *media.Track {
	if p.Track == nil || p.Track == want || want == nil {
		return want
	}
	if p.Track.Codec != want.Codec || !Supports(p.Track) {
		return nil
	}
	return p.Track
}

// AppendAudio appends frames, which follow one another, as one PES packet (as
// many as needed when they exceed its 64 KiB). pts is that of the first frame,
// on the same clock as the video packets' DTS; frames[0].DTS unless the caller
// smooths the publisher's rounded timestamps.
func (m *Muxer) AppendAudio(dst []byte, frames []*media.Packet, pts time.Duration) []byte {
	for len(frames) > 0 {
		n, size := m.audioRun(frames)
		if size > 0 {
			dst = m.appendAudioPES(dst, frames[:n], size, pts)
		}
		if n < len(frames) {
			pts += frames[n].DTS - frames[0].DTS
		}
		frames = frames[n:]
	}
	return dst
}

// maxAudioPayload is what PES_packet_length leaves after the header's rest.
const maxAudioPayload = 0xffff - 3 - 5

// audioRun counts the frames that fit in one PES packet, and its payload.
func (m *Muxer) audioRun(frames []*media.Packet) (n, size int) {
	for _, p := range frames {
		frame := m.audioSize(p)
		if frame == 0 && len(p.Data) > 0 {
			m.Malformed++
		}
		if size+frame > maxAudioPayload {
			return n, size
		}
		size += frame
		n++
	}
	return n, size
}

// audioSize is what p takes in a PES packet, 0 if it can't be muxed.
func (m *Muxer) audioSize(p *media.Packet) int {
	t := trackOf(p, m.audio)
	size := len(p.Data)
	if t == nil || size == 0 {
		return 0
	}
	if t.Codec == media.CodecAAC {
		size += media.ADTSHeaderSize + len(programConfig(t, p))
		if size > maxADTS {
			return 0
		}
	}
	if size > maxAudioPayload {
		return 0
	}
	return size
}

// programConfig returns the program_config_element to insert before a frame whose
// layout ADTS's channel configuration can't describe (ISO 14496-3 §1.A.2.2, note on 0).
func programConfig(t *media.Track, p *media.Packet) []byte {
	if media.HasProgramConfig(p.Data) {
		return nil // it has its own
	}
	return t.ProgramConfig
}

// maxADTS is the largest frame, header included, whose length ADTS's 13 bits hold.
const maxADTS = 1<<13 - 1

func (m *Muxer) appendAudioPES(dst []byte, frames []*media.Packet, size int, pts time.Duration) []byte {
	now := ticks(pts)
	w := packetizer{m: m, pid: pidAudio, count: &m.audioCount, first: true}
	if m.pcrPID == pidAudio {
		dst = m.clock.fill(dst, pidAudio, m.audioCount, now)
		w.random, w.pcr = true, true
		w.begin, w.span = now, audioSpan(frames)
	} else {
		// The video has the clock. If it is silent for long, go on a
		// second behind the audio rather than not at all.
		dst = m.clock.fill(dst, pidVideo, m.videoCount, now-ticksPerSecond)
	}
	id := byte(streamIDAudio)
	if m.audio.Codec == media.CodecAC3 || m.audio.Codec == media.CodecEAC3 {
		id = streamIDPrivate1
	}
	header, n := pesHeader(id, now, now, size)
	w.open(dst, n+size)
	w.put(header[:n])
	for _, p := range frames {
		if m.audioSize(p) == 0 {
			continue
		}
		if m.audio.Codec == media.CodecAAC {
			// Supports and audioSize have ruled out its errors.
			t := trackOf(p, m.audio)
			layout := programConfig(t, p)
			adts, _ := media.ADTSHeader(t, len(layout)+len(p.Data))
			w.put(adts[:])
			w.put(layout)
		}
		w.put(p.Data)
	}
	return w.b
}

// audioSpan is the time from the first frame to the last, in ticks; none if the
// timestamps make no sense.
func audioSpan(frames []*media.Packet) int64 {
	span := ticks(frames[len(frames)-1].DTS - frames[0].DTS)
	if span < 0 || span > 2*ticksPerSecond {
		return 0
	}
	return span
}
