package media

import (
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/vp9"
)

// ParseVPConfig decodes a VPCodecConfigurationRecord (VP Codec ISO Media File
// Format Binding §2.2), with or without the four bytes of a FullBox in front:
//
//	profile(8) level(8) bitDepth(4) chroma(3) fullRange(1)
//	primaries(8) transfer(8) matrix(8) initSize(16)=0
//
// c is CodecVP8 or CodecVP9. The record does not hold the picture size: see
// FrameSize.
func ParseVPConfig(c Codec, b []byte) (Track, error) {
	t := Track{Kind: Video, Codec: c, Config: b}
	r := b
	if len(r) >= 12 && binary.BigEndian.Uint32(r) == 1<<24 {
		r = r[4:]
	}
	if len(r) < 8 {
		return t, fmt.Errorf("%v header of %d bytes: %w", c, len(b), ErrShort)
	}
	depth := r[2] >> 4
	if r[0] > 3 || depth < 8 || depth > 12 {
		return t, fmt.Errorf("%v header: profile %d, %d bits", c, r[0], depth)
	}
	t.Profile, t.Level = r[0], r[1]
	name := "vp09"
	if c == CodecVP8 {
		name = "vp08"
	}
	t.CodecString = fmt.Sprintf("%s.%02d.%02d.%02d", name, t.Profile, t.Level, depth)
	return t, nil
}

// FrameSize finds the picture size in a keyframe of VP8, VP9 or AV1, whose
// headers need not say it; ok is false for other codecs and other frames.
// frame is Packet.Data of a keyframe.
func FrameSize(c Codec, frame []byte) (width, height int, ok bool) {
	switch c {
	case CodecVP8:
		// RFC 6386 §9.1: frame tag(24), start code 9d 01 2a, then scale(2) and
		// size(14) each way, little-endian.
		if len(frame) < 10 || frame[0]&1 != 0 || frame[3] != 0x9d || frame[4] != 0x01 || frame[5] != 0x2a {
			return 0, 0, false
		}
		width = int(binary.LittleEndian.Uint16(frame[6:]) & 0x3fff)
		height = int(binary.LittleEndian.Uint16(frame[8:]) & 0x3fff)
	case CodecVP9:
		var h vp9.Header
		// The uncompressed header's part that is read is below 20 bytes.
		if err := h.Unmarshal(frame[:min(len(frame), 32)]); err != nil || h.FrameSize == nil {
			return 0, 0, false
		}
		width, height = h.Width(), h.Height()
	case CodecAV1:
		h, err := findAV1SequenceHeader(frame)
		if err != nil || h == nil {
			return 0, 0, false
		}
		if width, height, _, err = parseAV1SequenceHeader(h); err != nil {
			return 0, 0, false
		}
	}
	return width, height, checkSize(width, height) == nil
}
