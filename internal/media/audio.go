package media

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/ac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/eac3"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/flac"
)

// ParseOpusConfig decodes an OpusHead (RFC 7845 §5.1), the payload of an Opus
// sequence start:
//
//	"OpusHead" version(8) channels(8) preSkip(16) inputRate(32) gain(16)
//	mapping(8) [streams(8) coupled(8) map(8×channels)]      little-endian
//
// SampleRate is 48000, the rate Opus always decodes at. The library reads
// these fields big-endian, hence our own.
func ParseOpusConfig(b []byte) (Track, error) {
	t := Track{Kind: Audio, Codec: CodecOpus, Config: b, CodecString: "opus", SampleRate: 48000}
	if len(b) < 19 {
		return t, fmt.Errorf("opus header of %d bytes: %w", len(b), ErrShort)
	}
	if !bytes.HasPrefix(b, []byte("OpusHead")) {
		return t, fmt.Errorf("opus header starts with %q, want OpusHead", b[:8])
	}
	if b[8]>>4 != 0 {
		return t, fmt.Errorf("opus header version %d", b[8])
	}
	if t.Channels = int(b[9]); t.Channels == 0 {
		return t, fmt.Errorf("opus header: no channels")
	}
	if family := b[18]; family == 0 && t.Channels > 2 {
		return t, fmt.Errorf("opus header: %d channels in mapping family 0", t.Channels)
	} else if family != 0 && len(b) < 21+t.Channels {
		return t, fmt.Errorf("opus header: channel mapping: %w", ErrShort)
	}
	return t, nil
}

// ParseFLACConfig decodes a STREAMINFO block (RFC 9639 §8.2), the payload of a
// FLAC sequence start, alone or behind its block header, itself alone or
// behind "fLaC": encoders send all three. Config is what was sent.
func ParseFLACConfig(b []byte) (Track, error) {
	t := Track{Kind: Audio, Codec: CodecFLAC, Config: b, CodecString: "fLaC"}
	block := b
	if bytes.HasPrefix(block, []byte("fLaC")) {
		block = block[4:]
	}
	// No STREAMINFO begins like this: its smallest block is 16 or more.
	if len(block) >= 4 && binary.BigEndian.Uint32(block)&0x7fffffff == 34 {
		block = block[4:]
	}
	if len(block) < 34 {
		return t, fmt.Errorf("FLAC header of %d bytes: %w", len(b), ErrShort)
	}
	var s flac.StreamInfo
	if err := s.Unmarshal(block); err != nil {
		return t, fmt.Errorf("FLAC header: %w", err)
	}
	if s.SampleRate == 0 {
		return t, fmt.Errorf("FLAC header: sample rate 0")
	}
	t.SampleRate = int(s.SampleRate)
	t.Channels = int(s.ChannelCount)
	if s.MinBlockSize == s.MaxBlockSize {
		t.FrameSamples = int(s.MaxBlockSize)
	}
	return t, nil
}

// ParseAC3 reads the synchronisation frame at the start of an AC-3 packet
// (ATSC A/52 §5.3): AC-3 has no other header.
func ParseAC3(frame []byte) (Track, error) {
	t := Track{Kind: Audio, Codec: CodecAC3, CodecString: "ac-3", FrameSamples: 1536}
	if len(frame) < 8 {
		return t, fmt.Errorf("AC-3 frame of %d bytes: %w", len(frame), ErrShort)
	}
	var s ac3.SyncInfo
	if err := s.Unmarshal(frame); err != nil {
		return t, fmt.Errorf("AC-3 frame: %w", err)
	}
	var bsi ac3.BSI
	if err := bsi.Unmarshal(frame[5:]); err != nil {
		return t, fmt.Errorf("AC-3 frame: %w", err)
	}
	t.SampleRate, t.Channels = s.SampleRate(), bsi.ChannelCount()
	return t, nil
}

// ParseEAC3 reads the synchronisation frame at the start of an E-AC-3 packet
// (ATSC A/52 annex E). Channels are those of the first, independent substream.
func ParseEAC3(frame []byte) (Track, error) {
	t := Track{Kind: Audio, Codec: CodecEAC3, CodecString: "ec-3"}
	var s eac3.SyncInfo
	if err := s.Unmarshal(frame); err != nil {
		return t, fmt.Errorf("E-AC-3 frame: %w", err)
	}
	t.SampleRate, t.Channels = s.SampleRate(), s.ChannelCount()
	t.FrameSamples = s.NumBlocks() * 256
	return t, nil
}

// ParseMP3 reads the header of the MPEG audio frame at the start of a packet
// (ISO 11172-3 §2.4.1.3, and MPEG-2.5, which the library does not know):
//
//	sync(11) version(2) layer(2) noCRC(1) bitrate(4) rate(2) pad(1) private(1) mode(2) …
//
// CodecString is mp4a.40.34, the name HLS players know for every layer 3.
func ParseMP3(frame []byte) (Track, error) {
	t := Track{Kind: Audio, Codec: CodecMP3, CodecString: "mp4a.40.34"}
	if len(frame) < 4 {
		return t, fmt.Errorf("MPEG audio frame of %d bytes: %w", len(frame), ErrShort)
	}
	if frame[0] != 0xff || frame[1]&0xe0 != 0xe0 {
		return t, fmt.Errorf("MPEG audio frame starts with %x, want a sync word", frame[:2])
	}
	version, layer := frame[1]>>3&3, frame[1]>>1&3
	rate := frame[2] >> 2 & 3
	if version == 1 || layer == 0 || frame[2]>>4 == 15 || rate == 3 {
		return t, fmt.Errorf("MPEG audio frame header %x: reserved value", frame[:4])
	}
	t.SampleRate = [3]int{44100, 48000, 32000}[rate]
	switch version {
	case 2: // MPEG-2
		t.SampleRate /= 2
	case 0: // MPEG-2.5
		t.SampleRate /= 4
	}
	switch {
	case layer == 3:
		t.FrameSamples = 384 // layer I
	case layer == 1 && version != 3:
		t.FrameSamples = 576
	default:
		t.FrameSamples = 1152
	}
	if t.Channels = 2; frame[3]>>6 == 3 {
		t.Channels = 1
	}
	return t, nil
}
