package flv

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Bounds of what is kept of a medium beside its track 0. The headers of a
// track are some hundred bytes, and encoders send up to a dozen tracks.
const (
	maxExtraBytes  = 256 << 10
	maxOtherTracks = 64
	maxHeaders     = 128
)

// An extra keeps what one medium has beside track 0: the bodies of headers, and
// which tracks there are.
type extra struct {
	now    *media.Extra   // what packets carry
	held   []heldHeader   // in the order of their coming
	others []*media.Track // of which frames came
}

// A heldHeader is a message body that is the newest word on some tracks. Two of
// the same about on one track replace each other.
type heldHeader struct {
	body   []byte
	about  PacketType // PacketMPEG2TSSequenceStart counts as PacketSequenceStart
	came   trackSet   // tracks that it came with
	tracks trackSet   // and those on which nothing newer has come
}

// begin makes e.now where there is none yet; t, which may be nil, is track 0.
func (e *extra) begin(t *media.Track) {
	if e.now != nil {
		return
	}
	e.now = &media.Extra{}
	if t != nil && t.Tag != nil {
		e.put(t.Tag, PacketSequenceStart, trackSet{1})
	}
}

// multitrack notes that a body is a Multitrack one, and the codecs in it. t is
// track 0.
func (e *extra) multitrack(x exBody, t *media.Track) error {
	e.begin(t)
	if !e.now.Multitrack {
		e.change(func(n *media.Extra) { n.Multitrack = true })
	}
	for {
		p, ok, err := x.next()
		if !ok || err != nil {
			return err
		}
		if p.TrackID == 0 || slices.Contains(e.now.FourCCs, p.FourCC) {
			continue
		}
		if len(e.now.FourCCs) >= maxOtherTracks {
			return fmt.Errorf("more than %d codecs: %w", maxOtherTracks, ErrUnsupported)
		}
		e.change(func(n *media.Extra) { n.FourCCs = append(slices.Clone(n.FourCCs), p.FourCC) })
	}
}

// header notes a sequence header of track 0 alone.
func (e *extra) header(body []byte) {
	if e.now != nil { // else Track.Tag says it
		e.put(body, PacketSequenceStart, trackSet{1})
	}
}

// checkHeader refuses a header body, before anything comes of it, that is too
// large to be kept.
func checkHeader(body []byte) error {
	if len(body) > maxExtraBytes {
		return fmt.Errorf("header of %d bytes: %w", len(body), ErrUnsupported)
	}
	return nil
}

// keep stores a sound header body for later joiners. t is track 0.
func (e *extra) keep(x exBody, body []byte, t *media.Track) {
	about := x.typ
	if about == PacketMPEG2TSSequenceStart {
		about = PacketSequenceStart
	}
	if about == PacketSequenceStart && x.multi == notMultitrack {
		e.header(body)
		return
	}
	var tracks trackSet
	for p, ok, _ := x.next(); ok; p, ok, _ = x.next() {
		tracks.add(p.TrackID)
	}
	e.begin(t)
	e.put(body, about, tracks)
}

// put makes body the newest state of tracks. One that says it already changes
// nothing. Of too many the oldest are forgotten, those of other tracks first.
func (e *extra) put(body []byte, about PacketType, tracks trackSet) {
	for _, h := range e.held {
		if h.tracks == h.came && bytes.Equal(h.body, body) {
			return
		}
	}
	size := len(body)
	held := make([]heldHeader, 0, len(e.held)+1)
	for _, h := range e.held {
		if h.about == about {
			h.tracks.without(&tracks)
		}
		if !h.tracks.empty() {
			held = append(held, h)
			size += len(h.body)
		}
	}
	for len(held) > 0 && (size > maxExtraBytes || len(held) >= maxHeaders) {
		oldest := max(slices.IndexFunc(held, func(h heldHeader) bool { return !h.tracks.has(0) }), 0)
		size -= len(held[oldest].body)
		held = slices.Delete(held, oldest, oldest+1)
	}
	e.held = append(held, heldHeader{body, about, tracks, tracks})
	e.change(func(n *media.Extra) {
		n.Headers = make([][]byte, 0, len(e.held))
		for _, h := range e.held {
			n.Headers = append(n.Headers, h.body)
		}
	})
}

// change makes another e.now: the one there is was handed out.
func (e *extra) change(f func(*media.Extra)) {
	n := *e.now
	f(&n)
	e.now = &n
}

// has reports whether a sequence header of track id is held.
func (e *extra) has(id uint8) bool {
	return slices.ContainsFunc(e.held, func(h heldHeader) bool { return h.about == PacketSequenceStart && h.tracks.has(id) })
}

// track finds the track of p's packets; nil: there are too many.
func (e *extra) track(p Part) *media.Track {
	for _, t := range e.others {
		if t.ID == p.TrackID && t.FourCC == p.FourCC {
			return t
		}
	}
	if len(e.others) >= maxOtherTracks {
		return nil
	}
	t := &media.Track{Kind: p.Kind, Codec: codecOf(p.Kind, p.FourCC), ID: p.TrackID, LegacyID: LegacyNone, FourCC: p.FourCC}
	e.others = append(e.others, t)
	return t
}

// otherTracks makes the packet of a body of frames that has nothing of track 0.
// One track of which the header has come lets it through.
func (d *Demuxer) otherTracks(timestamp uint32, body []byte, x exBody) (*media.Packet, error) {
	e := &d.extras[x.kind]
	for {
		p, ok, err := x.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, ErrNoHeader
		}
		if codecOf(p.Kind, p.FourCC).NeedsConfig() && !e.has(p.TrackID) {
			continue
		}
		t := e.track(p)
		if t == nil {
			return nil, fmt.Errorf("more than %d tracks: %w", maxOtherTracks, ErrUnsupported)
		}
		packet := d.packet(t, timestamp, body, nil)
		packet.Data = nil
		return packet, nil
	}
}
