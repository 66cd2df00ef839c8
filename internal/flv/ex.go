package flv

import (
	"encoding/binary"
	"fmt"

	"github.com/rtmpd/rtmpd/internal/media"
)

// AvMultitrackType.
const (
	oneTrack             = 0
	manyTracks           = 1
	manyTracksManyCodecs = 2
	notMultitrack        = 0xff
)

// A Part is one track's share of an Enhanced RTMP body; a body without
// Multitrack is a single part of track 0.
type Part struct {
	Kind    media.Kind
	Type    PacketType
	TrackID uint8
	FourCC  uint32
	Data    []byte // what follows the track's header, aliasing the body
}

// exBody walks the parts of an Enhanced RTMP body (E-RTMP v2
// "ExVideoTagHeader", "ExAudioTagHeader"):
//
//	flags(4) packetType(4)
//	while packetType is ModEx: size-1(8) [255: size-1(16)] data… modExType(4) packetType(4)
//	Multitrack: multitrackType(4) packetType(4)
//	fourCC(32), unless ManyTracksManyCodecs
//	Multitrack, each track: [fourCC(32)] trackId(8) [size(24)] data…
type exBody struct {
	kind   media.Kind
	typ    PacketType
	multi  uint8
	fourCC uint32
	rest   []byte
	done   bool
}

func malformed(what string) error { return fmt.Errorf("%s: %w", what, ErrMalformed) }

// parseEx reads the header of body up to its first part. body is not empty.
func parseEx(kind media.Kind, body []byte) (exBody, error) {
	x := exBody{kind: kind, multi: notMultitrack}
	typ, b := body[0]&0xf, body[1:]
	for typ == modEx {
		if len(b) < 1 {
			return x, malformed("ModEx size")
		}
		n := int(b[0]) + 1
		b = b[1:]
		if n == 256 {
			if len(b) < 2 {
				return x, malformed("ModEx long size")
			}
			n = int(binary.BigEndian.Uint16(b)) + 1
			b = b[2:]
		}
		if len(b) < n+1 {
			return x, malformed("ModEx data")
		}
		// Unknown ModEx types are skipped, and so is the one that is known:
		// its nanoseconds are not part of the RTMP clock.
		typ, b = b[n]&0xf, b[n+1:]
	}
	if multitrackType := multitrackType(kind); typ == multitrackType {
		if len(b) < 1 {
			return x, malformed("multitrack type")
		}
		x.multi, typ = b[0]>>4, b[0]&0xf
		b = b[1:]
		if x.multi > manyTracksManyCodecs {
			return x, fmt.Errorf("multitrack type %d: %w", x.multi, ErrUnsupported)
		}
		if typ == multitrackType {
			return x, malformed("multitrack within multitrack")
		}
	}
	switch {
	case kind == media.Video && typ <= byte(PacketMPEG2TSSequenceStart):
		x.typ = PacketType(typ)
	case kind == media.Audio && typ <= byte(PacketSequenceEnd):
		x.typ = PacketType(typ)
	case kind == media.Audio && typ == 4:
		x.typ = PacketMultichannelConfig
	default:
		return x, fmt.Errorf("packet type %d: %w", typ, ErrUnsupported)
	}
	if x.multi != manyTracksManyCodecs {
		if len(b) < 4 {
			return x, malformed("FourCC")
		}
		x.fourCC, b = binary.BigEndian.Uint32(b), b[4:]
	}
	x.rest = b
	return x, nil
}

func multitrackType(kind media.Kind) byte {
	if kind == media.Video {
		return videoMultitrack
	}
	return audioMultitrack
}

// next returns the next part; ok is false after the last.
func (x *exBody) next() (p Part, ok bool, err error) {
	if x.done {
		return p, false, nil
	}
	p = Part{Kind: x.kind, Type: x.typ, FourCC: x.fourCC}
	if x.multi == notMultitrack {
		p.Data, x.done = x.rest, true
		return p, true, nil
	}
	b := x.rest
	if x.multi == manyTracksManyCodecs {
		if len(b) < 4 {
			return p, false, malformed("track FourCC")
		}
		p.FourCC, b = binary.BigEndian.Uint32(b), b[4:]
	}
	if len(b) < 1 {
		return p, false, malformed("track id")
	}
	p.TrackID, b = b[0], b[1:]
	size := len(b)
	if x.multi != oneTrack {
		if len(b) < 3 {
			return p, false, malformed("track size")
		}
		size, b = int(b[0])<<16|int(b[1])<<8|int(b[2]), b[3:]
		if size > len(b) {
			return p, false, malformed("track longer than the body")
		}
	}
	p.Data, x.rest = b[:size:size], b[size:]
	x.done = len(x.rest) == 0
	return p, true, nil
}
