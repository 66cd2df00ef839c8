package media

import (
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// ParseAVCConfig decodes an AVCDecoderConfigurationRecord (ISO 14496-15
// §5.3.3.1), the payload of an AVC sequence header:
//
//	version(8)=1 profile(8) compat(8) level(8) 111111 lengthSizeMinusOne(2)
//	111 numSPS(5) { length(16) SPS }…  numPPS(8) { length(16) PPS }…  [extensions]
//
// SPS and PPS alias b. Width, Height and FrameRate come from the first SPS.
// The error says which part was wrong; it wraps ErrShort if b ends early.
func ParseAVCConfig(b []byte) (Track, error) {
	t := Track{Kind: Video, Codec: CodecH264, Config: b}
	if len(b) < 7 {
		return t, fmt.Errorf("AVC header of %d bytes: %w", len(b), ErrShort)
	}
	if b[0] != 1 {
		return t, fmt.Errorf("AVC header version %d, want 1", b[0])
	}
	if t.NALULength = int(b[4]&3) + 1; t.NALULength == 3 {
		return t, fmt.Errorf("AVC header: NAL unit length of 3 bytes")
	}

	var err error
	rest := b[6:]
	if t.SPS, rest, err = parameterSets(rest, int(b[5]&0x1f)); err != nil {
		return t, fmt.Errorf("AVC header: SPS %w", err)
	}
	if len(t.SPS) == 0 {
		return t, fmt.Errorf("AVC header %w", ErrNoSPS)
	}
	if len(rest) < 1 {
		return t, fmt.Errorf("AVC header: PPS count: %w", ErrShort)
	}
	if t.PPS, _, err = parameterSets(rest[1:], int(rest[0])); err != nil {
		return t, fmt.Errorf("AVC header: PPS %w", err)
	}

	sps := t.SPS[0]
	if len(sps) < 4 {
		return t, fmt.Errorf("AVC header: SPS of %d bytes: %w", len(sps), ErrShort)
	}
	// The SPS rather than the record's own copy: some encoders leave that zero.
	t.Profile, t.Compat, t.Level = sps[1], sps[2], sps[3]
	t.CodecString = fmt.Sprintf("avc1.%02x%02x%02x", t.Profile, t.Compat, t.Level)

	var s h264.SPS
	// The VUI is the SPS's last part, often garbled in the field and only
	// needed for the frame rate: what stands before it is good without it.
	if err := s.Unmarshal(sps); err != nil && s.VUI == nil {
		return t, fmt.Errorf("AVC header: SPS: %w", err)
	}
	t.Width, t.Height = s.Width(), s.Height()
	if err := checkSize(t.Width, t.Height); err != nil {
		return t, fmt.Errorf("AVC header: SPS: %w", err)
	}
	t.FrameRate = frameRate(s.FPS())
	return t, nil
}

// parameterSets reads n 16-bit-length-prefixed NAL units off b and returns
// them with what follows. n 0 is a nil slice.
func parameterSets(b []byte, n int) (sets [][]byte, rest []byte, err error) {
	if n > maxParameterSets {
		return nil, nil, fmt.Errorf("count %d: more than %d", n, maxParameterSets)
	}
	for i := range n {
		if len(b) < 2 {
			return nil, nil, fmt.Errorf("%d of %d: length: %w", i+1, n, ErrShort)
		}
		size := int(b[0])<<8 | int(b[1])
		b = b[2:]
		if size > len(b) {
			return nil, nil, fmt.Errorf("%d of %d: %d bytes, %d left: %w", i+1, n, size, len(b), ErrShort)
		}
		if size == 0 {
			return nil, nil, fmt.Errorf("%d of %d: empty", i+1, n)
		}
		sets = append(sets, b[:size:size])
		b = b[size:]
	}
	return sets, b, nil
}
