package vod

import (
	"bytes"
	"slices"

	"github.com/rtmpd/rtmpd/internal/flv"
)

const (
	maxHeader  = 64 << 10 // bytes of a sequence header that is kept
	maxHeaders = 16       // tracks
	maxChanges = 256
)

// Headers are the sequence headers of a file, as far as it is known.
type headers struct {
	list    []flv.FileTag // in force, one of each track; another slice when they change
	changes []change      // in the order of their places
}

// A change is where other headers are in force from.
type change struct {
	at   int64
	list []flv.FileTag
}

// add takes the header at a place, which is copied.
func (h *headers) add(typ uint8, body []byte, at int64) {
	if len(body) > maxHeader || len(body) == 0 {
		return
	}
	i := slices.IndexFunc(h.list, func(t flv.FileTag) bool { return t.Type == typ && sameTrack(typ, t.Body, body) })
	if i >= 0 && bytes.Equal(h.list[i].Body, body) || i < 0 && len(h.list) == maxHeaders {
		return
	}
	h.list = slices.Clone(h.list)
	tag := flv.FileTag{Type: typ, Body: bytes.Clone(body)}
	if i >= 0 {
		h.list[i] = tag
	} else {
		h.list = append(h.list, tag)
	}
	if n := len(h.changes); n < maxChanges && (n == 0 || h.changes[n-1].at < at) {
		h.changes = append(h.changes, change{at, h.list})
	}
}

// goTo puts those in force that are so at a place. Those before the place first are in
// force before they come: players begin with them.
func (h *headers) goTo(at, first int64) {
	h.list = nil
	for i := len(h.changes) - 1; i >= 0; i-- {
		if c := h.changes[i]; c.at < max(at, first) {
			h.list = c.list
			return
		}
	}
}

// sameTrack reports whether two headers are of one track: all are but those of
// Multitrack, which say their codec and their track.
func sameTrack(typ uint8, a, b []byte) bool {
	multi := func(b []byte) bool {
		if typ == flv.TagVideo {
			return b[0]&0x8f == 0x80|multitrack
		}
		return b[0] == soundEx<<4|audioMultitrack
	}
	if multi(a) != multi(b) {
		return false
	}
	const head = 1 + 1 + 4 + 1 // types, FourCC, track
	return !multi(a) || len(a) >= head && len(b) >= head && bytes.Equal(a[:head], b[:head])
}
