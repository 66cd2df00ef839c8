package flv

import (
	"slices"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Headers says which headers of video or audio a decoder has: those of track 0, and what a
// packet needs beside them.
type Headers struct {
	Track *media.Track // of track 0; nil: none
	Extra *media.Extra
}

// bodies are the messages of h, in the order in which they came.
func (h Headers) bodies() [][]byte {
	switch {
	case h.Extra != nil:
		return h.Extra.Headers
	case h.Track != nil && h.Track.Tag != nil:
		return [][]byte{h.Track.Tag}
	}
	return nil
}

// After returns the message bodies that a decoder needs that has old, to have h.
func (h Headers) After(old Headers) (out [][]byte) {
	if h == old {
		return nil
	}
	known := old.bodies()
	for _, b := range h.bodies() {
		if !slices.ContainsFunc(known, func(k []byte) bool { return len(k) == len(b) && len(b) > 0 && &k[0] == &b[0] }) {
			out = append(out, b)
		}
	}
	return out
}
