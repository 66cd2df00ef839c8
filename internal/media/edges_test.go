package media

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// VP Codec ISO Media File Format Binding §2.2: what a record may say.
func TestVPConfigBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     string // codec string; empty: refused
		short    bool
	}{
		{"profile 0, level 1, 8 bits", "00 0a 80 020202 0000", "vp09.00.10.08", false},
		{"profile 3 and 12 bits", "03 1f c0 020202 0000", "vp09.03.31.12", false},
		{"profile 4", "04 1f 80 020202 0000", "", false},
		{"7 bits", "00 1f 70 020202 0000", "", false},
		{"13 bits", "00 1f d0 020202 0000", "", false},
		{"profile 4 and 7 bits", "04 1f 70 020202 0000", "", false},
		{"bare, with something behind it", "01 1f a0 020202 0000 00000000", "vp09.01.31.10", false},
		{"bare of profile 1 and level 0, which begins like a FullBox", "01 00 00 00 80 020202", "", false},
		{"FullBox of version 1", "01000000 02 1f c0 020202 0000", "vp09.02.31.12", false},
		{"FullBox alone", "01000000", "", true},
		{"FullBox and 7 bytes", "01000000 02 1f c0 020202 00", "", false}, // too short for that: a record whose depth is 0
		{"7 bytes", "02 1f c0 020202 00", "", true},
	} {
		got, err := ParseVPConfig(CodecVP9, unhex(c.in))
		if (err == nil) != (c.want != "") || got.CodecString != c.want || errors.Is(err, ErrShort) != c.short {
			t.Errorf("%s: %q, %v, want %q", c.name, got.CodecString, err, c.want)
		}
	}
}

// RFC 6386 §9.1: a keyframe's first ten bytes, and bytes that are not a keyframe.
func TestVP8FrameSizeBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		w, h     int // 0: no size
	}{
		{"ten bytes", "f0c600 9d012a 8002 6801", 640, 360},
		{"nine bytes", "f0c600 9d012a 8002 68", 0, 0},
		{"the scales are not the size", "f0c600 9d012a 8042 68c1", 640, 360},
		{"the largest", "f0c600 9d012a ff3f ff3f", 16383, 16383},
		{"the smallest", "f0c600 9d012a 0100 0100", 1, 1},
		{"no width", "f0c600 9d012a 0000 0100", 0, 0},
		{"no height", "f0c600 9d012a 0100 0000", 0, 0},
		{"an inter frame", "f1c600 9d012a 8002 6801", 0, 0},
		{"the start code's first byte is wrong", "f0c600 9c012a 8002 6801", 0, 0},
		{"its second", "f0c600 9d002a 8002 6801", 0, 0},
		{"its third", "f0c600 9d012b 8002 6801", 0, 0},
	} {
		if w, h, ok := FrameSize(CodecVP8, unhex(c.in)); ok != (c.w > 0) || ok && (w != c.w || h != c.h) {
			t.Errorf("%s: %d by %d, %v, want %d by %d", c.name, w, h, ok, c.w, c.h)
		}
	}
}

// VP9 bitstream specification §6.2: frame_marker, profile, show_existing_frame,
// frame_type, show_frame, error_resilient_mode, sync code, color_config, size.
func TestVP9FrameSizeBounds(t *testing.T) {
	t.Parallel()
	const sync = "01001001 10000011 01000010 "
	size := func(w, h int) string { return fmt.Sprintf("%016b %016b 0", w-1, h-1) }
	for _, c := range []struct {
		name, in string
		w, h     int
	}{
		{"profile 0", "10 0 0 0 0 1 0 " + sync + "010 0" + size(640, 360), 640, 360},
		{"profile 2 with 10 bits", "10 0 1 0 0 1 0 " + sync + "0 010 0" + size(1920, 1080), 1920, 1080},
		{"the smallest", "10 0 0 0 0 1 0 " + sync + "010 0" + size(1, 1), 1, 1},
		{"larger than 16 bits hold", "10 0 0 0 0 1 0 " + sync + "010 0" + size(65536, 360), 0, 0},
		{"an inter frame", "10 0 0 0 1 1 0 " + sync + "010 0" + size(640, 360), 0, 0},
		{"another sync code", "10 0 0 0 0 1 0 01001001 10000011 01000011 010 0" + size(640, 360), 0, 0},
		{"another frame marker", "01 0 0 0 0 1 0 " + sync + "010 0" + size(640, 360), 0, 0},
	} {
		in := append(packBits(c.in), make([]byte, 8)...)
		if w, h, ok := FrameSize(CodecVP9, in); ok != (c.w > 0) || ok && (w != c.w || h != c.h) {
			t.Errorf("%s: %d by %d, %v, want %d by %d", c.name, w, h, ok, c.w, c.h)
		}
	}
	if _, _, ok := FrameSize(CodecVP9, nil); ok {
		t.Error("an empty frame has a size")
	}
}

// AV1 §5.3.1: OBUs with and without their parts, before the sequence header.
func TestAV1UnitsInFront(t *testing.T) {
	t.Parallel()
	header := av1Key[:26]                                       // type 1 with a size
	payload := header[4:]                                       // of 11 bytes
	padding := func(n string) string { return "7a" + n + "00" } // type 15 with a size
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"alone", header, true},
		{"without a size: to the end", "08" + payload, true},
		{"with an extension", "0e 00 0b" + payload, true},
		{"an extension, no size", "0c 00" + payload, true},
		{"an empty unit in front", "1200" + header, true},
		{"a unit of 128 bytes in front", "7a 8001" + strings.Repeat("00", 128) + header, true},
		{"a size in eight bytes", "7a 8180808080808000 00" + header, true},
		{"a size in nine bytes", "7a 818080808080808000 00" + header, false},
		{"a unit of a byte in front", padding("01") + header, true},
		{"a unit longer than the frame", "7a 7f 00" + header, false},
		{"the forbidden bit", "8a 0b" + payload, false},
		{"an extension that is missing", "0e", false},
		{"a size that is missing", "0a", false},
		{"another type only", padding("01"), false},
		{"nothing", "", false},
	} {
		w, h, ok := FrameSize(CodecAV1, unhex(c.in))
		if ok != c.ok || ok && (w != 640 || h != 360) {
			t.Errorf("%s: %d by %d, %v, want %v", c.name, w, h, ok, c.ok)
		}
		_, err := ParseAV1Config(append(unhex("81010c00"), unhex(c.in)...))
		if refused := err != nil; refused != (!c.ok && c.in != "" && c.in != padding("01")) {
			t.Errorf("%s in a record: %v", c.name, err)
		}
	}
}

// AV1 in ISOBMFF §2.3.3 and §5: the depth needs both flags and profile 2.
func TestAV1CodecStrings(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"81 00 00 00": "av01.0.00M.08", "81 1f 80 00": "av01.0.31H.08", "81 20 40 00": "av01.1.00M.10",
		"81 20 60 00": "av01.1.00M.10", "81 40 20 00": "av01.2.00M.08", "81 40 40 00": "av01.2.00M.10", "81 40 60 00": "av01.2.00M.12",
	} {
		if got, err := ParseAV1Config(unhex(in)); err != nil || got.CodecString != want {
			t.Errorf("%s: %q, %v, want %q", in, got.CodecString, err, want)
		}
	}
}

func TestFrameRatesThatCanBeMeant(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int]float64{1: 1, 1000: 1000, 1001: 0} {
		in := fmt.Sprintf("000 0 0 1 %032b %032b 1 1 0 0 00000 %012b 00100 1010 1001 10011111111 1011001111", 1, rate, 0)
		b := packBits(in)
		got, err := ParseAV1Config(append(append(unhex("81010c00"), 0x0a, byte(len(b))), b...))
		if err != nil || got.FrameRate != want || got.Width != 1280 || got.Height != 720 {
			t.Errorf("%d a second: %v at %d by %d, %v", rate, got.FrameRate, got.Width, got.Height, err)
		}
	}
}

// ISO 14496-3 table 1.18 and what an escape may say.
func TestAACRates(t *testing.T) {
	t.Parallel()
	rates := []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
	for index := range 15 {
		got, err := ParseAACConfig(packBits(fmt.Sprintf("00010 %04b 0010 000", index)))
		if index >= len(rates) {
			if err == nil {
				t.Errorf("index %d: %d Hz", index, got.SampleRate)
			}
		} else if err != nil || got.SampleRate != rates[index] {
			t.Errorf("index %d: %d Hz, %v, want %d", index, got.SampleRate, err, rates[index])
		}
	}
	for rate, ok := range map[int]bool{0: false, 1: true, 192000: true, 192001: false} {
		got, err := ParseAACConfig(packBits(fmt.Sprintf("00010 1111 %024b 0010 000", rate)))
		if (err == nil) != ok || ok && got.SampleRate != rate {
			t.Errorf("%d Hz: %d, %v", rate, got.SampleRate, err)
		}
	}
}

// ISO 14496-3 table 1.19.
func TestAACChannels(t *testing.T) {
	t.Parallel()
	for config, want := range [16]int{0, 1, 2, 3, 4, 5, 6, 8, -1, -1, -1, 7, 8, 24, 8, -1} {
		if config == 0 {
			continue // a program_config_element follows
		}
		got, err := ParseAACConfig(packBits(fmt.Sprintf("00010 0011 %04b 000", config)))
		if (err == nil) != (want > 0) || err == nil && got.Channels != want {
			t.Errorf("configuration %d: %d channels, %v, want %d", config, got.Channels, err, want)
		}
	}
}

// ISO 14496-3 table 1.17: object types with a GASpecificConfig, with another config that
// has a frame length, and those that are not AAC.
func TestAACObjectTypes(t *testing.T) {
	t.Parallel()
	samples := map[int][2]int{39: {512, 480}, 42: {0, 0}}
	for _, aot := range []int{1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22} {
		samples[aot] = [2]int{1024, 960}
	}
	samples[23] = [2]int{512, 480}
	for aot := range 48 {
		code := fmt.Sprintf("%05b", aot)
		if aot > 30 {
			code = fmt.Sprintf("11111 %06b", aot-32)
		}
		if aot == 5 || aot == 29 || aot == 31 {
			continue // SBR and PS name another one
		}
		for short := range 2 {
			got, err := ParseAACConfig(packBits(fmt.Sprintf("%s 0011 0010 %b 0 0 00000000", code, short)))
			want, ok := samples[aot]
			if (err == nil) != ok || ok && (got.FrameSamples != want[short] || got.AudioObjectType != aot || got.CodecString != fmt.Sprintf("mp4a.40.%d", aot)) {
				t.Errorf("type %d, short %d: %s with %d samples, %v, want %d, %v", aot, short, got.CodecString, got.FrameSamples, err, want[short], ok)
			}
		}
	}
	// Explicit SBR around ER BSAC (22) has a channel configuration more.
	got, err := ParseAACConfig(packBits("00101 0110 0001 0011 10110 0001 1 0 0"))
	if err != nil || got.AudioObjectType != 5 || got.FrameSamples != 960 || got.SampleRate != 24000 || got.OutputRate != 48000 {
		t.Errorf("SBR around type 22: %+v, %v", got, err)
	}
}

// ISO 14496-3 §4.4.1.1: a program_config_element counts its elements.
func TestAACProgramConfig(t *testing.T) {
	t.Parallel()
	config := func(counts, mixdown, elements, tail string) []byte {
		bits := strings.ReplaceAll("00010 0011 0000 0 0 0 0000 01 0011"+counts+mixdown+elements, " ", "")
		return packBits(bits + strings.Repeat("0", (8-len(bits)%8)%8) + tail)
	}
	const sbr = "01010110111 00101 1 0001" // backward compatible, 88.2 kHz
	for _, c := range []struct {
		name     string
		in       []byte
		channels int
		rate     int // after SBR
	}{
		{"mono", config("0001 0000 0000 00 000 0000", "000", "0 0000", "00000000"), 1, 0},
		{"stereo", config("0001 0000 0000 00 000 0000", "000", "1 0000", "00000000"), 2, 0},
		{"front, two at the sides, one at the back, two LFE", config("0001 0010 0001 10 000 0000", "000", "0 0000 1 0000 1 0001 0 0001 0000 0001", "00000000"), 8, 0},
		{"mono mixdown", config("0001 0000 0000 00 000 0000", "1 0000 00", "1 0000", "00000000"), 2, 0},
		{"stereo mixdown", config("0001 0000 0000 00 000 0000", "0 1 0000 0", "1 0000", "00000000"), 2, 0},
		{"matrix mixdown", config("0001 0000 0000 00 000 0000", "0 0 1 000", "1 0000", "00000000"), 2, 0},
		{"data and coupling elements are no channels", config("0001 0000 0000 00 010 0001", "000", "1 0000 0000 0001 0 0000", "00000000"), 2, 0},
		{"SBR behind it", config("0001 0000 0000 00 000 0000", "000", "1 0000", "00000000"+sbr), 2, 88200},
		{"a comment and SBR", config("0001 0000 0000 00 000 0000", "000", "1 0000", "00000010 11111111 11111111"+sbr), 2, 88200},
	} {
		got, err := ParseAACConfig(c.in)
		if err != nil || got.Channels != c.channels || got.OutputRate != c.rate {
			t.Errorf("%s: %x: %d channels, %d Hz after SBR, %v, want %d, %d", c.name, c.in, got.Channels, got.OutputRate, err, c.channels, c.rate)
		}
	}
}

// ISO 14496-3 §1.6.5: SBR and PS behind a configuration of AAC-LC.
func TestAACSyncExtension(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string // behind AAC-LC at 24 kHz, stereo
		aot      int
		rate     int
	}{
		{"none", "", 2, 0},
		{"SBR", "01010110111 00101 1 0011", 5, 48000},
		{"SBR with its rate in full", "01010110111 00101 1 1111 000000001011101110000000", 5, 48000},
		{"SBR and PS", "01010110111 00101 1 0011 10101001000 1", 29, 48000},
		{"SBR and PS that is switched off", "01010110111 00101 1 0011 10101001000 0", 5, 48000},
		{"SBR and something else", "01010110111 00101 1 0011 10101001001 1", 5, 48000},
		{"SBR that is switched off", "01010110111 00101 0 0011", 2, 0},
		{"another sync word", "01010110110 00101 1 0011", 2, 0},
		{"another object type", "01010110111 00110 1 0011", 2, 0},
		{"a reserved rate", "01010110111 00101 1 1101", 2, 0},
		{"a rate of 0 Hz", "01010110111 00101 1 1111 000000000000000000000000", 2, 0},
	} {
		got, err := ParseAACConfig(packBits("00010 0110 0010 000" + c.in))
		if err != nil || got.AudioObjectType != c.aot || got.OutputRate != c.rate || got.SampleRate != 24000 {
			t.Errorf("%s: type %d, %d Hz, %v, want %d, %d", c.name, got.AudioObjectType, got.OutputRate, err, c.aot, c.rate)
		}
		if _, err := ParseAACConfig(append(packBits("00011 0110 0010 000"+c.in), 0)); err != nil {
			t.Errorf("%s behind SSR: %v", c.name, err)
		}
	}
}

// What ADTS says is read by another implementation. A rate outside its table
// goes as ISO 14496-3 table 4.82 has it.
func TestADTSHeaders(t *testing.T) {
	t.Parallel()
	track := func(aot, rate, channels int) *Track {
		config := uint8(channels)
		switch channels {
		case 7:
			config = 11
		case 8:
			config = 7
		}
		return &Track{Kind: Audio, Codec: CodecAAC, AudioObjectType: aot, SampleRate: rate, Channels: channels, ChannelConfig: config, FrameSamples: 1024}
	}
	for rate, want := range map[int]int{
		192000: 96000, 96000: 96000, 92017: 96000, 92016: 88200, 75132: 88200, 75131: 64000, 55426: 64000, 55425: 48000,
		46009: 48000, 46008: 44100, 37566: 44100, 37565: 32000, 27713: 32000, 27712: 24000, 23004: 24000, 23003: 22050,
		18783: 22050, 18782: 16000, 13856: 16000, 13855: 12000, 11502: 12000, 11501: 11025, 9391: 11025, 9390: 8000,
		8000: 8000, 7351: 8000, 7350: 7350, 7349: 8000, 1: 8000,
	} {
		for channels := 1; channels <= 8; channels++ {
			h, err := ADTSHeader(track(2, rate, channels), 100)
			if channels == 7 {
				if err == nil {
					t.Error("7 channels have a configuration") // 7 of table 1.19 is 8 channels
				}
				continue
			}
			if err != nil {
				t.Fatalf("%d Hz, %d channels: %v", rate, channels, err)
			}
			var p mpeg4audio.ADTSPackets
			if err := p.Unmarshal(append(h[:], make([]byte, 100)...)); err != nil {
				t.Fatalf("%x: %v", h, err)
			}
			if len(p) != 1 || p[0].SampleRate != want || int(p[0].ChannelConfig) != min(channels, 7) || p[0].Type != 2 || len(p[0].AU) != 100 {
				t.Errorf("%d Hz, %d channels: %+v, want %d Hz", rate, channels, p, want)
			}
		}
	}
	// §1.A.2.2 by hand: the longest frame, and each object type's two bits.
	if h, err := ADTSHeader(track(2, 44100, 2), 8184); err != nil || !bytes.Equal(h[:], unhex("fff1 50 83 ff ff fc")) {
		t.Errorf("8184 bytes: %x, %v", h, err)
	}
	for aot, want := range map[int]int{0: -1, 1: 0, 2: 1, 3: 2, 4: 3, 5: 1, 6: -1, 23: -1, 29: 1} {
		h, err := ADTSHeader(track(aot, 44100, 2), 0)
		if (err == nil) != (want >= 0) || err == nil && (int(h[2]>>6) != want || h[5] != 0xff || h[4] != 0) {
			t.Errorf("object type %d: %x, %v", aot, h, err)
		}
	}
	for name, refused := range map[string]struct {
		track *Track
		size  int
	}{
		"8185 bytes": {track(2, 44100, 2), 8185}, "-1 bytes": {track(2, 44100, 2), -1}, "no channels": {track(2, 44100, 0), 1},
		"9 channels": {track(2, 44100, 9), 1}, "frames of 960": {&Track{AudioObjectType: 2, SampleRate: 44100, Channels: 2, FrameSamples: 960}, 1},
	} {
		if h, err := ADTSHeader(refused.track, refused.size); err == nil {
			t.Errorf("%s: %x", name, h)
		}
	}
}

// ISO 11172-3 §2.4.2.3 and ISO 13818-3 §2.4.2.3: every version, layer, rate and
// mode of MPEG audio.
func TestMPEGAudioHeaders(t *testing.T) {
	t.Parallel()
	rates := map[int][3]int{3: {44100, 48000, 32000}, 2: {22050, 24000, 16000}, 0: {11025, 12000, 8000}}
	for version := range 4 {
		for layer := range 4 {
			for rate := range 4 {
				for mode := range 4 {
					h := []byte{0xff, 0xe0 | byte(version<<3|layer<<1) | 1, 0x90 | byte(rate<<2), byte(mode << 6)}
					got, err := ParseMP3(h)
					if ok := version != 1 && layer != 0 && rate != 3; (err == nil) != ok {
						t.Errorf("%x: %v, want %v", h, err, ok)
					}
					if err != nil {
						continue
					}
					samples, channels := 1152, 2
					if layer == 3 {
						samples = 384
					} else if layer == 1 && version != 3 {
						samples = 576
					}
					if mode == 3 {
						channels = 1
					}
					if got.SampleRate != rates[version][rate] || got.FrameSamples != samples || got.Channels != channels {
						t.Errorf("%x: %d Hz, %d samples, %d channels, want %d, %d, %d", h, got.SampleRate, got.FrameSamples, got.Channels, rates[version][rate], samples, channels)
					}
				}
			}
		}
	}
	for _, in := range []string{"fefb9064", "ffdb9064", "ff1b9064"} {
		if _, err := ParseMP3(unhex(in)); err == nil {
			t.Errorf("%s has a sync word", in)
		}
	}
}

// RFC 7845 §5.1.
func TestOpusHeadBounds(t *testing.T) {
	t.Parallel()
	head := func(version, channels, family int, mapping string) []byte {
		return append(append([]byte("OpusHead"), byte(version), byte(channels), 0x38, 1, 0x80, 0xbb, 0, 0, 0, 0, byte(family)), unhex(mapping)...)
	}
	for _, c := range []struct {
		name string
		in   []byte
		ok   bool
	}{
		{"mono", head(1, 1, 0, ""), true},
		{"stereo", head(1, 2, 0, ""), true},
		{"three channels without a mapping", head(1, 3, 0, ""), false},
		{"version 15", head(15, 2, 0, ""), true},
		{"version 16", head(16, 2, 0, ""), false},
		{"three channels", head(1, 3, 1, "02 01 000201"), true},
		{"a mapping that lacks a channel", head(1, 3, 1, "02 01 0002"), false},
		{"stereo with a mapping", head(1, 2, 255, "02 00 0001"), true},
	} {
		if got, err := ParseOpusConfig(c.in); (err == nil) != c.ok || c.ok && (got.Channels != int(c.in[9]) || got.SampleRate != 48000) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

// RFC 9639 §8.2: a STREAMINFO block, and what may stand before it.
func TestFLACHeaders(t *testing.T) {
	t.Parallel()
	info := func(least, most int) string {
		return fmt.Sprintf("%04x%04x 000449 0004de 0ac440f00000 33aecd36f8ab0a878da30b37b9efb6c64d51", least, most)
	}
	for _, c := range []struct {
		name, in string
		samples  int // -1: refused
	}{
		{"bare", info(4608, 4608), 4608},
		{"blocks of several sizes", info(576, 4608), 0},
		{"behind its block header", "00000022" + info(4608, 4608), 4608},
		{"behind the header of a last block", "80000022" + info(4608, 4608), 4608},
		{"behind fLaC and that", "664c6143 80000022" + info(4608, 4608), 4608},
		{"behind fLaC alone", "664c6143" + info(4608, 4608), 4608},
		{"a block header of 33 bytes", "00000021" + info(4608, 4608), -1},
		{"nothing but fLaC", "664c6143", -1},
		{"nothing but fLaC and a block header", "664c6143 00000022", -1},
		{"a byte short", info(4608, 4608)[:len(info(4608, 4608))-2], -1},
	} {
		got, err := ParseFLACConfig(unhex(c.in))
		if c.samples < 0 {
			if err == nil && got.SampleRate == 44100 {
				t.Errorf("%s: %+v", c.name, got)
			}
		} else if err != nil || got.SampleRate != 44100 || got.Channels != 1 || got.FrameSamples != c.samples {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestHeadersOf64KiB(t *testing.T) {
	t.Parallel()
	for size, ok := range map[int]bool{64 << 10: true, 64<<10 + 1: false} {
		if got, err := ParseConfig(CodecVVC, make([]byte, size)); (err == nil) != ok || ok && (got.Codec != CodecVVC || got.Kind != Video || len(got.Config) != size) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// A record of HEVC holds so many parameter sets and no more.
func TestHEVCParameterSetBounds(t *testing.T) {
	t.Parallel()
	record := func(arrays ...int) []byte { // of that many PPS each, behind an SPS
		b := hevcRecord(hevcSPSMain10)
		b[22] += byte(len(arrays))
		for _, n := range arrays {
			b = append(b, 0x80|hevcPPS, byte(n>>8), byte(n))
			b = append(b, bytes.Repeat([]byte{0, 1, 0x44}, n)...)
		}
		return b
	}
	for _, c := range []struct {
		arrays []int
		ok     bool
	}{{[]int{256}, true}, {[]int{257}, false}, {[]int{256, 253}, true}, {[]int{256, 254}, false}} { // and VPS, SPS, PPS of the record
		got, err := ParseHEVCConfig(record(c.arrays...))
		if (err == nil) != c.ok {
			t.Errorf("arrays of %d: %d PPS, %v", c.arrays, len(got.PPS), err)
		}
	}
	early := hevcRecord(hevcSPSMain10)
	for version, ok := range map[byte]bool{0: true, 1: true, 2: false} {
		if _, err := ParseHEVCConfig(with(early, 0, version)); (err == nil) != ok {
			t.Errorf("version %d: %v", version, err)
		}
	}
	for length, want := range map[byte]int{0xfc: 1, 0xfd: 2, 0xfe: 0, 0xff: 4} {
		if got, err := ParseHEVCConfig(with(early, 21, length)); (err == nil) != (want > 0) || err == nil && got.NALULength != want {
			t.Errorf("NAL unit lengths of %d bytes, %v, want %d", got.NALULength, err, want)
		}
	}
}
