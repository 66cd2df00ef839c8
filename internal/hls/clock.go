package hls

import "time"

// maxDrift is how far the encoder's clock may move away from ours before
// PROGRAM-DATE-TIME is set anew.
const maxDrift = time.Second

// A wallClock dates fragments. It is set at the start of a run and at each
// discontinuity, and goes on by media time from there, so that the network's
// jitter does not show in it.
type wallClock struct {
	set    bool
	offset time.Duration // Unix time minus timeline
	end    time.Time     // of the last fragment dated
}

func (c *wallClock) date(g *segment) time.Time {
	if d := g.wall - c.offset; !c.set || g.discontinuity || d > maxDrift || d < -maxDrift {
		c.set, c.offset = true, g.wall
	}
	t := time.Unix(0, int64(g.start+c.offset)).Round(time.Millisecond)
	if early := c.end.Sub(t); early > 0 && early < maxDrift {
		// Set anew, it must not run back over what was dated already.
		t = c.end
		c.offset += early
	}
	c.end = t.Add(g.duration)
	return t
}
