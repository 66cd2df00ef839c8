package media

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

func TestNALUs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		in   string
		size int
		want string // the units, comma after each
		err  string
	}{
		{"two units with 4-byte lengths", "00000002 6701 00000003 650203", 4, "6701,650203,", ""},
		{"2-byte lengths", "0001 09 0002 6588", 2, "09,6588,", ""},
		{"1-byte lengths", "01 09 02 6588", 1, "09,6588,", ""},
		{"no bytes are no units", "", 4, "", ""},
		{"empty units are passed over", "00000000 00000001 41 00000000", 4, "41,", ""},
		{"the length breaks off", "00000001 09 000000", 4, "09,", "length at byte 5"},
		{"the unit breaks off", "00000001 09 00000004 656565", 4, "09,", "4 bytes at byte 9, 3 left"},
		{"a length with the top bit set", "ffffffff 65", 4, "", "4294967295 bytes"},
		{"Annex B start codes are lengths of 1", "00000001 65 88 84 00", 4, "65,", "length at byte 5"},
		{"length size 0", "00", 0, "", "length of 0 bytes"},
		{"length size 5", "00", 5, "", "length of 5 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			var last error
			for n, err := range NALUs(unhex(c.in), c.size) {
				if last = err; err == nil {
					got.WriteString(hex.EncodeToString(n) + ",")
					if cap(n) != len(n) {
						t.Errorf("unit %x can grow: cap %d", n, cap(n))
					}
				}
			}
			if got.String() != c.want {
				t.Errorf("units: got %s, want %s", got.String(), c.want)
			}
			if c.err == "" && last != nil || c.err != "" && (last == nil || !strings.Contains(last.Error(), c.err)) {
				t.Errorf("error: got %v, want %q", last, c.err)
			}
		})
	}
}

func TestWalkingNALUsDoesNotAllocate(t *testing.T) {
	data := unhex("00000002 0910 00000003 060501 00000004 41e00102")
	total := 0
	allocs := testing.AllocsPerRun(1000, func() {
		for n, err := range NALUs(data, 4) {
			if err != nil {
				t.Fatal(err)
			}
			total += len(n)
		}
		if ReadUnits(CodecH264, data, 4).Random || ReadUnits(CodecHEVC, data, 4).Random {
			t.Fatal("no IDR here")
		}
	})
	if allocs != 0 || total == 0 {
		t.Errorf("got %v allocations for %d bytes, want 0", allocs, total)
	}
}

func TestRandomAccessIsFoundInTheSlices(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		in        string
		idr, irap bool
	}{
		{"SEI and IDR", "00000002 0605 00000002 6588", true, false},
		{"non-IDR slice", "00000002 41e0", false, false},
		{"HEVC CRA (type 21)", "00000002 2a01", false, true},
		{"HEVC BLA (type 16)", "00000002 2001", false, true},
		{"HEVC RASL (type 9)", "00000002 1201", false, false},
		{"what is no NAL unit is no keyframe", "000000ff 65", false, false},
	} {
		if got := ReadUnits(CodecH264, unhex(c.in), 4).Random; got != c.idr {
			t.Errorf("%s: IDR: got %v, want %v", c.name, got, c.idr)
		}
		if got := ReadUnits(CodecHEVC, unhex(c.in), 4).Random; got != c.irap {
			t.Errorf("%s: IRAP: got %v, want %v", c.name, got, c.irap)
		}
	}
}

// The library is an independent reader of ADTS.
func TestADTSHeader(t *testing.T) {
	t.Parallel()
	frame := bytes.Repeat([]byte{0xa5}, 300)
	for _, c := range []struct {
		name           string
		config         string
		rate, channels int // channels: the configuration
	}{
		{"LC 44.1 kHz stereo", "1210", 44100, 2},
		{"LC 48 kHz mono", "1188", 48000, 1},
		{"LC 7350 Hz", "1608", 7350, 1},
		{"7.1 is configuration 7", "11b8", 48000, 7},
		{"explicit SBR goes as its core", "2b920800", 22050, 2},
		{"44056 Hz goes as 44100", "17 80 56 0c 10", 44100, 2},
	} {
		tr, err := ParseAACConfig(unhex(c.config))
		if err != nil {
			t.Fatal(err)
		}
		h, err := ADTSHeader(&tr, len(frame))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got mpeg4audio.ADTSPackets
		if err := got.Unmarshal(append(h[:], frame...)); err != nil {
			t.Fatalf("%s: header %x: %v", c.name, h, err)
		}
		if len(got) != 1 || got[0].SampleRate != c.rate || int(got[0].ChannelConfig) != c.channels || got[0].Type != 2 || !bytes.Equal(got[0].AU, frame) {
			t.Errorf("%s: header %x: got %d packets, first %d Hz, %d channels, want 1, %d, %d", c.name, h, len(got), got[0].SampleRate, int(got[0].ChannelConfig), c.rate, c.channels)
		}
	}
}

func TestADTSHeaderRefusesWhatItCannotSay(t *testing.T) {
	t.Parallel()
	lc := Track{AudioObjectType: 2, SampleRate: 44100, Channels: 2, ChannelConfig: 2, FrameSamples: 1024}
	for _, c := range []struct {
		name   string
		change func(*Track)
		size   int
	}{
		{"AAC-ELD", func(t *Track) { t.AudioObjectType = 39 }, 100},
		{"960-sample frames", func(t *Track) { t.FrameSamples = 960 }, 100},
		{"unknown channels", func(t *Track) { t.Channels, t.ChannelConfig = 0, 0 }, 100},
		{"7 channels", func(t *Track) { t.Channels, t.ChannelConfig = 7, 11 }, 100},
		{"a frame whose length needs 14 bits", func(*Track) {}, 8185},
	} {
		tr := lc
		c.change(&tr)
		if h, err := ADTSHeader(&tr, c.size); err == nil {
			t.Errorf("%s: got %x, want an error", c.name, h)
		}
	}
	if _, err := ADTSHeader(&lc, 8184); err != nil {
		t.Errorf("the longest frame: %v", err)
	}
}

func TestErrShortIsWhatCallersTest(t *testing.T) {
	t.Parallel()
	for _, err := range NALUs(unhex("00000009"), 4) {
		if !errors.Is(err, ErrShort) {
			t.Errorf("got %v, want one that wraps ErrShort", err)
		}
	}
}
