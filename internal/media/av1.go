package media

import (
	"fmt"
)

// ParseAV1Config decodes an AV1CodecConfigurationRecord (AV1 in ISOBMFF
// §2.3.3), the payload of an AV1 sequence start:
//
//	1 version(7)=1 | profile(3) level(5) |
//	tier(1) highBitdepth(1) twelveBit(1) mono(1) subX(1) subY(1) position(2) |
//	reserved(3) delayPresent(1) delay(4) | configOBUs…
//
// Level is seq_level_idx. Width, Height and FrameRate come from a sequence
// header among the configOBUs and stay 0 without one; FrameSize finds them in
// a keyframe then.
func ParseAV1Config(b []byte) (Track, error) {
	t := Track{Kind: Video, Codec: CodecAV1, Config: b}
	if len(b) < 4 {
		return t, fmt.Errorf("AV1 header of %d bytes: %w", len(b), ErrShort)
	}
	if b[0] != 0x81 {
		return t, fmt.Errorf("AV1 header: first byte 0x%02x, want 0x81", b[0])
	}
	t.Profile, t.Level = b[1]>>5, b[1]&0x1f
	if t.Profile > 2 {
		return t, fmt.Errorf("AV1 header: profile %d", t.Profile)
	}
	tier, depth := byte('M'), 8
	if b[2]&0x80 != 0 {
		tier = 'H'
	}
	switch {
	case b[2]&0x40 != 0 && b[2]&0x20 != 0 && t.Profile == 2:
		depth = 12
	case b[2]&0x40 != 0:
		depth = 10
	}
	t.CodecString = fmt.Sprintf("av01.%d.%02d%c.%02d", t.Profile, t.Level, tier, depth)

	h, err := findAV1SequenceHeader(b[4:])
	if err != nil {
		return t, fmt.Errorf("AV1 header: %w", err)
	}
	if h != nil {
		if t.Width, t.Height, t.FrameRate, err = parseAV1SequenceHeader(h); err != nil {
			return t, fmt.Errorf("AV1 header: sequence header: %w", err)
		}
	}
	return t, nil
}

// findAV1SequenceHeader returns the payload of the first sequence header OBU
// among obus (AV1 §5.3.1), nil if there is none.
func findAV1SequenceHeader(obus []byte) ([]byte, error) {
	for len(obus) > 0 {
		h := obus[0]
		if h&0x80 != 0 {
			return nil, fmt.Errorf("OBU: forbidden bit set")
		}
		obus = obus[1:]
		if h&4 != 0 { // obu_extension_flag
			if len(obus) == 0 {
				return nil, fmt.Errorf("OBU extension: %w", ErrShort)
			}
			obus = obus[1:]
		}
		size := uint64(len(obus))
		if h&2 != 0 { // obu_has_size_field
			var n int
			if size, n = leb128(obus); n == 0 {
				return nil, fmt.Errorf("OBU size: %w", ErrShort)
			}
			obus = obus[n:]
		}
		if size > uint64(len(obus)) {
			return nil, fmt.Errorf("OBU of %d bytes, %d left: %w", size, len(obus), ErrShort)
		}
		if h>>3&0xf == 1 { // OBU_SEQUENCE_HEADER
			return obus[:size], nil
		}
		obus = obus[size:]
	}
	return nil, nil
}

// leb128 reads AV1 §4.10.5's variable-length integer; n is 0 if it has no end
// within its eight bytes.
func leb128(b []byte) (v uint64, n int) {
	for i := 0; i < len(b) && i < 8; i++ {
		v |= uint64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, i + 1
		}
	}
	return 0, 0
}

// parseAV1SequenceHeader reads sequence_header_obu (AV1 §5.5.1) up to the
// picture size. It is our own because the library gives up on decoder models
// and display delays, which hardware encoders write.
func parseAV1SequenceHeader(b []byte) (width, height int, fps float64, err error) {
	r := bitReader{b: b}
	r.u(3) // seq_profile
	r.u(1) // still_picture
	if reduced := r.flag(); reduced {
		r.u(5) // seq_level_idx
	} else {
		delayBits := 0
		if r.flag() { // timing_info_present_flag
			tick, scale := r.u(32), r.u(32)
			if r.flag() { // equal_picture_interval
				ticks := r.golomb() // uvlc() reads as an Exp-Golomb code does
				fps = frameRate(float64(scale) / (float64(tick) * (float64(ticks) + 1)))
			}
			if r.flag() { // decoder_model_info_present_flag
				delayBits = int(r.u(5)) + 1
				r.u(32) // num_units_in_decoding_tick
				r.u(10) // two lengths
			}
		}
		displayDelay := r.flag()
		for n := r.u(5) + 1; n > 0 && r.err == nil; n-- {
			r.u(12)         // operating_point_idc
			if r.u(5) > 7 { // seq_level_idx
				r.u(1) // seq_tier
			}
			if delayBits > 0 && r.flag() { // operating_parameters_info
				r.u(delayBits)
				r.u(delayBits)
				r.u(1)
			}
			if displayDelay && r.flag() {
				r.u(4)
			}
		}
	}
	wBits, hBits := int(r.u(4))+1, int(r.u(4))+1
	width, height = int(r.u(wBits))+1, int(r.u(hBits))+1
	if r.err != nil {
		return 0, 0, 0, r.err
	}
	if err := checkSize(width, height); err != nil {
		return 0, 0, 0, err
	}
	return width, height, fps, nil
}
