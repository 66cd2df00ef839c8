package lint

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// contents are what a segment or a part holds.
type contents struct {
	container string // "MPEG-TS", "fMP4", "packed audio", "WebVTT"; empty: not read
	chunks    int    // moof
	clocks    int    // prft
	tracks    []*trackContents
}

// trackContents is one track of a segment.
type trackContents struct {
	id    uint32 // PID, track_ID
	kind  media.Kind
	codec media.Codec
	name  string       // RFC 6381; empty: not known
	about *media.Track // from its headers; nil: there are none in this segment

	samples     int
	first, last time.Duration // DTS
	start       time.Duration // the smallest PTS
	back        bool          // a DTS was not above the one before
	wrap        time.Duration // timestamps begin again here; 0: never

	end      time.Duration // DTS of what has to follow; 0: not known
	gap      time.Duration // from the end of one fragment to the next within the segment, the largest
	falseKey bool          // a sample is marked as a sync sample and is none
	scale    uint32        // of fMP4: ticks in a second

	keys      int  // sync samples
	beginsKey bool // the first sample is one
	captions  bool // CEA-608 or CEA-708 in the pictures
}

// after is how far a is behind b.
func (t *trackContents) after(a, b time.Duration) time.Duration {
	d := a - b
	if t.wrap > 0 {
		for d > t.wrap/2 {
			d -= t.wrap
		}
		for d < -t.wrap/2 {
			d += t.wrap
		}
	}
	return d
}

// frame is the time between two samples, on average; 0: there are too few.
func (t *trackContents) frame() time.Duration {
	if t.samples < 2 {
		return 0
	}
	return max(t.after(t.last, t.first), 0) / time.Duration(t.samples-1)
}

// put takes the timestamps of the next sample.
func (t *trackContents) put(dts, pts time.Duration) {
	if t.samples == 0 {
		t.first, t.start = dts, pts
	} else {
		if t.after(dts, t.last) <= 0 {
			t.back = true
		}
		if t.after(pts, t.start) < 0 {
			t.start = pts
		}
	}
	t.last = dts
	t.samples++
}

// lead is the track by which a segment is measured: its picture, or else its first.
func (c *contents) lead() *trackContents {
	for _, t := range c.tracks {
		if t.kind == media.Video && t.samples > 0 {
			return t
		}
	}
	for _, t := range c.tracks {
		if t.samples > 0 {
			return t
		}
	}
	return nil
}

func (c *contents) track(id uint32) *trackContents {
	for _, t := range c.tracks {
		if t.id == id {
			return t
		}
	}
	return nil
}

// video is the track with the picture; nil: there is none.
func (c *contents) video() *trackContents {
	if t := c.lead(); t != nil && t.kind == media.Video {
		return t
	}
	return nil
}
