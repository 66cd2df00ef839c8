package media

// Units is what the NAL units of one message say about the picture they
// belong to. It is about H.264 and H.265; every other codec sends one picture
// in one message.
type Units struct {
	Any    bool // there is a unit
	Slices bool // it has coded slices: a picture, or a part of one
	Random bool // some of them are of an IDR (H.264) or IRAP (H.265) picture
	SPS    bool // it has a sequence parameter set
	Sets   bool // it has parameter sets

	// First: the first slice is the first of its picture.
	First bool
	// Leads: the first unit can't follow a slice of the same access unit.
	// Delimiter: it is an access unit delimiter.
	Leads, Delimiter bool
	// Zeros: a unit begins with zeros, as start codes do and units do not.
	Zeros bool
	// Broken: a length runs past the end. The units before it are counted.
	Broken bool
}

// ReadUnits looks at the length-prefixed NAL units of data; see NALUs. It does
// not allocate, and reads two bytes of each unit.
func ReadUnits(c Codec, data []byte, lengthSize int) Units {
	var u Units
	if c != CodecH264 && c != CodecHEVC {
		return u
	}
	first := true
	for n, err := range NALUs(data, lengthSize) {
		if err != nil {
			u.Broken = true
			break
		}
		u.Zeros = u.Zeros || len(n) > 1 && n[0] == 0 && n[1] == 0
		if c == CodecH264 {
			u.addH264(n, first)
		} else {
			u.addHEVC(n, first)
		}
		first, u.Any = false, true
	}
	return u
}

// addH264 reads the nal_unit_type, and first_mb_in_slice, whose Exp-Golomb code
// for 0 is a single 1 bit (ITU-T H.264 §7.3.1, §7.3.3).
func (u *Units) addH264(n []byte, first bool) {
	t := n[0] & 0x1f
	switch {
	case t == 1 || t == 2 || t == 5:
		if !u.Slices {
			u.Slices = true
			u.First = len(n) > 1 && n[1]&0x80 != 0
		}
		u.Random = u.Random || t == 5
	case t == 7:
		u.SPS, u.Sets = true, true
	case t == 8:
		u.Sets = true
	}
	if first {
		// §7.4.1.2.3: what begins an access unit when it comes behind the
		// last slice of one.
		u.Leads = t >= 6 && t <= 9 || t >= 14 && t <= 18
		u.Delimiter = t == 9
	}
}

// addHEVC reads the nal_unit_type, and first_slice_segment_in_pic_flag (ITU-T
// H.265 §7.3.1.2, §7.3.6.1).
func (u *Units) addHEVC(n []byte, first bool) {
	t := n[0] >> 1 & 0x3f
	switch {
	case t < 32:
		if !u.Slices {
			u.Slices = true
			u.First = len(n) > 2 && n[2]&0x80 != 0
		}
		u.Random = u.Random || t >= 16 && t <= 23
	case t == hevcSPS:
		u.SPS, u.Sets = true, true
	case t == hevcVPS || t == hevcPPS:
		u.Sets = true
	}
	if first {
		// §7.4.2.4.4
		u.Leads = t >= 32 && t <= 35 || t == 39 || t >= 41 && t <= 44 || t >= 48 && t <= 55
		u.Delimiter = t == 35
	}
}
