package flv

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/rtmpd/rtmpd/internal/gather"
	"github.com/rtmpd/rtmpd/internal/media"
)

// Tracks returns the tracks that the next packets will be coded with; nil for
// a medium whose header or first frame has not come.
func (d *Demuxer) Tracks() (video, audio *media.Track) { return d.video, d.audio }

// A Writer writes an FLV file. Each tag is two or three small writes: give it
// a buffered w and flush that.
type Writer struct {
	w    io.Writer
	head [11]byte
}

// NewWriter writes the file header.
func NewWriter(w io.Writer, hasVideo, hasAudio bool) (*Writer, error) {
	h := []byte{'F', 'L', 'V', 1, 0, 0, 0, 0, 9, 0, 0, 0, 0}
	if hasVideo {
		h[4] |= 1
	}
	if hasAudio {
		h[4] |= 4
	}
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("flv: write file header: %w", err)
	}
	return &Writer{w: w}, nil
}

// WriteTag writes one tag, its body verbatim.
func (f *Writer) WriteTag(t FileTag) error {
	n := len(t.Body)
	if n > 0xffffff {
		return fmt.Errorf("flv: tag of %d bytes: the format allows 16777215", n)
	}
	f.head = [11]byte{
		t.Type & 0x1f, byte(n >> 16), byte(n >> 8), byte(n),
		byte(t.Timestamp >> 16), byte(t.Timestamp >> 8), byte(t.Timestamp), byte(t.Timestamp >> 24),
	}
	if _, err := f.w.Write(f.head[:]); err != nil {
		return fmt.Errorf("flv: write tag header: %w", err)
	}
	if _, err := f.w.Write(t.Body); err != nil {
		return fmt.Errorf("flv: write tag: %w", err)
	}
	binary.BigEndian.PutUint32(f.head[:4], uint32(n+11))
	if _, err := f.w.Write(f.head[:4]); err != nil {
		return fmt.Errorf("flv: write tag size: %w", err)
	}
	return nil
}

// tagBytes is a tag as a recording has it.
func tagBytes(t FileTag) []byte {
	var b gather.Batch
	AppendTag(&b, t)
	return slices.Concat(b.Vector()...)
}
