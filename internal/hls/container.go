package hls

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A container writes the segments of one stream in one file format. It is used for
// all segments of the stream, in order: its clocks and counters go on from one to the
// next. It belongs to the goroutine that calls it.
type container interface {
	// carries says whether the format can carry t.
	carries(t *media.Track) bool
	// setAudio sets how far the timestamps of sound may be from the clock of its
	// samples before that is set anew, and how long sound may wait for more of it.
	setAudio(sync, maxDelay time.Duration)
	// size is about how many bytes g will be.
	size(g *segment) int
	// append appends g to dst.
	append(dst []byte, g *segment) []byte
	// droppedPackets is how many packets it left out.
	droppedPackets() uint64
}
