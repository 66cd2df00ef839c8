package media

import (
	"slices"
	"testing"
)

// ITU-T H.264 table 7-1 and §7.4.1.2.3; ITU-T H.265 table 7-1 and §7.4.2.4.4:
// every type of NAL unit, alone in a message.
func TestEveryTypeOfUnit(t *testing.T) {
	t.Parallel()
	span := func(from, to int) (out []int) {
		for ; from <= to; from++ {
			out = append(out, from)
		}
		return out
	}
	for _, c := range []struct {
		codec                        Codec
		types                        int
		header                       func(t int) []byte // and what follows it up to the flag that says that a picture begins
		picture, random, leads       []int
		sets                         []int
		parameterSet, delimiter, end int
	}{
		{
			CodecH264, 32, func(t int) []byte { return []byte{0x60 | byte(t)} },
			[]int{1, 2, 5},
			[]int{5},
			slices.Concat(span(6, 9), span(14, 18)),
			[]int{7, 8},
			7, 9, 10,
		},
		{
			CodecHEVC, 64, func(t int) []byte { return []byte{byte(t) << 1, 1} },
			span(0, 31), span(16, 23), slices.Concat(span(32, 35), []int{39}, span(41, 44), span(48, 55)), span(32, 34), 33, 35, 36,
		},
	} {
		for typ := range c.types {
			for _, begins := range []bool{false, true} {
				unit := append(c.header(typ), 0x40)
				if begins {
					unit[len(unit)-1] = 0x80
				}
				message := append([]byte{0, 0, 0, byte(len(unit))}, unit...)
				got := ReadUnits(c.codec, message, 4)
				sliced := slices.Contains(c.picture, typ)
				want := Units{
					Any: true, Slices: sliced, Random: slices.Contains(c.random, typ), SPS: typ == c.parameterSet, Sets: slices.Contains(c.sets, typ),
					First: sliced && begins, Leads: slices.Contains(c.leads, typ), Delimiter: typ == c.delimiter,
				}
				if got != want {
					t.Errorf("%v type %d, begins a picture %v: got %+v, want %+v", c.codec, typ, begins, got, want)
				}
				// Behind an end of sequence it leads nothing, and the rest is as it was.
				end := c.header(c.end)
				behind := slices.Concat([]byte{0, 0, 0, byte(len(end))}, end, message)
				if want.Leads, want.Delimiter = false, false; ReadUnits(c.codec, behind, 4) != want {
					t.Errorf("%v type %d behind another unit: got %+v, want %+v", c.codec, typ, ReadUnits(c.codec, behind, 4), want)
				}
				// A second slice says nothing of where the picture begins.
				if again := append(slices.Clone(message), message...); sliced {
					again[len(again)-1] ^= 0xc0
					if got := ReadUnits(c.codec, again, 4); got.First != begins || !got.Slices {
						t.Errorf("%v type %d twice: %+v", c.codec, typ, got)
					}
				}
			}
		}
		// A slice that ends before the flag begins no picture.
		short := c.header(c.picture[1])
		if got := ReadUnits(c.codec, append([]byte{0, 0, 0, byte(len(short))}, short...), 4); got.First || !got.Slices {
			t.Errorf("%v: a slice of %d bytes: %+v", c.codec, len(short), got)
		}
		if got := ReadUnits(c.codec, []byte{0, 0, 0, 9, 1}, 4); got != (Units{Broken: true}) {
			t.Errorf("%v: a length that runs past the end: %+v", c.codec, got)
		}
	}
	if got := ReadUnits(CodecAV1, []byte{0, 0, 0, 1, 0x65}, 4); got != (Units{}) {
		t.Errorf("AV1 has %+v", got)
	}
}

// An HEVC SPS with profiles of its sub-layers that is cut anywhere is refused or
// read, and never more than that.
func TestACutHEVCSPS(t *testing.T) {
	t.Parallel()
	for _, sps := range []string{hevcSPSLayers, hevcSPSLevel, hevcSPSProfile} {
		for n := 2; n < len(sps); n += 2 {
			got, err := ParseHEVCConfig(hevcRecord(sps[:n]))
			if err == nil && (got.Width != 1280 || got.Height != 720) {
				t.Errorf("%d bytes of an SPS: %d by %d", n/2, got.Width, got.Height)
			}
			if err == nil && n < 40 {
				t.Errorf("%d bytes of an SPS are enough", n/2)
			}
		}
	}
}
