package media

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
)

// Sets are the parameter sets of H.264 or H.265, without start codes.
type Sets struct {
	VPS, SPS, PPS [][]byte
}

// list is where sets like unit belong; nil: it is no parameter set.
func (s *Sets) list(c Codec, unit []byte) *[][]byte {
	if c == CodecHEVC {
		switch unit[0] >> 1 & 0x3f {
		case hevcVPS:
			return &s.VPS
		case hevcSPS:
			return &s.SPS
		case hevcPPS:
			return &s.PPS
		}
		return nil
	}
	switch unit[0] & 0x1f {
	case 7:
		return &s.SPS
	case 8:
		return &s.PPS
	}
	return nil
}

// Has reports whether unit is one of s, byte by byte, or no parameter set.
func (s *Sets) Has(c Codec, unit []byte) bool {
	list := s.list(c, unit)
	return list == nil || slices.ContainsFunc(*list, func(old []byte) bool { return bytes.Equal(old, unit) })
}

// Put takes unit, if it is a parameter set, in place of the one with its id,
// and reports whether that was another. It keeps a copy.
func (s *Sets) Put(c Codec, unit []byte) (changed bool) {
	if s.Has(c, unit) || s.size()+len(unit) > maxConfig {
		return false
	}
	id, ok := setID(c, unit)
	if !ok {
		return false
	}
	list := s.list(c, unit)
	unit = slices.Clip(bytes.Clone(unit))
	next := slices.Clone(*list) // the old one may belong to a Track
	i := slices.IndexFunc(next, func(old []byte) bool { o, _ := setID(c, old); return o == id })
	if i >= 0 {
		next[i] = unit
	} else {
		next = append(next, unit) // as many as there are ids
	}
	*list = next
	return true
}

// PutAll puts every one of others.
func (s *Sets) PutAll(c Codec, others [][]byte) (changed bool) {
	for _, unit := range others {
		changed = s.Put(c, unit) || changed
	}
	return changed
}

// Empty reports whether there is none.
func (s *Sets) Empty() bool { return len(s.VPS)+len(s.SPS)+len(s.PPS) == 0 }

func (s *Sets) size() (n int) {
	for _, list := range [3][][]byte{s.VPS, s.SPS, s.PPS} {
		for _, set := range list {
			n += len(set)
		}
	}
	return n
}

// setID is the id by which a parameter set replaces another (ITU-T H.264
// §7.3.2.1, §7.3.2.2; H.265 §7.3.2.1 to §7.3.2.3).
func setID(c Codec, unit []byte) (id uint32, ok bool) {
	r := bitReader{b: unit}
	switch {
	case c == CodecHEVC && len(unit) > 2:
		switch r.u(16); unit[0] >> 1 & 0x3f {
		case hevcVPS:
			return r.u(4), r.err == nil
		case hevcSPS:
			var s h265.SPS
			_ = s.Unmarshal(withoutSubLayers(unit)) // the id stands near its beginning
			return uint32(s.ID), s.ID <= 15
		}
		id = r.golomb()
		return id, r.err == nil && id <= 63
	case c == CodecH264 && len(unit) > 4 && unit[0]&0x1f == 7:
		r.u(32)
		id = r.golomb()
		return id, r.err == nil && id <= 31
	case c == CodecH264 && len(unit) > 1 && unit[0]&0x1f == 8:
		r.u(8)
		id = r.golomb()
		return id, r.err == nil && id <= 255
	}
	return 0, false
}

// Record makes the decoder configuration record of s, with NAL unit lengths of
// lengthSize bytes: avcC or hvcC (ISO 14496-15 §5.3.3.1, §8.3.3.1). Nil if there
// is no SPS, or if s is too large for one.
func (s *Sets) Record(c Codec, lengthSize int) []byte {
	if len(s.SPS) == 0 || len(s.SPS[0]) < 4 {
		return nil
	}
	if c == CodecHEVC {
		return s.hevcRecord(lengthSize)
	}
	if len(s.SPS) > 31 || len(s.PPS) > 255 {
		return nil
	}
	sps := s.SPS[0]
	out := []byte{1, sps[1], sps[2], sps[3], 0xfc | byte(lengthSize-1), 0xe0 | byte(len(s.SPS))}
	out = appendSets(out, s.SPS)
	out = append(out, byte(len(s.PPS)))
	return appendSets(out, s.PPS)
}

func (s *Sets) hevcRecord(lengthSize int) []byte {
	// profile_tier_level stands at fixed places of the SPS, but for emulation
	// prevention: behind the NAL header and one byte.
	sps := withoutEmulation(s.SPS[0], 15)
	if len(sps) < 15 {
		return nil
	}
	out := make([]byte, 23, 256)
	out[0] = 1
	copy(out[1:13], sps[3:15])
	out[13], out[15], out[16], out[17], out[18] = 0xf0, 0xfc, 0xfc|1, 0xf8, 0xf8
	out[21] = 1<<3 | byte(lengthSize-1) // one temporal layer
	for i, list := range [][][]byte{s.VPS, s.SPS, s.PPS} {
		if len(list) == 0 {
			continue
		}
		out[22]++
		out = append(out, byte(hevcVPS+i))
		out = binary.BigEndian.AppendUint16(out, uint16(len(list)))
		out = appendSets(out, list)
	}
	return out
}

// withoutEmulation is the first n bytes of unit without emulation prevention.
func withoutEmulation(unit []byte, n int) (out []byte) {
	zeros := 0
	for _, c := range unit {
		if len(out) == n {
			break
		}
		if zeros >= 2 && c == 3 {
			zeros = 0
			continue
		}
		out = append(out, c)
		if zeros++; c != 0 {
			zeros = 0
		}
	}
	return out
}

func appendSets(out []byte, sets [][]byte) []byte {
	for _, set := range sets {
		out = binary.BigEndian.AppendUint16(out, uint16(len(set)))
		out = append(out, set...)
	}
	return out
}

// RepairRecord returns an avcC or hvcC in which the parameter sets have no
// start codes: publishers write them in front of a set, two sets in one place,
// and Annex B in place of the record. It returns b itself, and false, if there
// is nothing of this kind, or nothing that can be read.
func RepairRecord(c Codec, b []byte) ([]byte, bool) {
	if len(b) > maxConfig || c != CodecH264 && c != CodecHEVC {
		return b, false
	}
	var s Sets
	size := 4
	if IsAnnexB(b) {
		AnnexB(b, func(unit []byte) { s.Put(c, unit) })
	} else {
		var t Track
		if c == CodecHEVC {
			t, _ = ParseHEVCConfig(b)
		} else {
			t, _ = ParseAVCConfig(b)
		}
		size = t.NALULength
		found := false
		for _, set := range slices.Concat(t.VPS, t.SPS, t.PPS) {
			if startCode(set) == 0 {
				s.Put(c, set)
				continue
			}
			found = true
			AnnexB(set, func(unit []byte) { s.Put(c, unit) })
		}
		if !found {
			return b, false
		}
	}
	if out := s.Record(c, size); out != nil {
		return out, true
	}
	return b, false
}
