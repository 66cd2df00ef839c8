package hls

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/segmenter"
)

const (
	// maxDrift is how far PROGRAM-DATE-TIME may be from the clocks before it
	// is slewed.
	maxDrift = time.Second
	// slewRate is how much of a fragment's duration its date is slewed by at
	// most: players compare dates with EXTINF.
	slewRate = 50
)

// A wallClock dates fragments. It is set at the start of a run and at each
// discontinuity, and goes on by media time from there. So the network's jitter
// does not show in it, and a wall clock that is set is followed in small steps:
// players find their place by these dates.
type wallClock struct {
	set    bool
	offset time.Duration // Unix time minus timeline
	end    time.Time     // of the last fragment dated
}

// date is when g begins. monotonic is Unix time minus the clock of g.delay, as
// of now.
func (c *wallClock) date(g *segmenter.Segment, monotonic time.Duration) time.Time {
	d := monotonic + g.Delay - c.offset
	switch {
	case !c.set || g.Discontinuity:
		c.set, c.offset = true, c.offset+d
	case d > maxDrift:
		c.offset += min(d-maxDrift, g.Duration/slewRate)
	case d < -maxDrift:
		c.offset -= min(-maxDrift-d, g.Duration/slewRate)
	}
	t := time.Unix(0, int64(g.Start+c.offset)).Round(time.Millisecond)
	if early := c.end.Sub(t); g.Discontinuity && early > 0 && early < maxDrift {
		// Set anew, it must not run back over what was dated already.
		t = c.end
		c.offset += early
	}
	c.end = t.Add(g.Duration)
	return t
}
