package media

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// sei is an access unit of one SEI message of that type, and a slice.
func sei(header string, kind byte, payload string) []byte {
	body := header + string([]byte{kind, byte(len(payload))}) + payload + "\x80"
	unit := func(b []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	return unit(unit(nil, body), "\x65\x88abc")
}

func cc(triplets string) string {
	return "\xb5\x00\x31GA94\x03" + string([]byte{0x40 | byte(len(triplets)/3), 0xff}) + triplets + "\xff"
}

func TestCaptionsInPictures(t *testing.T) {
	for _, c := range []struct {
		name  string
		codec Codec
		data  []byte
		want  Captions
	}{
		{"CEA-608", CodecH264, sei("\x06", 4, cc("\xfc\x94\x20")), CaptionsCC1},
		{"field 2", CodecH264, sei("\x06", 4, cc("\xfd\x94\x20")), CaptionsCC3},
		{"CEA-708", CodecH264, sei("\x06", 4, cc("\xfc\x80\x80\xff\x02\x21")), CaptionsService},
		{"all", CodecH264, sei("\x06", 4, cc("\xfc\x94\x20\xfd\x94\x20\xfe\x02\x21")), CaptionsCC1 | CaptionsCC3 | CaptionsService},
		{"HEVC", CodecHEVC, sei("\x4e\x01", 4, cc("\xfc\x94\x20")), CaptionsCC1},
		{"padding alone", CodecH264, sei("\x06", 4, cc("\xfc\x80\x80\xfd\x80\x80")), 0},
		{"not valid", CodecH264, sei("\x06", 4, cc("\xf8\x94\x20")), 0},
		{"emulation prevention", CodecH264, sei("\x06\x05\x03\x00\x00\x03\x01", 4, cc("\xfc\x94\x20")), CaptionsCC1},
		{"another message", CodecH264, sei("\x06", 5, cc("\xfc\x94\x20")), 0},
		{"another user", CodecH264, sei("\x06", 4, "\xb5\x00\x3bGA94\x03\x41\xff\xfc\x94\x20"), 0},
		{"behind the slice", CodecH264, append(sei("\x41", 0, ""), sei("\x06", 4, cc("\xfc\x94\x20"))...), 0},
		{"behind a long message", CodecH264, sei("\x06", 5, strings.Repeat("x", 100)+"\x04\x0f"+cc("\xfc\x94\x20")), 0},
		{"of no such codec", CodecAV1, sei("\x06", 4, cc("\xfc\x94\x20")), 0},
		{"nothing", CodecH264, nil, 0},
	} {
		if got := ReadCaptions(c.codec, c.data, 4); got != c.want {
			t.Errorf("%s: %b, want %b", c.name, got, c.want)
		}
	}
	data := sei("\x06", 4, cc("\xfc\x94\x20"))
	if n := testing.AllocsPerRun(100, func() { ReadCaptions(CodecH264, data, 4) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzCaptions(f *testing.F) {
	f.Add(sei("\x06", 4, cc("\xfc\x94\x20\xfd\x94\x20\xfe\x02\x21")))
	f.Add(sei("\x4e\x01", 4, cc("\xfc\x80\x80")))
	f.Add(sei("\x06", 255, "\xff\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		for _, c := range []Codec{CodecH264, CodecHEVC} {
			if got := ReadCaptions(c, b, 4); got > CaptionsCC1|CaptionsCC3|CaptionsService {
				t.Errorf("%b", got)
			}
		}
	})
}
