package flv

import (
	"encoding/binary"
	"fmt"

	"github.com/rtmpd/rtmpd/internal/media"
)

// TrackZero makes the body of a message what a player without Multitrack can
// read: the share of track 0 alone, as a body of one track.
//
//	multitrack: flags(4) type(4) … multitrackType(4) packetType(4) [fourCC] { [fourCC] trackId [size] data }…
//	plain:      flags(4) packetType(4) fourCC data
//
// A body that is no multitrack is returned as it is. Otherwise the plain body
// is appended to dst[:0] and shares no bytes with body; what ModEx said, which
// is not about the RTMP clock, is gone with the header that held it. ok is
// false when the body has nothing of track 0, or is malformed.
func TrackZero(dst []byte, kind media.Kind, body []byte) (plain []byte, ok bool) {
	if !isMultitrack(kind, body) {
		return body, true
	}
	x, err := parseEx(kind, body)
	if err != nil {
		return nil, false
	}
	zero, found, err := findTrackZero(x)
	if !found || err != nil {
		return nil, false
	}
	flags := body[0]&0xf0 | byte(zero.Type)&0xf
	plain = append(dst[:0], flags)
	plain = binary.BigEndian.AppendUint32(plain, zero.FourCC)
	return append(plain, zero.Data...), true
}

// isMultitrack reports whether body is one of Enhanced RTMP's for several
// tracks. It looks at the first byte alone where there is no ModEx.
func isMultitrack(kind media.Kind, body []byte) bool {
	if len(body) == 0 {
		return false
	}
	switch kind {
	case media.Video:
		if body[0]&0x80 == 0 {
			return false
		}
	case media.Audio:
		if body[0]>>4 != soundEx {
			return false
		}
	default:
		return false
	}
	switch typ := body[0] & 0xf; typ {
	case multitrackType(kind):
	case modEx:
		if x, err := parseEx(kind, body); err != nil || x.multi == notMultitrack {
			return false
		}
	default:
		return false
	}
	// The body of a command frame is a VideoCommand, unless it is metadata.
	if kind == media.Video && body[0]>>4&7 == frameCommand {
		x, err := parseEx(kind, body)
		return err == nil && x.typ == PacketMetadata
	}
	return true
}

// maxParts bounds the tracks of one body.
const maxParts = 64

// findTrackZero walks the whole of x, so that one malformed part condemns the
// body, and returns the part of track 0. No other code parses a body that it has
// refused: one of ten megabytes could have millions of parts.
func findTrackZero(x exBody) (zero Part, found bool, err error) {
	var seen trackSet
	for n := 0; ; n++ {
		p, ok, err := x.next()
		if err != nil {
			return Part{}, false, err
		}
		if !ok {
			return zero, found, nil
		}
		switch {
		case n >= maxParts:
			return Part{}, false, fmt.Errorf("more than %d tracks in a message: %w", maxParts, ErrUnsupported)
		case seen.has(p.TrackID):
			return Part{}, false, malformed(fmt.Sprintf("track %d twice", p.TrackID))
		}
		seen.add(p.TrackID)
		if p.TrackID == 0 {
			zero, found = p, true
		}
	}
}

// A trackSet is a set of track ids.
type trackSet [4]uint64

func (s *trackSet) add(id uint8)      { s[id/64] |= 1 << (id % 64) }
func (s *trackSet) has(id uint8) bool { return s[id/64]&(1<<(id%64)) != 0 }

// without takes the ids of o out of s.
func (s *trackSet) without(o *trackSet) {
	for i := range s {
		s[i] &^= o[i]
	}
}

func (s *trackSet) empty() bool { return *s == trackSet{} }
