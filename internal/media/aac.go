package media

import (
	"fmt"
)

// Audio object types of ISO 14496-3 table 1.17 that are distinguished here.
const (
	aotLC  = 2
	aotSBR = 5
	aotPS  = 29
)

// aacRate is ISO 14496-3 table 1.18; a code of 15 is followed by 24 bits.
func aacRate(index uint32) int {
	rates := [...]int{
		96000, 88200, 64000, 48000, 44100, 32000, 24000,
		22050, 16000, 12000, 11025, 8000, 7350,
	}
	if int(index) < len(rates) {
		return rates[index]
	}
	return 0
}

// ParseAACConfig decodes an AudioSpecificConfig (ISO 14496-3 §1.6.2.1), the
// payload of an AAC sequence header:
//
//	objectType(5) rateIndex(4) [rate(24)] channels(4)
//	[SBR or PS: rateIndex(4) [rate(24)] objectType(5)]
//	frameLength(1) dependsOnCore(1) [delay(14)] extension(1) [program config]
//	[0x2b7(11) objectType(5) sbr(1) [rateIndex(4) [rate(24)] [0x548(11) ps(1)]]]
//
// SampleRate and FrameSamples are the core's, so that their quotient is a
// frame's duration; OutputRate is the rate after SBR, whichever way that is
// signalled. Channels are the coded ones: parametric stereo makes two of one.
// AudioObjectType is 5 or 29 for SBR and PS. Channels is 0 if only the frames
// can say it.
func ParseAACConfig(b []byte) (Track, error) {
	t := Track{Kind: Audio, Codec: CodecAAC, Config: b}
	r := bitReader{b: b}
	core := objectType(&r)
	rate, err := samplingFrequency(&r)
	if err != nil {
		return t, err
	}
	channels := r.u(4)
	signalled := core
	if core == aotSBR || core == aotPS {
		if t.OutputRate, err = samplingFrequency(&r); err != nil {
			return t, err
		}
		if core = objectType(&r); core == 22 {
			r.u(4) // extensionChannelConfiguration
		}
	}
	if r.err != nil {
		return t, fmt.Errorf("AAC header of %d bytes: %w", len(b), r.err)
	}
	if t.Channels = aacChannels(channels); t.Channels < 0 {
		return t, fmt.Errorf("AAC header: channel configuration %d is reserved", channels)
	}
	t.SampleRate, t.AudioObjectType, t.ChannelConfig = rate, signalled, uint8(channels)

	if err := coreConfig(&r, &t, core, channels); err != nil {
		return t, err
	}
	if r.err != nil {
		return t, fmt.Errorf("AAC header of %d bytes: %w", len(b), r.err)
	}
	if signalled == aotLC {
		syncExtension(r, &t)
	}
	t.CodecString = fmt.Sprintf("mp4a.40.%d", t.AudioObjectType)
	return t, nil
}

// coreConfig reads what follows the object type: GASpecificConfig (§4.4.1) or
// the start of another that tells the frame length.
func coreConfig(r *bitReader, t *Track, core int, channels uint32) error {
	switch core {
	case 1, aotLC, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23:
		short := r.flag() // frameLengthFlag
		switch {
		case core == 23 && short:
			t.FrameSamples = 480 // AAC-LD
		case core == 23:
			t.FrameSamples = 512
		case short:
			t.FrameSamples = 960
		default:
			t.FrameSamples = 1024
		}
		if r.flag() { // dependsOnCoreCoder
			r.u(14)
		}
		r.u(1) // extensionFlag: only error resilience follows, which is not needed
		if channels == 0 {
			readProgramConfig(r, t)
		}
	case 39: // ELDSpecificConfig
		t.FrameSamples = 512
		if r.flag() {
			t.FrameSamples = 480
		}
	case 42: // xHE-AAC: the frame length is the decoder's business
	default:
		return fmt.Errorf("AAC header: object type %d is not an AAC", core)
	}
	return nil
}

// syncExtension looks for the backward compatible signalling of SBR and PS
// behind the core's configuration. It takes r by value: bits that end early
// or are something else are no error.
func syncExtension(r bitReader, t *Track) {
	if r.left() < 16 || r.u(11) != 0x2b7 || objectType(&r) != aotSBR || !r.flag() {
		return
	}
	rate, err := samplingFrequency(&r)
	if err != nil || r.err != nil {
		return
	}
	t.OutputRate, t.AudioObjectType = rate, aotSBR
	if r.left() >= 12 && r.u(11) == 0x548 && r.flag() {
		t.AudioObjectType = aotPS
	}
}

func objectType(r *bitReader) int {
	t := r.u(5)
	if t == 31 {
		t = 32 + r.u(6)
	}
	return int(t)
}

// samplingFrequency reads an index and, after 15, the rate itself.
func samplingFrequency(r *bitReader) (int, error) {
	index := r.u(4)
	rate := aacRate(index)
	if index == 15 {
		rate = int(r.u(24))
	}
	if r.err != nil {
		return 0, fmt.Errorf("AAC header of %d bytes: %w", len(r.b), r.err)
	}
	if rate == 0 || rate > 192000 {
		return 0, fmt.Errorf("AAC header: sample rate index %d, %d Hz", index, rate)
	}
	return rate, nil
}

// aacChannels is ISO 14496-3 table 1.19: 0 is said elsewhere, -1 reserved.
func aacChannels(config uint32) int {
	return [16]int{0, 1, 2, 3, 4, 5, 6, 8, -1, -1, -1, 7, 8, 24, 8, -1}[config&0xf]
}
