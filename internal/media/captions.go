package media

// Captions are the captions that pictures carry (ATSC A/53 part 4 §6.2.3).
type Captions uint8

// The kinds of captions.
const (
	CaptionsCC1     Captions = 1 << iota // CEA-608, field 1
	CaptionsCC3                          // CEA-608, field 2
	CaptionsService                      // CEA-708
)

// ReadCaptions finds captions in the SEI messages of a picture of H.264 or H.265. It does
// not allocate, and reads no further than the first slice.
func ReadCaptions(c Codec, data []byte, lengthSize int) (found Captions) {
	for n, err := range NALUs(data, lengthSize) {
		if err != nil {
			break
		}
		switch t := n[0]; {
		case c == CodecH264 && t&0x1f == 6:
			found |= seiCaptions(n[1:])
		case c == CodecHEVC && t>>1&0x3f == 39 && len(n) > 2: // PREFIX_SEI_NUT
			found |= seiCaptions(n[2:])
		case c == CodecH264 && t&0x1f >= 1 && t&0x1f <= 5, c == CodecHEVC && t>>1&0x3f < 32:
			return found
		case c != CodecH264 && c != CodecHEVC:
			return 0
		}
	}
	return found
}

// seiCaptions reads sei_rbsp (ITU-T H.264 §7.3.2.3, H.265 §7.3.2.4), with its emulation
// prevention bytes: payload type and size in units of 255, then the payload.
func seiCaptions(b []byte) (found Captions) {
	const userData = 4 // user_data_registered_itu_t_t35
	var plain [maxSEI]byte
	r := unescape(plain[:], b)
	for len(r) > 2 {
		kind, size := 0, 0
		for _, v := range [...]*int{&kind, &size} {
			more := true
			for more && len(r) > 0 {
				*v += int(r[0])
				more, r = r[0] == 0xff, r[1:]
			}
		}
		size = min(size, len(r))
		if kind == userData {
			found |= a53Captions(r[:size])
		}
		r = r[size:]
	}
	return found
}

// maxSEI is how much of an SEI unit is read. cc_data has 31 triplets at most.
const maxSEI = 512

// unescape appends to dst[:0] what b is without emulation prevention bytes (H.264
// §7.4.1.1), as far as there is room.
func unescape(dst, b []byte) []byte {
	n, zeros := 0, 0
	for _, c := range b {
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		if n == len(dst) {
			break
		}
		dst[n] = c
		n++
		if zeros++; c != 0 {
			zeros = 0
		}
	}
	return dst[:n]
}

// a53Captions reads the payload (A/53 part 4 tables 6.6 to 6.9):
//
//	country(8)=0xb5 provider(16)=0x0031 "GA94" type(8)=3
//	reserved(1) process(1) reserved(1) count(5) reserved(8)
//	count × [one(5) valid(1) type(2) data(16)]
func a53Captions(b []byte) (found Captions) {
	if len(b) < 10 || string(b[:8]) != "\xb5\x00\x31GA94\x03" {
		return 0
	}
	count, b := int(b[8]&0x1f), b[10:]
	for ; count > 0 && len(b) >= 3; count, b = count-1, b[3:] {
		if b[0]&4 == 0 {
			continue // not valid
		}
		text := b[1]&0x7f != 0 || b[2]&0x7f != 0 // without its parity: two zeros are padding
		switch kind := b[0] & 3; {
		case kind == 0 && text:
			found |= CaptionsCC1
		case kind == 1 && text:
			found |= CaptionsCC3
		case kind >= 2:
			found |= CaptionsService
		}
	}
	return found
}
