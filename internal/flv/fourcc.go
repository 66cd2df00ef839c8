package flv

import "github.com/rtmpd/rtmpd/internal/media"

// The FourCCs of Enhanced RTMP v2, big-endian as on the wire.
const (
	FourCCAVC  = 'a'<<24 | 'v'<<16 | 'c'<<8 | '1'
	FourCCHEVC = 'h'<<24 | 'v'<<16 | 'c'<<8 | '1'
	FourCCVVC  = 'v'<<24 | 'v'<<16 | 'c'<<8 | '1'
	FourCCAV1  = 'a'<<24 | 'v'<<16 | '0'<<8 | '1'
	FourCCVP8  = 'v'<<24 | 'p'<<16 | '0'<<8 | '8'
	FourCCVP9  = 'v'<<24 | 'p'<<16 | '0'<<8 | '9'

	FourCCAAC  = 'm'<<24 | 'p'<<16 | '4'<<8 | 'a'
	FourCCMP3  = '.'<<24 | 'm'<<16 | 'p'<<8 | '3'
	FourCCOpus = 'O'<<24 | 'p'<<16 | 'u'<<8 | 's'
	FourCCAC3  = 'a'<<24 | 'c'<<16 | '-'<<8 | '3'
	FourCCEAC3 = 'e'<<24 | 'c'<<16 | '-'<<8 | '3'
	FourCCFLAC = 'f'<<24 | 'L'<<16 | 'a'<<8 | 'C'
)

// codecOf is the codec a FourCC names for one kind of media; CodecOther for
// one that is not known, which passes from publisher to player untouched.
func codecOf(kind media.Kind, fourCC uint32) media.Codec {
	if kind == media.Video {
		switch fourCC {
		case FourCCAVC:
			return media.CodecH264
		case FourCCHEVC:
			return media.CodecHEVC
		case FourCCVVC:
			return media.CodecVVC
		case FourCCAV1:
			return media.CodecAV1
		case FourCCVP8:
			return media.CodecVP8
		case FourCCVP9:
			return media.CodecVP9
		}
		return media.CodecOther
	}
	switch fourCC {
	case FourCCAAC:
		return media.CodecAAC
	case FourCCMP3:
		return media.CodecMP3
	case FourCCOpus:
		return media.CodecOpus
	case FourCCAC3:
		return media.CodecAC3
	case FourCCEAC3:
		return media.CodecEAC3
	case FourCCFLAC:
		return media.CodecFLAC
	}
	return media.CodecOther
}

// hasCompositionTime reports whether CodedFrames of c begin with an SI24
// (E-RTMP v2 "ExVideoTagBody").
func hasCompositionTime(c media.Codec) bool {
	return c == media.CodecH264 || c == media.CodecHEVC || c == media.CodecVVC
}
