package media

import (
	"math"
	"strings"
	"testing"
)

// packBits makes bytes of written-out bits, zeros at the end; spaces are for
// the reader.
func packBits(s string) []byte {
	s = strings.ReplaceAll(s, " ", "")
	b := make([]byte, (len(s)+7)/8)
	for i, c := range s {
		if c == '1' {
			b[i/8] |= 0x80 >> (i % 8)
		}
	}
	return b
}

// Hardware encoders write what libaom does not: timing, decoder models,
// display delays, several operating points.
func TestParseAV1SequenceHeader(t *testing.T) {
	t.Parallel()
	zeros := func(n int) string { return strings.Repeat("0", n) }
	const size = "1010 1001 10011111111 1011001111" // 1280 by 720 in 11 and 10 bits
	tick, scale := zeros(31)+"1", zeros(26)+"111100"
	point := zeros(12) + "00100"
	for _, c := range []struct {
		name string
		in   string
		w, h int
		fps  float64
	}{
		{"plain", "000 0 0 0 0 00000" + point + size, 1280, 720, 0},
		{"reduced still picture", "000 1 1 00100" + size, 1280, 720, 0},
		{"60 ticks a second, a picture each", "000 0 0 1" + tick + scale + "1 1 0 0 00000" + point + size, 1280, 720, 60},
		{"a picture every second tick", "000 0 0 1" + tick + scale + "1 010 0 0 00000" + point + size, 1280, 720, 30},
		{"pictures at any tick", "000 0 0 1" + tick + scale + "0 0 0 00000" + point + size, 1280, 720, 0},
		{"0 ticks: no rate", "000 0 0 1" + zeros(32) + scale + "1 1 0 0 00000" + point + size, 1280, 720, 0},
		{
			"decoder model and display delay, high tier",
			"000 0 0 1" + tick + scale + "1 1 1 01001" + zeros(32) + zeros(10) + "1 00000" + zeros(12) + "01001 1 1" + zeros(21) + "1 0011" + size, 1280, 720, 60,
		},
		{"two operating points, delay for the second", "000 0 0 0 1 00001" + point + "0" + point + "1 1111" + size, 1280, 720, 0},
		{"the largest picture that has a name", "000 0 0 0 0 00000" + point + "1111 1111 1111111111111110 1111111111111110", 65535, 65535, 0},
	} {
		w, h, fps, err := parseAV1SequenceHeader(packBits(c.in))
		if err != nil || w != c.w || h != c.h || math.Abs(fps-c.fps) > 1e-9 {
			t.Errorf("%s: got %d by %d at %v, %v, want %d by %d at %v", c.name, w, h, fps, err, c.w, c.h, c.fps)
		}
		for n := range len(packBits(c.in)) {
			if _, _, _, err := parseAV1SequenceHeader(packBits(c.in)[:n]); err == nil {
				t.Errorf("%s, first %d bytes: got no error", c.name, n)
			}
		}
	}
	tooLarge := packBits("000 0 0 0 0 00000" + point + "1111 1111 1111111111111111 1111111111111110")
	if w, h, _, err := parseAV1SequenceHeader(tooLarge); err == nil {
		t.Errorf("%d by %d: got no error", w, h)
	}
}

func TestKindAndNeedsConfig(t *testing.T) {
	t.Parallel()
	for c, want := range map[Codec]struct {
		name  string
		kind  Kind
		needs bool
	}{
		CodecOther: {"other", Video, false}, CodecH264: {"H264", Video, true}, CodecHEVC: {"HEVC", Video, true},
		CodecAV1: {"AV1", Video, true}, CodecVP9: {"VP9", Video, false}, CodecVP8: {"VP8", Video, false},
		CodecVVC: {"VVC", Video, true}, CodecAAC: {"AAC", Audio, true}, CodecMP3: {"MP3", Audio, false},
		CodecOpus: {"Opus", Audio, true}, CodecAC3: {"AC3", Audio, false}, CodecEAC3: {"EAC3", Audio, false},
		CodecFLAC: {"FLAC", Audio, true}, CodecSpeex: {"Speex", Audio, false}, 99: {"codec(99)", Video, false},
	} {
		if c.String() != want.name || c.Kind() != want.kind || c.NeedsConfig() != want.needs {
			t.Errorf("codec %d: got %v, %v, %v, want %v", c, c, c.Kind(), c.NeedsConfig(), want)
		}
	}
}
