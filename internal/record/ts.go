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
	file    mp4.RecordingFile
	mux     *mpegts.Muxer // nil: the tracks are not known yet
	tracks  [2]*media.Track
	waiting []*media.Packet // before mux is made
	sound   []*media.Packet // of the next PES packet
	scratch media.Packet

	buf     []byte
	written int64
	zero    time.Duration // DTS of the first packet
	newest  time.Duration
	tables  time.Duration // when they were written last
}

const (
	// tsSettle is how long the second track may take to appear.
	tsSettle = time.Second
	// tsSound is how much sound one PES packet gets.
	tsSound = 150 * time.Millisecond
	// tsTables is how often PAT and PMT are repeated without video.
	tsTables = 500 * time.Millisecond
	// tsBuffer is how much is written at a time.
	tsBuffer = 64 << 10
)

// Accepts implements writer. Parameter sets are in the stream: a video track may
// change them.
func (w *tsWriter) Accepts(t *media.Track) bool {
	if t.Kind > media.Audio || !mpegts.Supports(t) {
		return false
	}
	have := w.tracks[t.Kind]
	switch {
	case have == nil:
		return w.mux == nil
	case t.Kind == media.Video:
		return have.Codec == t.Codec
	}
	return mp4.SameCoding(have, t)
}

// Write implements writer.
func (w *tsWriter) Write(p *media.Packet) error {
	if w.Empty() {
		w.zero, w.newest = p.DTS, p.DTS
	}
	w.newest = max(w.newest, p.DTS)
	if w.tracks[p.Track.Kind] == nil {
		w.tracks[p.Track.Kind] = p.Track
	}
	if w.mux == nil {
		w.waiting = append(w.waiting, p)
		if w.tracks[media.Video] != nil && w.tracks[media.Audio] != nil || p.DTS-w.zero >= tsSettle {
			w.settle()
		}
	} else {
		w.add(p)
	}
	if len(w.buf) >= tsBuffer {
		return w.Flush()
	}
	return nil
}

// settle begins the stream with the tracks that there are.
func (w *tsWriter) settle() {
	w.mux = mpegts.NewMuxer(w.tracks[media.Video], w.tracks[media.Audio])
	w.buf = w.mux.AppendTables(w.buf)
	for _, p := range w.waiting {
		w.zero = min(w.zero, p.DTS)
	}
	for _, p := range w.waiting {
		w.add(p)
	}
	w.waiting = nil
}

func (w *tsWriter) add(p *media.Packet) {
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

// tsPacket is the size of a transport packet.
const tsPacket = 188

// Finish implements writer.
func (w *tsWriter) Finish() error {
	if w.mux == nil && len(w.waiting) > 0 {
		w.settle()
	}
	if w.mux != nil {
		w.putSound()
	}
	return w.Flush()
}

func (w *tsWriter) Size() int64             { return w.written + int64(len(w.buf)) }
func (w *tsWriter) Written() int64          { return w.written }
func (w *tsWriter) Empty() bool             { return w.tracks == [2]*media.Track{} }
func (w *tsWriter) Duration() time.Duration { return w.newest - w.zero }
