package media

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

// NAL unit types of H.265 parameter sets (ITU-T H.265 table 7-1).
const (
	hevcVPS = 32
	hevcSPS = 33
	hevcPPS = 34
)

// ParseHEVCConfig decodes an HEVCDecoderConfigurationRecord (ISO 14496-15
// §8.3.3.1), the payload of an HEVC sequence header:
//
//	0 version(8)=1                     13 …
//	1 space(2) tier(1) profile(5)      19 avgFrameRate(16), frames per 256 s
//	2 compatibility(32)                21 … lengthSizeMinusOne(2)
//	6 constraints(48)                  22 numArrays(8)
//	12 level(8)                        23 { type(8) count(16) { length(16) NALU }… }…
//
// VPS, SPS and PPS alias b. Width, Height and FrameRate come from the first
// SPS. Version 0, which early encoders wrote, is taken as 1. The error says
// which part was wrong; it wraps ErrShort if b ends early.
func ParseHEVCConfig(b []byte) (Track, error) {
	t := Track{Kind: Video, Codec: CodecHEVC, Config: b}
	if len(b) < 23 {
		return t, fmt.Errorf("HEVC header of %d bytes: %w", len(b), ErrShort)
	}
	if b[0] > 1 {
		return t, fmt.Errorf("HEVC header version %d, want 1", b[0])
	}
	if t.NALULength = int(b[21]&3) + 1; t.NALULength == 3 {
		return t, fmt.Errorf("HEVC header: NAL unit length of 3 bytes")
	}
	t.Profile, t.Level = b[1]&0x1f, b[12]
	t.CodecString = hevcCodecString(b)

	rest := b[23:]
	for i := range int(b[22]) {
		if len(rest) < 3 {
			return t, fmt.Errorf("HEVC header: array %d: %w", i+1, ErrShort)
		}
		sets, r, err := parameterSets(rest[3:], int(binary.BigEndian.Uint16(rest[1:])))
		if err != nil {
			return t, fmt.Errorf("HEVC header: array %d of type %d: NAL unit %w", i+1, rest[0]&0x3f, err)
		}
		switch rest[0] & 0x3f {
		case hevcVPS:
			t.VPS = append(t.VPS, sets...)
		case hevcSPS:
			t.SPS = append(t.SPS, sets...)
		case hevcPPS:
			t.PPS = append(t.PPS, sets...)
		}
		if len(t.VPS)+len(t.SPS)+len(t.PPS) > 2*maxParameterSets {
			return t, fmt.Errorf("HEVC header: more than %d parameter sets", 2*maxParameterSets)
		}
		rest = r
	}
	if len(t.SPS) == 0 {
		return t, fmt.Errorf("HEVC header %w", ErrNoSPS)
	}

	var s h265.SPS
	// The library stops at long-term reference pictures; the picture size
	// stands before them and is complete once these are allocated.
	if err := s.Unmarshal(withoutSubLayers(t.SPS[0])); err != nil && s.MaxDecPicBufferingMinus1 == nil {
		return t, fmt.Errorf("HEVC header: SPS: %w", err)
	}
	t.Width, t.Height = s.Width(), s.Height()
	if err := checkSize(t.Width, t.Height); err != nil {
		return t, fmt.Errorf("HEVC header: SPS: %w", err)
	}
	if t.FrameRate = frameRate(s.FPS()); t.FrameRate == 0 {
		t.FrameRate = frameRate(float64(binary.BigEndian.Uint16(b[19:])) / 256)
	}
	return t, nil
}

// hevcCodecString builds the codecs parameter of ISO 14496-15 annex E.3:
// profile space and profile, the compatibility flags in reverse bit order,
// tier and level, then the constraint bytes up to the last that is not zero.
func hevcCodecString(b []byte) string {
	var s strings.Builder
	s.WriteString("hvc1.")
	if space := b[1] >> 6; space > 0 {
		s.WriteByte('A' + space - 1)
	}
	tier := byte('L')
	if b[1]&0x20 != 0 {
		tier = 'H'
	}
	compat := bits.Reverse32(binary.BigEndian.Uint32(b[2:]))
	fmt.Fprintf(&s, "%d.%X.%c%d", b[1]&0x1f, compat, tier, b[12])
	constraints := b[6:12]
	for len(constraints) > 0 && constraints[len(constraints)-1] == 0 {
		constraints = constraints[:len(constraints)-1]
	}
	for _, c := range constraints {
		fmt.Fprintf(&s, ".%X", c)
	}
	return s.String()
}

// withoutSubLayers returns sps with the profiles and levels of temporal
// sub-layers taken out of profile_tier_level (ITU-T H.265 §7.3.3), which the
// library refuses. An SPS that has none is returned as it is.
//
//	0 NAL header(16)   2 vps(4) subLayers-1(3) nesting(1)   3 general PTL(96)
//	15 { profilePresent(1) levelPresent(1) }×8   17 { [profile(88)] [level(8)] }…
func withoutSubLayers(sps []byte) []byte {
	if len(sps) < 17 || sps[2]>>1&7 == 0 {
		return sps
	}
	rbsp := h264.EmulationPreventionRemove(sps)
	if len(rbsp) < 17 {
		return sps
	}
	flags, n := binary.BigEndian.Uint16(rbsp[15:]), 0
	for i := range rbsp[2] >> 1 & 7 {
		if flags<<(2*i)&0x8000 != 0 {
			n += 11
		}
		if flags<<(2*i)&0x4000 != 0 {
			n++
		}
	}
	if n == 0 || 17+n > len(rbsp) {
		return sps
	}
	plain := append(append(rbsp[:15:15], 0, 0), rbsp[17+n:]...)
	// Escape again: the library unescapes what it is given.
	out, zeros := make([]byte, 0, len(plain)+len(plain)/2), 0
	for _, c := range plain {
		if zeros == 2 && c <= 3 {
			out, zeros = append(out, 3), 0
		}
		out = append(out, c)
		if zeros++; c != 0 {
			zeros = 0
		}
	}
	return out
}
