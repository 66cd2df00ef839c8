package record

import (
	"os"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mkv"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A writer writes one file in one format. After an error it keeps what is whole,
// and only Finish is of use.
type writer interface {
	// Accepts reports whether packets of t can be in the file. Another codec, or the
	// same with another header, needs another file, unless the format is FLV.
	Accepts(t *media.Track) bool
	// Write takes a packet: for formats other than FLV a whole picture or one frame.
	Write(p *media.Packet) error
	// Flush is called when there are no more packets for now.
	Flush() error
	// Finish writes what is left, and what players need to seek.
	Finish() error

	Size() int64             // with all that was taken
	Written() int64          // of it in the file
	Empty() bool             // no packet was taken
	Duration() time.Duration // of what was taken
}

// formatFLV takes messages as they came, all others whole frames.
const formatFLV = "flv"

// supports reports whether a format has a place for t.
func supports(format string, t *media.Track) bool {
	switch format {
	case "mp4":
		return mp4.Supports(t)
	case "mkv":
		return mkv.Supports(t)
	case "ts":
		return mpegts.Supports(t)
	}
	return format == formatFLV
}

// newWriter begins a file in the empty f.
func newWriter(format string, f *os.File, now time.Time, keyframes int) writer {
	switch format {
	case "mp4":
		return mp4.NewRecording(withVectors(f), now)
	case "mkv":
		return &mkvWriter{file: f, created: now}
	case "ts":
		return &tsWriter{file: f}
	}
	return &flvWriter{rec: flv.NewRecording(withVectors(f), keyframes)}
}
