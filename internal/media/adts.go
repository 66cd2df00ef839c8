package media

import (
	"fmt"
)

// ADTSHeaderSize is the length of an ADTS header without CRC, in bytes.
const ADTSHeaderSize = 7

// maxADTSFrame is the largest ADTS frame length (13 bits), header included.
const maxADTSFrame = 1<<13 - 1

// ParseADTS takes the ADTS header off a frame that has one, which AAC frames in
// FLV must not have. raw aliases frame. ok is false if frame is not exactly one
// ADTS frame of one raw data block.
//
//	sync(12) id(1) layer(2)=0 noCRC(1) profile(2) rateIndex(4) private(1)
//	channels(3) copy(4) length(13) fullness(11) blocks(2)=0 [CRC(16)]
func ParseADTS(frame []byte) (raw []byte, ok bool) {
	if !IsADTS(frame) {
		return nil, false
	}
	head, size := adtsSizes(frame)
	if size != len(frame) || size <= head || frame[6]&3 != 0 {
		return nil, false
	}
	return frame[head:], true
}

// adtsSizes are the lengths of an ADTS header, CRC included, and of its frame.
func adtsSizes(frame []byte) (head, size int) {
	head = ADTSHeaderSize
	if frame[1]&1 == 0 {
		head += 2
	}
	return head, int(frame[3]&3)<<11 | int(frame[4])<<3 | int(frame[5])>>5
}

// maxADTSRun bounds what one message becomes: 128 frames are 2.7 s at 48 kHz.
const maxADTSRun = 128

// SplitADTS takes apart several ADTS frames in a row. whole is false if they are
// not all of data: frames of several raw data blocks (their ends are not told
// without decoding them), half a frame, more than maxADTSRun.
func SplitADTS(data []byte) (raw [][]byte, whole bool) {
	for len(raw) < maxADTSRun && IsADTS(data) {
		_, size := adtsSizes(data)
		if size > len(data) {
			return raw, false
		}
		frame, ok := ParseADTS(data[:size:size])
		if !ok {
			return raw, false
		}
		raw, data = append(raw, frame), data[size:]
	}
	return raw, len(data) == 0
}

// ADTSConfig makes the AudioSpecificConfig that the header of an ADTS frame
// stands for; raw is the frame's payload, which has the program config where
// the header's channel configuration is 0.
func ADTSConfig(frame, raw []byte) []byte {
	aot, rate, channels := frame[2]>>6+1, frame[2]>>2&0xf, frame[2]&1<<2|frame[3]>>6
	config := []byte{aot<<3 | rate>>1, rate<<7 | channels<<3}
	if channels == 0 {
		config = appendProgramConfig(config, raw)
	}
	return config
}

// IsADTS reports whether frame begins like an ADTS header. A raw AAC frame
// does not: its first three bits would be the end of it.
func IsADTS(frame []byte) bool {
	return len(frame) >= ADTSHeaderSize && frame[0] == 0xff && frame[1]&0xf6 == 0xf0
}

// ADTSHeader builds the ADTS header (ISO 14496-3 §1.A.2.2) of one raw AAC
// frame of frameBytes bytes of track t, Track.ProgramConfig included:
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
	channels := t.ChannelConfig
	if channels > 7 && t.Channels == 8 {
		channels = 7 // the elements of 12 are those of 7
	}
	if channels > 7 || channels == 0 && t.ProgramConfig == nil {
		return h, fmt.Errorf("%d AAC channels in configuration %d do not fit in ADTS", t.Channels, channels)
	}
	size := frameBytes + ADTSHeaderSize
	if frameBytes < 0 || size > maxADTSFrame {
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
