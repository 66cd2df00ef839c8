//go:build linux

package main

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math/rand/v2"
	"time"
)

// The synthetic stream: 1280x720p30 H.264 main with a GOP of 2 s and AAC-LC
// 48 kHz stereo. Headers are real, frames are random bytes without zeros (so
// they never need emulation prevention) behind a plausible slice header.
const (
	videoRate    = 30   // messages a second
	gopFrames    = 60   // video messages from keyframe to keyframe: 2 s
	audioSamples = 1024 // per message: 46.875 messages a second
	sampleRate   = 48000
	keyWeight    = 4 // a keyframe is this many times a P frame
	gop          = 2 * time.Second
)

const (
	flvVideoHeader = 5 // frame type and codec, packet type, composition time
	flvAudioHeader = 2 // sound format, packet type
	naluLength     = 4
)

// avcSequenceHeader and aacSequenceHeader are whole message bodies.
func avcSequenceHeader() []byte {
	const avcC = "014d401fffe10017674d401fda014016ec0440000003004000000f03c60ca801000468ef3c80"
	b, err := hex.DecodeString("1700000000" + avcC)
	if err != nil {
		panic("bench: the constant is hexadecimal: " + err.Error())
	}
	return b
}

func aacSequenceHeader() []byte { return []byte{0xaf, 0x00, 0x11, 0x90} }

// A shape holds the sizes of the messages of a stream.
type shape struct {
	bitsPerSecond int64 // of all message bodies together
	video         [gopFrames]int
	audio         int
}

// newShape spreads a bit rate over the messages: audio gets 130 kb/s, at most a
// quarter, and a keyframe keyWeight times a P frame. 2.65 Mb/s gives 350 bytes
// of audio and 10.5 kB of video a message.
func newShape(bitsPerSecond int64) shape {
	s := shape{bitsPerSecond: bitsPerSecond}
	audioRate := min(130_000, bitsPerSecond/4)
	s.audio = max(int(audioRate*audioSamples/sampleRate/8), flvAudioHeader+minFrame)
	gopBytes := (bitsPerSecond - audioRate) * gopFrames / videoRate / 8
	p := int(gopBytes / (gopFrames - 1 + keyWeight))
	rnd := rand.New(rand.NewPCG(1, 2))
	left := int(gopBytes)
	for i := gopFrames - 1; i > 0; i-- {
		n := p + (rnd.IntN(p/5+1) - p/10) // ± 10 %, the same in every stream and run
		s.video[i] = max(n, flvVideoHeader+naluLength+minFrame)
		left -= s.video[i]
	}
	s.video[0] = max(left, flvVideoHeader+naluLength+minFrame)
	return s
}

// A frame ends in a stamp of stampSize bytes, none of them zero: the magic,
// then little-endian groups of 7 bits with the top bit set.
//
//	| magic 4 | stream 5 | sequence 10 | sent 10 | frame length 5 | CRC 5 |
//
// The frame is a NAL unit or a raw AAC frame; the Castagnoli CRC covers it up
// to the CRC itself, so that it survives repackaging into MPEG-TS.
const (
	magic     = "\xf5\xbe\xac\xe5"
	stampSize = 39
	crcSize   = 5
	minFrame  = stampSize + 4
)

// A stamp is the mark that a publisher writes at the end of every frame.
type stamp struct {
	stream   uint32
	sequence uint64        // counts from 0, video and audio apart
	sent     time.Duration // on the tool's clock, just before the write
}

func put7(b []byte, v uint64) {
	for i := range b {
		b[i] = 0x80 | byte(v)
		v >>= 7
	}
}

func get7(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<7 | uint64(b[i]&0x7f)
	}
	return v
}

// seal writes the stamp over the tail of frame.
func (s stamp) seal(frame []byte, table *crc32.Table) {
	t := frame[len(frame)-stampSize:]
	copy(t, magic)
	put7(t[4:9], uint64(s.stream))
	put7(t[9:19], s.sequence)
	put7(t[19:29], uint64(s.sent))
	put7(t[29:34], uint64(len(frame)))
	put7(t[34:39], uint64(crc32.Checksum(frame[:len(frame)-crcSize], table)))
}

// openStamp reads the stamp at the end of b, which ends where a frame ends and
// may begin before it. ok is false when there is none or a byte differs.
func openStamp(b []byte, table *crc32.Table) (s stamp, ok bool) {
	if len(b) < minFrame {
		return s, false
	}
	t := b[len(b)-stampSize:]
	n := get7(t[29:34])
	if string(t[:4]) != magic || n < minFrame || n > uint64(len(b)) {
		return s, false
	}
	frame := b[uint64(len(b))-n:]
	if uint64(crc32.Checksum(frame[:len(frame)-crcSize], table)) != get7(t[34:39]) {
		return s, false
	}
	return stamp{
		stream:   uint32(get7(t[4:9])),
		sequence: get7(t[9:19]),
		sent:     time.Duration(get7(t[19:29])),
	}, true
}

// noise is a pool of random bytes from 1 to 255 that frames are cut from.
func noise() []byte {
	b := make([]byte, 1<<20)
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := 0; i+4 <= len(b); i += 4 {
		binary.LittleEndian.PutUint32(b[i:], rnd.Uint32())
	}
	for i := range b {
		if b[i] == 0 {
			b[i] = 0x5a
		}
	}
	return b
}

// A source yields the messages of one stream in the order of their times.
type source struct {
	shape  *shape
	noise  []byte
	table  *crc32.Table
	stream uint32
	video  uint64 // sequence number of the next video message
	audio  uint64
	body   []byte // scratch, overwritten by every next
}

func (s *source) videoTime() time.Duration {
	return time.Duration(s.video) * time.Second / videoRate
}

func (s *source) audioTime() time.Duration {
	return time.Duration(s.audio) * audioSamples * time.Second / sampleRate
}

// due is when the next message belongs on the wire, counted from the first.
func (s *source) due() time.Duration { return min(s.videoTime(), s.audioTime()) }

// next returns the next message's kind, time and body, stamped with sent. The
// body is valid until the following call.
func (s *source) next(sent time.Duration) (video bool, at time.Duration, body []byte) {
	if at := s.videoTime(); at <= s.audioTime() {
		index := s.video % gopFrames
		b := s.fill(s.shape.video[index], s.video)
		first, nal, slice := byte(0x27), byte(0x41), byte(0x9a)
		if index == 0 {
			first, nal, slice = 0x17, 0x65, 0x88
		}
		copy(b, []byte{first, 1, 0, 0, 0})
		frame := b[flvVideoHeader+naluLength:]
		binary.BigEndian.PutUint32(b[flvVideoHeader:], uint32(len(frame)))
		frame[0], frame[1] = nal, slice
		stamp{s.stream, s.video, sent}.seal(frame, s.table)
		s.video++
		return true, at, b
	}
	at = s.audioTime()
	b := s.fill(s.shape.audio, s.audio)
	b[0], b[1] = 0xaf, 1
	stamp{s.stream, s.audio, sent}.seal(b[flvAudioHeader:], s.table)
	s.audio++
	return false, at, b
}

// fill returns n bytes of noise that differ from message to message.
func (s *source) fill(n int, sequence uint64) []byte {
	if cap(s.body) < n {
		s.body = make([]byte, n)
	}
	b := s.body[:n]
	start := int((sequence*7919 + uint64(s.stream)*104729) % uint64(len(s.noise)))
	for i := 0; i < n; {
		i += copy(b[i:], s.noise[start:])
		start = 0
	}
	return b
}
