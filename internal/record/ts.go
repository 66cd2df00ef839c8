package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A tsWriter writes an MPEG transport stream, which is whole wherever it ends.
type tsWriter struct {
	gathering
	file    mp4.RecordingFile
	program *mpegts.Program // nil: the tracks are not known yet
	buf     []byte
	written int64
}

const (
	// tsBuffer is how much is written at a time.
	tsBuffer = 64 << 10
	// tsPacket is the size of a transport packet.
	tsPacket = 188
)

// Accepts implements writer. The format has a way to say another header, but not
// all players follow it.
func (w *tsWriter) Accepts(t *media.Track) bool {
	return t.Kind <= media.Audio && mpegts.Supports(t) && w.takes(t)
}

// Write implements writer.
func (w *tsWriter) Write(p *media.Packet) error {
	w.put(w.add(p))
	if len(w.buf) >= tsBuffer {
		return w.Flush()
	}
	return nil
}

func (w *tsWriter) put(packets []*media.Packet) {
	if w.program == nil && len(packets) > 0 {
		w.program = mpegts.NewProgram(w.tracks[media.Video], w.tracks[media.Audio], w.zero)
		w.buf = w.program.AppendTables(w.buf)
	}
	for _, p := range packets {
		w.buf = w.program.Append(w.buf, p)
	}
}

// Flush implements writer. After an error the file ends with the last whole packet
// that was flushed.
func (w *tsWriter) Flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	n, err := w.file.WriteAt(w.buf, w.written)
	whole := len(w.buf)
	w.buf = w.buf[:0]
	if err != nil {
		n -= n % tsPacket
		w.written += int64(n)
		return errors.Join(fmt.Errorf("ts: write: %w", err), w.file.Truncate(w.written))
	}
	w.written += int64(whole)
	return nil
}

// Finish implements writer.
func (w *tsWriter) Finish() error {
	w.put(w.settle())
	if w.program != nil {
		w.buf = w.program.AppendSound(w.buf)
	}
	return w.Flush()
}

func (w *tsWriter) Size() int64             { return w.written + int64(len(w.buf)) + w.size() }
func (w *tsWriter) Written() int64          { return w.written }
func (w *tsWriter) Empty() bool             { return w.empty() }
func (w *tsWriter) Duration() time.Duration { return w.newest - w.zero }
