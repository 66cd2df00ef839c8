package segmenter

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Files are what a container makes of a segment: one file for each media.Kind, or the
// first one for all media.
type Files [2][]byte

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
	// Size is about how many bytes the files of g will be.
	Size(g *Segment) [2]int
	// Apart says that sound and pictures are in files of their own. Then sound belongs to
	// the segment of its time, and not to that of its arrival.
	Apart() bool
	// Append appends g to dst, and says what the files hold. It keeps neither. It is called once for each segment,
	// when that is complete. For low latency, where the parts of a segment are written
	// before its end, it would be called with the open segment as well, and append the
	// packets that came since the call before.
	Append(dst *Files, g *Segment) [2]Piece
	// Anchor says where on the clock of its files the next segment is to be, if that
	// begins a timeline: the first one, and after a discontinuity.
	Anchor(at time.Duration)
	// Dropped is how many packets it left out.
	Dropped() uint64
}

// A Piece is what Append wrote into one file.
type Piece struct {
	Track *media.Track
	// Init is the initialisation section that the file needs; nil: it needs none, as
	// in MPEG-TS. It is the same slice as long as it does not change.
	Init []byte
	// Start and Duration are of the media in the file, in ticks of the timescale. The next
	// file begins where this one ends, unless there is a discontinuity or a hole.
	Start, Duration uint64
	Timescale       uint32
	// Parts are the parts of the file: see FMP4.SetParts. They are valid until the next
	// segment.
	Parts []Part
	// Later is how much later than the segment's Start the media begins, as it is
	// presented, less by how much pictures are presented later than they are decoded.
	Later time.Duration
}
