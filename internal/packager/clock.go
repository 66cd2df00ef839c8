package packager

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/segmenter"
)

const (
	// maxDrift is how far PROGRAM-DATE-TIME may be from the wall clock before it is
	// slewed.
	maxDrift = time.Second
	// slewRate is how much of a segment's duration its date is slewed by at
	// most: players compare dates with EXTINF.
	slewRate = 50
)

// A wallClock computes the dates of segments. It is set at the start of a run and at
// each discontinuity, and advances by media time. So dates have no jitter of the network.
// If the system's clock is set, dates follow in small steps: players seek by these dates.
type wallClock struct {
	set    bool
	offset time.Duration // Unix time minus timeline
	end    time.Time     // of the last segment dated
}

// date is when g begins, which lasts about so long. monotonic is Unix time minus the clock
// of g.delay, as of now.
func (c *wallClock) date(g *segmenter.Segment, lasts, monotonic time.Duration) time.Time {
	d := monotonic + g.Delay - c.offset
	switch {
	case !c.set || g.Discontinuity:
		c.set, c.offset = true, c.offset+d
	case d > maxDrift:
		c.offset += min(d-maxDrift, lasts/slewRate)
	case d < -maxDrift:
		c.offset -= min(-maxDrift-d, lasts/slewRate)
	}
	t := time.Unix(0, int64(g.Start+c.offset)).Round(time.Millisecond)
	if early := c.end.Sub(t); g.Discontinuity && early > 0 && early < maxDrift {
		// Dates must not go back to before the end of the last segment.
		t = c.end
		c.offset += early
	}
	c.end = t.Add(lasts)
	return t
}
