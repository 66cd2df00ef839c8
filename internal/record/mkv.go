package record

import (
	"os"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mkv"
)

// An mkvWriter writes Matroska.
type mkvWriter struct {
	gathering
	file    *os.File
	created time.Time
	rec     *mkv.Recording // nil: the tracks are not known yet
}

// Accepts implements writer.
func (w *mkvWriter) Accepts(t *media.Track) bool {
	return t.Kind <= media.Audio && mkv.Supports(t) && w.takes(t)
}

// Write implements writer.
func (w *mkvWriter) Write(p *media.Packet) error { return w.put(w.add(p)) }

func (w *mkvWriter) put(packets []*media.Packet) error {
	if w.rec == nil && len(packets) > 0 {
		var frame []byte
		for _, p := range packets {
			if p.Keyframe {
				frame = p.Data
				break
			}
		}
		w.rec = mkv.NewRecording(w.file, w.created, w.tracks[media.Video], w.tracks[media.Audio], frame)
	}
	for _, p := range packets {
		if err := w.rec.Write(p, p.DTS+p.CTS-w.zero); err != nil {
			return err
		}
	}
	return nil
}

// Flush implements writer: clusters have their length.
func (w *mkvWriter) Flush() error { return nil }

// Finish implements writer.
func (w *mkvWriter) Finish() error {
	if err := w.put(w.settle()); err != nil {
		return err
	}
	return w.rec.Finish()
}

// Size implements writer.
func (w *mkvWriter) Size() int64 {
	if w.rec == nil {
		return w.size()
	}
	return w.rec.Size()
}

// Written implements writer.
func (w *mkvWriter) Written() int64 {
	if w.rec == nil {
		return 0
	}
	return w.rec.Written()
}

func (w *mkvWriter) Empty() bool             { return w.empty() }
func (w *mkvWriter) Duration() time.Duration { return w.newest - w.zero }
