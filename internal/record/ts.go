package record

import (
	"errors"
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A tsWriter writes an MPEG transport stream, which is whole wherever it ends. PAT
// and PMT are repeated before every keyframe, so that players can begin there;
// without video twice a second.
type tsWriter struct {
	gathering
	file    mp4.RecordingFile
	mux     *mpegts.Muxer   // nil: the tracks are not known yet
	sound   []*media.Packet // of the next PES packet
	scratch media.Packet
	buf     []byte
	written int64
	tables  time.Duration // when they were written last
}

const (
	// tsSound is how much sound one PES packet gets.
	tsSound = 150 * time.Millisecond
	// tsTables is how often PAT and PMT are repeated without video.
	tsTables = 500 * time.Millisecond
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
	if w.mux == nil && len(packets) > 0 {
		w.mux = mpegts.NewMuxer(w.tracks[media.Video], w.tracks[media.Audio])
		w.buf = w.mux.AppendTables(w.buf)
	}
	for _, p := range packets {
		w.append(p)
	}
}

// append muxes p.
func (w *tsWriter) append(p *media.Packet) {
	at := p.DTS - w.zero
	if p.Track.Kind == media.Audio {
		if len(w.sound) > 0 && p.DTS-w.sound[0].DTS >= tsSound {
			w.putSound()
		}
		if w.tracks[media.Video] == nil && at-w.tables >= tsTables {
			w.putTables(at)
		}
		w.sound = append(w.sound, p)
		return
	}
	if len(w.sound) > 0 && p.DTS-w.sound[0].DTS >= tsSound {
		w.putSound()
	}
	if p.Keyframe && at > w.tables {
		w.putSound()
		w.putTables(at)
	}
	w.scratch = *p
	w.scratch.DTS = at
	w.buf = w.mux.AppendVideo(w.buf, &w.scratch)
	w.scratch = media.Packet{}
}

func (w *tsWriter) putTables(at time.Duration) {
	w.buf = w.mux.AppendTables(w.buf)
	w.tables = at
}

func (w *tsWriter) putSound() {
	if len(w.sound) == 0 {
		return
	}
	w.buf = w.mux.AppendAudio(w.buf, w.sound, max(w.sound[0].DTS-w.zero, 0))
	clear(w.sound)
	w.sound = w.sound[:0]
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
	w.putSound()
	return w.Flush()
}

func (w *tsWriter) Size() int64             { return w.written + int64(len(w.buf)) + w.size() }
func (w *tsWriter) Written() int64          { return w.written }
func (w *tsWriter) Empty() bool             { return w.empty() }
func (w *tsWriter) Duration() time.Duration { return w.newest - w.zero }
