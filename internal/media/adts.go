package media

import (
	"fmt"
)

// ADTSHeaderSize is the length of an ADTS header without CRC, in bytes.
const ADTSHeaderSize = 7

// ADTSHeader builds the ADTS header (ISO 14496-3 §1.A.2.2) of one raw AAC
// frame of frameBytes bytes of track t:
//
//	sync(12) id(1)=0 layer(2)=0 noCRC(1)=1
//	profile(2) rateIndex(4) private(1) channels(3) copy(4)
//	length(13, header included) fullness(11)=VBR blocks(2)=0
//
// SBR and PS go as the AAC-LC they extend; decoders find them in the frames.
// A rate outside the table goes as the one whose tables it is decoded with
// (§4.5.1.1). It is an error if ADTS has no way to say it: an object type
// above 4, 960-sample frames, an unknown number of channels, a longer frame.
func ADTSHeader(t *Track, frameBytes int) ([ADTSHeaderSize]byte, error) {
	var h [ADTSHeaderSize]byte
	aot := t.AudioObjectType
	if aot == aotSBR || aot == aotPS {
		aot = aotLC
	}
	if aot < 1 || aot > 4 {
		return h, fmt.Errorf("AAC object type %d does not fit in ADTS", t.AudioObjectType)
	}
	if t.FrameSamples != 1024 {
		return h, fmt.Errorf("AAC frames of %d samples do not fit in ADTS", t.FrameSamples)
	}
	channels := t.Channels
	if channels == 8 {
		channels = 7
	} else if channels < 1 || channels > 6 {
		return h, fmt.Errorf("%d AAC channels do not fit in ADTS", t.Channels)
	}
	size := frameBytes + ADTSHeaderSize
	if frameBytes < 0 || size > 0x1fff {
		return h, fmt.Errorf("AAC frame of %d bytes does not fit in ADTS", frameBytes)
	}
	rate := adtsRateIndex(t.SampleRate)
	h[0] = 0xff
	h[1] = 0xf1
	h[2] = byte(aot-1)<<6 | rate<<2 | byte(channels>>2)
	h[3] = byte(channels&3)<<6 | byte(size>>11)
	h[4] = byte(size >> 3)
	h[5] = byte(size&7)<<5 | 0x1f
	h[6] = 0xfc
	return h, nil
}

// adtsRateIndex is ISO 14496-3 table 4.82: which standard rate's tables
// decode any given rate.
func adtsRateIndex(rate int) byte {
	from := [...]int{92017, 75132, 55426, 46009, 37566, 27713, 23004, 18783, 13856, 11502, 9391}
	for i, f := range from {
		if rate >= f {
			return byte(i)
		}
	}
	if rate == 7350 {
		return 12
	}
	return 11
}
