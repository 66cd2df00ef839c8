package record

import (
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A flvWriter writes messages as the publisher sent them.
type flvWriter struct {
	rec      *flv.Recording
	taken    bool
	base     uint32        // timestamp of the first packet
	first    time.Duration // its DTS
	told     [2]*media.Track
	toldMore [2]*media.Extra
}

// Accepts implements writer: an FLV file has new headers where they come.
func (w *flvWriter) Accepts(*media.Track) bool { return true }

// Write implements writer. It writes what p's decoder must know before p.
func (w *flvWriter) Write(p *media.Packet) error {
	if len(p.Tag) == 0 {
		return nil // made of several messages, each of which came
	}
	if !w.taken {
		w.taken, w.first, w.base = true, p.DTS, w.rec.Last()
	}
	at := w.base + uint32(max(p.DTS-w.first, 0)/time.Millisecond) // the file begins at 0, or goes on
	if p.Track.Kind <= media.Audio {
		if err := w.headers(p, at); err != nil {
			return err
		}
	}
	return w.rec.WriteTag(flv.FileTag{Type: tagType(p.Track.Kind), Timestamp: at, Body: p.Tag}, p.Keyframe)
}

// headers writes the sequence headers that p needs and the file has not.
func (w *flvWriter) headers(p *media.Packet, at uint32) error {
	kind := p.Track.Kind
	track, extra := w.told[kind], w.toldMore[kind]
	if p.Track.ID == 0 {
		track = p.Track
	}
	if track == w.told[kind] && p.Extra == extra {
		return nil
	}
	known := bodies(w.told[kind], extra)
	for _, b := range bodies(track, p.Extra) {
		if slices.ContainsFunc(known, func(k []byte) bool { return len(k) == len(b) && len(b) > 0 && &k[0] == &b[0] }) {
			continue
		}
		if err := w.rec.WriteTag(flv.FileTag{Type: tagType(kind), Timestamp: at, Body: b}, false); err != nil {
			return err
		}
	}
	w.told[kind], w.toldMore[kind] = track, p.Extra
	w.rec.Describe(w.told[media.Video], w.told[media.Audio])
	return nil
}

func bodies(t *media.Track, extra *media.Extra) [][]byte {
	switch {
	case extra != nil:
		return extra.Headers
	case t != nil && t.Tag != nil:
		return [][]byte{t.Tag}
	}
	return nil
}

func tagType(k media.Kind) uint8 {
	switch k {
	case media.Video:
		return flv.TagVideo
	case media.Audio:
		return flv.TagAudio
	}
	return flv.TagScript
}

// Flush implements writer: half a second at most is not in the file.
func (w *flvWriter) Flush() error {
	if !w.taken {
		return nil
	}
	return w.rec.Flush()
}

func (w *flvWriter) Finish() error           { return w.rec.Finish() }
func (w *flvWriter) Size() int64             { return w.rec.Size() }
func (w *flvWriter) Written() int64          { return w.rec.Written() }
func (w *flvWriter) Empty() bool             { return !w.taken }
func (w *flvWriter) Duration() time.Duration { return time.Duration(w.rec.Last()) * time.Millisecond }
