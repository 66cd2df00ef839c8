package media

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

// checkTrack is what every accepted configuration must satisfy.
func checkTrack(t *testing.T, tr Track) {
	t.Helper()
	if tr.Width < 0 || tr.Width > 0xffff || tr.Height < 0 || tr.Height > 0xffff {
		t.Errorf("picture of %d by %d", tr.Width, tr.Height)
	}
	if !(tr.FrameRate >= 0 && tr.FrameRate <= 1000) {
		t.Errorf("frame rate %v", tr.FrameRate)
	}
	if tr.SampleRate < 0 || tr.Channels < 0 || tr.Channels > 255 || tr.FrameSamples < 0 {
		t.Errorf("audio %d Hz, %d channels, %d samples", tr.SampleRate, tr.Channels, tr.FrameSamples)
	}
	if tr.CodecString == "" {
		t.Errorf("no codec string")
	}
	for _, sets := range [][][]byte{tr.VPS, tr.SPS, tr.PPS} {
		for _, s := range sets {
			if len(s) == 0 || cap(s) != len(s) {
				t.Errorf("parameter set %x: len %d, cap %d", s, len(s), cap(s))
			}
		}
	}
}

func fuzzConfig(f *testing.F, c Codec, seeds ...[]byte) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		if tr, err := ParseConfig(c, b); err == nil {
			checkTrack(t, tr)
			if c == CodecAAC {
				_, _ = ADTSHeader(&tr, len(b))
			}
		}
		FrameSize(c, b)
	})
}

func FuzzAVCConfig(f *testing.F) {
	fuzzConfig(f, CodecH264, unhex(avcHigh1080), unhex(avcInter), unhex(avcBaseline), unhex(avcBFrames))
}

func FuzzHEVCConfig(f *testing.F) {
	fuzzConfig(f, CodecHEVC, hevcRecord(hevcSPSMain10), hevcRecord(hevcSPSLayers), hevcRecord(hevcSPSLevel), hevcRecord(hevcSPSProfile))
}

func FuzzAV1Config(f *testing.F) {
	fuzzConfig(f, CodecAV1, unhex(av1Main), unhex(av1Key), unhex("81084c00"))
}

func FuzzVP9Config(f *testing.F) {
	fuzzConfig(f, CodecVP9, unhex(vp9Full), unhex(vp9Bare), unhex(vp9Key))
}

func FuzzAACConfig(f *testing.F) {
	fuzzConfig(f, CodecAAC, unhex("1210"), unhex("118856e500"), unhex("2b920800"), unhex("138856e5a54880"),
		unhex("1780560c10"), unhex("118004c8050001088002414256e588"), unhex("f8e83000"))
}

func FuzzOpusConfig(f *testing.F) {
	fuzzConfig(f, CodecOpus, unhex(opusStereo), with(unhex(opusStereo), 18, 1))
}

func FuzzFLACConfig(f *testing.F) {
	fuzzConfig(f, CodecFLAC, unhex(flacMono), unhex(flacMono[9:]), unhex(flacMono[18:]))
}

func FuzzAudioFrame(f *testing.F) {
	f.Add(unhex("0b7738900c4043e106f0010c"))
	f.Add(unhex("0b77017f3f87c00020f82000"))
	f.Add(unhex("fffb9064"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		for _, parse := range []func([]byte) (Track, error){ParseAC3, ParseEAC3, ParseMP3} {
			if tr, err := parse(b); err == nil {
				checkTrack(t, tr)
				if tr.SampleRate == 0 || tr.Channels == 0 || tr.FrameSamples == 0 {
					t.Errorf("accepted without rate, channels or length: %+v", tr)
				}
			}
		}
	})
}

func FuzzNALUs(f *testing.F) {
	f.Add(unhex("0000000267010000000365020300000000"), 4)
	f.Add(unhex("0001090002658800"), 2)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		fuzztime.Bound(t)
		total := 0
		for n, err := range NALUs(b, size) {
			if err != nil {
				if n != nil {
					t.Errorf("unit %x beside error %v", n, err)
				}
				continue
			}
			total += size + len(n)
		}
		if total > len(b) {
			t.Errorf("units of %d bytes out of %d", total, len(b))
		}
		ReadUnits(CodecH264, b, size)
		ReadUnits(CodecHEVC, b, size)
	})
}
