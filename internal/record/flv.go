package record

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A flvWriter writes messages as the publisher sent them.
type flvWriter struct {
	rec   *flv.Recording
	taken bool
	base  uint32        // timestamp of the first packet
	first time.Duration // its DTS
	told  [2]flv.Headers
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
	next := flv.Headers{Track: w.told[kind].Track, Extra: p.Extra}
	if p.Track.ID == 0 {
		next.Track = p.Track
	}
	if next == w.told[kind] {
		return nil
	}
	for _, b := range next.After(w.told[kind]) {
		if err := w.rec.WriteTag(flv.FileTag{Type: tagType(kind), Timestamp: at, Body: b}, false); err != nil {
			return err
		}
	}
	w.told[kind] = next
	w.rec.Describe(w.told[media.Video].Track, w.told[media.Audio].Track)
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
