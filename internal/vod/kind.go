package vod

import "github.com/rtmpd/rtmpd/internal/flv"

// A kind is what a message is to who wants to begin in the middle of a file.
type kind int

const (
	isOther    kind = iota
	isHeader        // a sequence header
	isKeyframe      // video that can be decoded by itself
	isSound         // a frame of audio
)

// IsHeader reports whether a message is a sequence header.
func IsHeader(t flv.FileTag) bool { return kindOf(t.Type, t.Body) == isHeader }

// kindOf looks at the beginning of a body of type typ (FLV annex E.4.2, E.4.3;
// Enhanced RTMP v2 "ExVideoTagHeader", "ExAudioTagHeader").
func kindOf(typ uint8, b []byte) kind {
	if len(b) < 2 {
		return isOther
	}
	switch {
	case typ == flv.TagVideo && b[0]&0x80 != 0:
		if t := b[0] & 0xf; t == byte(flv.PacketSequenceStart) || t == multitrack && b[1]&0xf == byte(flv.PacketSequenceStart) {
			return isHeader
		}
		if b[0]>>4&7 == frameKey {
			return isKeyframe
		}
	case typ == flv.TagVideo:
		if codec := b[0] & 0xf; (codec == codecAVC || codec == codecHEVC) && b[1] != legacyFrame {
			if b[1] == legacyHeader {
				return isHeader
			}
			return isOther
		}
		if b[0]>>4 == frameKey {
			return isKeyframe
		}
	case typ == flv.TagAudio && b[0]>>4 == soundEx:
		if t := b[0] & 0xf; t == byte(flv.PacketSequenceStart) || t == audioMultitrack && b[1]&0xf == byte(flv.PacketSequenceStart) {
			return isHeader
		}
		return isSound
	case typ == flv.TagAudio:
		if b[0]>>4 == soundAAC && b[1] == legacyHeader {
			return isHeader
		}
		return isSound
	}
	return isOther
}

// Numbers of FLV annex E.4.2.1 and E.4.3.1, and of Enhanced RTMP v2.
const (
	frameKey        = 1
	frameInter      = 2
	codecAVC        = 7
	codecHEVC       = 12
	soundMP3        = 2
	soundEx         = 9
	soundAAC        = 10
	legacyHeader    = 0
	legacyFrame     = 1
	multitrack      = 6
	audioMultitrack = 5
)
