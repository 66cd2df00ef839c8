package media

import (
	"encoding/hex"
	"strings"
)

// unhex decodes hexadecimal digits; spaces are for the reader.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err) // a typing error in a vector
	}
	return b
}

const (
	avcHigh1080 = "01640028ffe10019 67640028acd940780227e5c04400000fa40003a9803c60c658 01000668ebe3cb22c0fdf8f800"
	avcInter    = "01640028ffe1001a 67640028acd94078044fde0220000003004000000643e2c5b2c0 01000668fba3cb22c0fdf8f800"
	avcBaseline = "0142c00dffe10017 6742c00dda05067e7c0440000003004000000f03c50aa8 01000468ce3c80"
	avcBFrames  = "0164000bffe10019 6764000bacd942847e5c0440000003004000000c83c50a6580 01000568ebecb22cfdf8f800"

	hevcVPSMain10 = "40010c01ffff02200000030090000003000003007895 9809"
	hevcSPSMain10 = "420101022000000300900000030000030078a00280802d1365959a4932bc05a02000000300200000 0781"
	hevcSPSLayers = "4201020160000003009000000300000300780000a00280802d1659594acb24995e02d010000003001000000303c080"
	// The same with a level of its own for the lower sub-layer, and with a
	// profile as well.
	hevcSPSLevel   = "42010201600000030090000003000003007840005aa00280802d1659594acb24995e02d010000003001000000303c080"
	hevcSPSProfile = "420102016000000300900000030000030078c00001600000030090000003000003005aa00280802d1659594acb24995e02d010000003001000000303c080"

	av1Main = "81010c00 0a0b0000000cc4ff6736be4010"
	vp9Full = "01000000 001582020202 0000"
	vp9Bare = "001582020202 0000"

	opusStereo = "4f70757348656164 01 02 3801 80bb0000 0000 00"
	flacMono   = "664c6143 00000022 120012000004490004de0ac440f0000033aecd36f8ab0a878da30b37b9efb6c64d51"

	vp9Key = "824983420027f016760438241c184a1007a07fdd"
	av1Key = "0a0b0000000cc4ff6736be4010 3283341400a0f810d86ecbe5b872"
	vp8Key = "f0c600 9d012a 8002 6801 0007"
)

// hevcRecord builds an hvcC of the Main 10 profile around one SPS.
func hevcRecord(sps string) []byte {
	b := unhex("01 02 20000000 900000000000 78 f000 fc fd fa fa 0000 0f 03")
	for _, a := range []struct {
		kind byte
		nalu []byte
	}{{hevcVPS, unhex(hevcVPSMain10)}, {hevcSPS, unhex(sps)}, {hevcPPS, unhex("4401c172b46240")}} {
		b = append(b, 0x80|a.kind, 0, 1, 0, byte(len(a.nalu)))
		b = append(b, a.nalu...)
	}
	return b
}

// cut returns b without its last n bytes.
func cut(b []byte, n int) []byte { return b[:len(b)-n] }

// with returns a copy of b with one byte changed.
func with(b []byte, at int, v byte) []byte {
	b = append([]byte(nil), b...)
	b[at] = v
	return b
}
