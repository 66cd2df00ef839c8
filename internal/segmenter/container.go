package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A Container writes the segments of one stream in one file format. It is used for
// all segments of the stream, in order: its clocks and counters go on from one to the
// next. It belongs to the goroutine that calls it.
type Container interface {
	// Carries says whether the format can carry t.
	Carries(t *media.Track) bool
	// SetAudio sets how far the timestamps of sound may be from the count of its
	// samples (beyond that the count begins again), and the longest duration of sound
	// that is written in one piece (MPEG-TS: one PES packet).
	SetAudio(sync, maxDelay time.Duration)
	// Size is about how many bytes g will be.
	Size(g *Segment) int
	// Append appends g to dst. It keeps neither. It is called once for each segment,
	// when that is complete. For low latency, where the parts of a segment are written
	// before its end, it would be called with the open segment as well, and append the
	// packets that came since the call before.
	Append(dst []byte, g *Segment) []byte
	// Dropped is how many packets it left out.
	Dropped() uint64
}
