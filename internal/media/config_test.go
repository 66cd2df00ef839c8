package media

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseVideoConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		codec Codec
		in    []byte
		want  Track // without Config and parameter sets
		sets  string
	}{
		{
			"High 4.0, 1080p cropped from 1088, 29.97 frames a second", CodecH264, unhex(avcHigh1080),
			Track{CodecString: "avc1.640028", Width: 1920, Height: 1080, FrameRate: 30000.0 / 1001, Profile: 100, Level: 40, NALULength: 4},
			"0/1/1",
		},
		{
			"interlaced High: the height is the frame's", CodecH264, unhex(avcInter),
			Track{CodecString: "avc1.640028", Width: 1920, Height: 1080, FrameRate: 12.5, Profile: 100, Level: 40, NALULength: 4},
			"0/1/1",
		},
		{
			"constrained Baseline without the High extension", CodecH264, unhex(avcBaseline),
			Track{CodecString: "avc1.42c00d", Width: 320, Height: 180, FrameRate: 30, Profile: 66, Compat: 0xc0, Level: 13, NALULength: 4},
			"0/1/1",
		},
		{
			"a record that leaves its own profile zero takes the SPS's", CodecH264, with(with(unhex(avcBaseline), 1, 0), 3, 0),
			Track{CodecString: "avc1.42c00d", Width: 320, Height: 180, FrameRate: 30, Profile: 66, Compat: 0xc0, Level: 13, NALULength: 4},
			"0/1/1",
		},
		{
			"2-byte NAL unit lengths", CodecH264, with(unhex(avcBaseline), 4, 0xfd),
			Track{CodecString: "avc1.42c00d", Width: 320, Height: 180, FrameRate: 30, Profile: 66, Compat: 0xc0, Level: 13, NALULength: 2},
			"0/1/1",
		},
		{
			"an SPS whose VUI breaks off keeps its picture size", CodecH264,
			unhex("0142c00dffe10009 6742c00dda05067e7c 01000468ce3c80"),
			Track{CodecString: "avc1.42c00d", Width: 320, Height: 180, Profile: 66, Compat: 0xc0, Level: 13, NALULength: 4},
			"0/1/1",
		},
		{
			"HEVC Main 10 level 4", CodecHEVC, hevcRecord(hevcSPSMain10),
			Track{CodecString: "hvc1.2.4.L120.90", Width: 1280, Height: 720, FrameRate: 60, Profile: 2, Level: 120, NALULength: 4},
			"1/1/1",
		},
		{
			"HEVC high tier, profile space A, all constraint bytes", CodecHEVC,
			with(with(hevcRecord(hevcSPSMain10), 1, 0x62), 11, 1),
			Track{CodecString: "hvc1.A2.4.H120.90.0.0.0.0.1", Width: 1280, Height: 720, FrameRate: 60, Profile: 2, Level: 120, NALULength: 4},
			"1/1/1",
		},
		{
			"HEVC with two temporal sub-layers", CodecHEVC, hevcRecord(hevcSPSLayers),
			Track{CodecString: "hvc1.2.4.L120.90", Width: 1280, Height: 720, FrameRate: 60, Profile: 2, Level: 120, NALULength: 4},
			"1/1/1",
		},
		{
			"HEVC sub-layer with its own level", CodecHEVC, hevcRecord(hevcSPSLevel),
			Track{CodecString: "hvc1.2.4.L120.90", Width: 1280, Height: 720, FrameRate: 60, Profile: 2, Level: 120, NALULength: 4},
			"1/1/1",
		},
		{
			"HEVC sub-layer with its own profile and level", CodecHEVC, hevcRecord(hevcSPSProfile),
			Track{CodecString: "hvc1.2.4.L120.90", Width: 1280, Height: 720, FrameRate: 60, Profile: 2, Level: 120, NALULength: 4},
			"1/1/1",
		},
		{
			"AV1 Main level 3.1 with a sequence header", CodecAV1, unhex(av1Main),
			Track{CodecString: "av01.0.01M.08", Width: 640, Height: 360, Level: 1},
			"0/0/0",
		},
		{
			"AV1 without a sequence header: the size is unknown", CodecAV1, unhex("81 08 4c 00"),
			Track{CodecString: "av01.0.08M.10", Level: 8},
			"0/0/0",
		},
		{
			"AV1 Professional, high tier, 12 bits", CodecAV1, unhex("81 4d e0 00"),
			Track{CodecString: "av01.2.13H.12", Profile: 2, Level: 13},
			"0/0/0",
		},
		{
			"VP9 record behind a FullBox header", CodecVP9, unhex(vp9Full),
			Track{CodecString: "vp09.00.21.08", Level: 21},
			"0/0/0",
		},
		{
			"VP9 record bare", CodecVP9, unhex(vp9Bare),
			Track{CodecString: "vp09.00.21.08", Level: 21},
			"0/0/0",
		},
		{
			"VP9 profile 2 with 10 bits", CodecVP9, unhex("02 29 a2 090909 0000"),
			Track{CodecString: "vp09.02.41.10", Profile: 2, Level: 41},
			"0/0/0",
		},
		{
			"VP8 record", CodecVP8, unhex("00 0a 82 020202 0000"),
			Track{CodecString: "vp08.00.10.08", Level: 10},
			"0/0/0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseConfig(c.codec, c.in)
			if err != nil {
				t.Fatalf("ParseConfig(%v, %x): %v", c.codec, c.in, err)
			}
			if !bytes.Equal(got.Config, c.in) {
				t.Errorf("Config: got %x, want the input", got.Config)
			}
			if sets := setCounts(got); sets != c.sets {
				t.Errorf("VPS/SPS/PPS: got %s, want %s", sets, c.sets)
			}
			got.Config, got.VPS, got.SPS, got.PPS = nil, nil, nil, nil
			c.want.Kind, c.want.Codec = Video, c.codec
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("track (-want +got):\n%s", d)
			}
		})
	}
}

func setCounts(t Track) string {
	digit := func(n int) string { return string(rune('0' + n)) }
	return digit(len(t.VPS)) + "/" + digit(len(t.SPS)) + "/" + digit(len(t.PPS))
}

func TestParameterSetsAliasTheRecordWithoutSpareCapacity(t *testing.T) {
	t.Parallel()
	in := unhex(avcBaseline)
	tr, err := ParseAVCConfig(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := hex.EncodeToString(tr.SPS[0]), "6742c00dda05067e7c0440000003004000000f03c50aa8"; got != want {
		t.Errorf("SPS: got %s, want %s", got, want)
	}
	if got, want := hex.EncodeToString(tr.PPS[0]), "68ce3c80"; got != want {
		t.Errorf("PPS: got %s, want %s", got, want)
	}
	if &tr.SPS[0][0] != &in[8] || cap(tr.SPS[0]) != len(tr.SPS[0]) {
		t.Errorf("SPS is a copy or can grow into the PPS: cap %d, len %d", cap(tr.SPS[0]), len(tr.SPS[0]))
	}
}

func TestMalformedHeadersSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	avc, hevc := unhex(avcBaseline), hevcRecord(hevcSPSMain10)
	for _, c := range []struct {
		name  string
		codec Codec
		in    []byte
		want  string // part of the error
		short bool
	}{
		{"empty AVC record", CodecH264, nil, "0 bytes", true},
		{"AVC version 0", CodecH264, with(avc, 0, 0), "version 0", false},
		{"3-byte NAL unit lengths", CodecH264, with(avc, 4, 0xfe), "length of 3", false},
		{"no SPS", CodecH264, unhex("0142c00dffe0 01 0004 68ce3c80"), "without an SPS", false},
		{"SPS longer than the record", CodecH264, with(avc, 7, 0xff), "SPS 1 of 1: 255 bytes", true},
		{"empty SPS", CodecH264, unhex("0142c00dffe1 0000 01 0004 68ce3c80"), "empty", false},
		{"SPS of 3 bytes", CodecH264, unhex("0142c00dffe1 0003 6742c0 01 0004 68ce3c80"), "SPS of 3 bytes", true},
		{"SPS that is a PPS", CodecH264, with(avc, 8, 0x68), "not a SPS", false},
		{"SPS that breaks off before the picture size", CodecH264, unhex("0142c00dffe1 0005 6742c00dda 01 0004 68ce3c80"), "SPS", false},
		{"no PPS count", CodecH264, avc[:len(avc)-7], "PPS count", true},
		{"PPS breaks off", CodecH264, cut(avc, 1), "PPS 1 of 1", true},
		{"HEVC record of 22 bytes", CodecHEVC, hevc[:22], "22 bytes", true},
		{"HEVC version 2", CodecHEVC, with(hevc, 0, 2), "version 2", false},
		{"HEVC array breaks off", CodecHEVC, hevc[:25], "array 1", true},
		{"HEVC PPS breaks off", CodecHEVC, cut(hevc, 1), "array 3 of type 34", true},
		{"HEVC claims 65535 units", CodecHEVC, with(with(hevc, 24, 0xff), 25, 0xff), "count 65535", false},
		{"HEVC without an SPS", CodecHEVC, with(hevc[:23], 22, 0), "without an SPS", false},
		{"HEVC SPS that is none", CodecHEVC, hevcRecord("4401c172b46240"), "not a SPS", false},
		{"AV1 record of 3 bytes", CodecAV1, unhex("81010c"), "3 bytes", true},
		{"AV1 version 2", CodecAV1, unhex("82010c00"), "0x82", false},
		{"AV1 profile 3", CodecAV1, unhex("81610c00"), "profile 3", false},
		{"AV1 OBU longer than the record", CodecAV1, unhex("81010c00 0a7f0000"), "OBU of 127", true},
		{"AV1 OBU size without end", CodecAV1, unhex("81010c00 0affffffffffffffffff"), "OBU size", true},
		{"AV1 sequence header breaks off", CodecAV1, unhex("81010c00 0a020000"), "sequence header", true},
		{"VP9 record of 7 bytes", CodecVP9, unhex("00158202020200"), "7 bytes", true},
		{"VP9 with 4 bits a sample", CodecVP9, unhex("0015420202020000"), "4 bits", false},
		{"empty AAC header", CodecAAC, nil, "0 bytes", true},
		{"AAC header of one byte", CodecAAC, unhex("12"), "1 bytes", true},
		{"AAC rate index 13", CodecAAC, unhex("1690"), "index 13", false},
		{"AAC rate of 0 Hz", CodecAAC, unhex("17 80 00 00 10"), "0 Hz", false},
		{"AAC rate of 16 MHz", CodecAAC, unhex("17 ff ff ff 90"), "16777215 Hz", false},
		{"AAC channel configuration 9", CodecAAC, unhex("11c8"), "configuration 9", false},
		{"object type 34 is MP3, not AAC", CodecAAC, unhex("f8 48 20"), "object type 34", false},
		{"AAC program config breaks off", CodecAAC, unhex("1180 05"), "3 bytes", true},
		{"OpusTags instead of OpusHead", CodecOpus, append([]byte("OpusTags"), make([]byte, 20)...), "OpusTags", false},
		{"OpusHead without channels", CodecOpus, with(unhex(opusStereo), 9, 0), "no channels", false},
		{"OpusHead version 16", CodecOpus, with(unhex(opusStereo), 8, 16), "version 16", false},
		{"OpusHead of family 0 with 6 channels", CodecOpus, with(unhex(opusStereo), 9, 6), "6 channels", false},
		{"OpusHead without its mapping", CodecOpus, with(unhex(opusStereo), 18, 1), "mapping", true},
		{"OpusHead breaks off", CodecOpus, cut(unhex(opusStereo), 1), "18 bytes", true},
		{"FLAC breaks off", CodecFLAC, cut(unhex(flacMono), 1), "41 bytes", true},
		{"FLAC at 0 Hz", CodecFLAC, make([]byte, 34), "rate 0", false},
		{"a header of 64 KiB and one byte", CodecVVC, make([]byte, maxConfig+1), "more than 65536", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseConfig(c.codec, c.in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("ParseConfig(%v, %x): got error %v, want one with %q", c.codec, c.in, err, c.want)
			}
			if got := errors.Is(err, ErrShort); got != c.short {
				t.Errorf("errors.Is(%v, ErrShort): got %v, want %v", err, got, c.short)
			}
		})
	}
	for _, c := range []struct {
		name  string
		parse func([]byte) (Track, error)
		in    string
	}{
		{"MP3 of 3 bytes", ParseMP3, "fffb90"},
		{"MP3 without sync", ParseMP3, "7ffb9064"},
		{"MPEG version 1 is reserved", ParseMP3, "ffeb9064"},
		{"layer 0 is reserved", ParseMP3, "fff99064"},
		{"bit rate 15 is forbidden", ParseMP3, "fffbf064"},
		{"sample rate 3 is reserved", ParseMP3, "fffb9c64"},
		{"AC-3 of 7 bytes", ParseAC3, "0b7738900c4043"},
		{"AC-3 without sync", ParseAC3, "0c7738900c4043e1"},
		{"AC-3 sample rate 3", ParseAC3, "0b773890cc4043e1"},
		{"AC-3 with the bsid of E-AC-3", ParseAC3, "0b7738900c8043e1"},
		{"E-AC-3 of 7 bytes", ParseEAC3, "0b77017f3f87c0"},
		{"E-AC-3 with the bsid of AC-3", ParseEAC3, "0b77017f3f47c000"},
	} {
		if tr, err := c.parse(unhex(c.in)); err == nil {
			t.Errorf("%s: %s: got %+v, want an error", c.name, c.in, tr)
		}
	}
}

func TestFrameSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		codec  Codec
		in     string
		w, h   int
		wantOK bool
	}{
		{"VP8 keyframe", CodecVP8, vp8Key, 640, 360, true},
		{"VP8 inter frame", CodecVP8, "f1c6009d012a800268010007", 0, 0, false},
		{"VP9 keyframe", CodecVP9, vp9Key, 640, 360, true},
		{"VP9 that breaks off", CodecVP9, vp9Key[:12], 0, 0, false},
		{"AV1 keyframe", CodecAV1, av1Key, 640, 360, true},
		{"AV1 temporal delimiter in front", CodecAV1, "1200" + av1Key, 640, 360, true},
		{"AV1 without sequence header", CodecAV1, "1200", 0, 0, false},
		{"H.264 says it in the header", CodecH264, "00000001 65", 0, 0, false},
	} {
		if w, h, ok := FrameSize(c.codec, unhex(c.in)); w != c.w || h != c.h || ok != c.wantOK {
			t.Errorf("%s: got %d by %d, %v, want %d by %d, %v", c.name, w, h, ok, c.w, c.h, c.wantOK)
		}
	}
}
