package flv

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// maxRenditions bounds the video tracks beside track 0 that are looked into. OBS sends
	// up to six; RTMP players get all.
	maxRenditions = 8
	// renditionGone is how long a track may send no frame, while others do, before it
	// counts as gone.
	renditionGone = 10 * time.Second
	// minMissed is how many messages of video must have come meanwhile: else all of it
	// stood.
	minMissed = 60
)

// renditions are the video tracks other than 0 of a publisher.
type renditions struct {
	any bool         // there was one
	all []*rendition // in the order of their coming
}

// A rendition is one of them. Its frames are examined as those of a stream of its own,
// whose clock is that of track 0.
type rendition struct {
	id     uint8
	d      Demuxer
	seen   bool          // last is known
	last   time.Duration // DTS of the newest frame
	missed int           // messages of video since
}

// find returns the rendition of a track; nil: there is none.
func (s *renditions) find(id uint8) *rendition {
	for _, r := range s.all {
		if r.id == id {
			return r
		}
	}
	return nil
}

// headers takes the sequence headers of tracks other than 0 in x. One that can't be
// decoded is passed over, as are those of too many tracks: no player of renditions has seen
// them.
func (s *renditions) headers(x exBody, body []byte) {
	for p, ok, _ := x.next(); ok; p, ok, _ = x.next() {
		if p.TrackID == 0 || x.typ == PacketMetadata {
			continue
		}
		r := s.find(p.TrackID)
		if r == nil {
			if len(s.all) >= maxRenditions {
				continue
			}
			r = &rendition{id: p.TrackID}
			s.any, s.all = true, append(s.all, r)
		}
		codec := codecOf(media.Video, p.FourCC)
		if x.typ == PacketMPEG2TSSequenceStart {
			_ = r.d.videoDescriptor(codec, p, body)
		} else {
			_ = r.d.setHeader(media.Video, codec, LegacyNone, p.FourCC, body, p.Data)
		}
	}
}

// frames are those of tracks other than 0 in x, which is placed at dts.
func (s *renditions) frames(x exBody, timestamp uint32, frameType byte, dts time.Duration) (first *media.Frame) {
	if len(s.all) == 0 || x.multi == notMultitrack {
		return nil
	}
	next := &first
	for p, ok, _ := x.next(); ok; p, ok, _ = x.next() {
		r := s.find(p.TrackID)
		if r == nil {
			continue
		}
		data, cts, err := r.d.exFrame(p, codecOf(media.Video, p.FourCC))
		if err != nil || len(data) == 0 {
			continue
		}
		f := r.d.videoFrame(timestamp, data, frameType, cts)
		f.ID = r.id
		r.seen, r.last, r.missed = true, dts, 0
		*next = &f
		next = &f.Next
	}
	return first
}

// end drops the tracks in x, a SequenceEnd.
func (s *renditions) end(x exBody) {
	if x.multi == notMultitrack {
		return
	}
	for p, ok, _ := x.next(); ok; p, ok, _ = x.next() {
		s.all = slices.DeleteFunc(s.all, func(r *rendition) bool { return r.id == p.TrackID })
	}
}

// restart begins another run of packets: times go on elsewhere.
func (s *renditions) restart() {
	for _, r := range s.all {
		r.seen, r.missed, r.d.picture = false, 0, picture{}
	}
}

// shown reports whether r can be shown at dts.
func (r *rendition) shown(dts time.Duration) bool {
	if !r.seen {
		r.seen, r.last = true, dts
	}
	return showable(r.d.video) && (dts-r.last <= renditionGone || r.missed < minMissed)
}

// showable reports whether t, which may be nil, can be decoded and has a known size.
func showable(t *media.Track) bool { return t != nil && t.HasHeader() && t.Height > 0 }

// listRenditions has the packets from dts on carry which renditions there are.
func (d *Demuxer) listRenditions(dts time.Duration) {
	e := &d.extras[media.Video]
	if e.now == nil || !showable(d.video) {
		return
	}
	old, n, same := e.now.Renditions, 1, true
	is := func(i int, id uint8, t *media.Track) bool {
		return i < len(old) && old[i] == media.Rendition{ID: id, Track: t}
	}
	for _, r := range d.renditions.all {
		r.missed++
		if r.shown(dts) {
			same = same && is(n, r.id, r.d.video)
			n++
		}
	}
	switch {
	case n == 1 && old == nil, n > 1 && same && n == len(old) && is(0, 0, d.video):
		return
	}
	var list []media.Rendition
	if n > 1 {
		list = append(list, media.Rendition{Track: d.video})
		for _, r := range d.renditions.all {
			if r.shown(dts) {
				list = append(list, media.Rendition{ID: r.id, Track: r.d.video})
			}
		}
	}
	e.change(func(x *media.Extra) { x.Renditions = list })
}
