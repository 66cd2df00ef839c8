package lint

import (
	"context"
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A partChecker holds the parts of one playlist against what the playlist says of them
// and against each other. It takes them in their order.
type partChecker struct {
	ts      mpegts.Reader
	last    position // the one before
	has     bool     // contents are those of last
	before  contents
	section *initSection

	// The parts of a segment that were read without a gap.
	number  uint64
	parts   int
	samples int
	faults  []fault
}

func (c *partChecker) fault(rule string, j *job, format string, args ...any) {
	c.faults = append(c.faults, fault{
		rule: rule, line: j.part.line, text: j.part.uri,
		says: position{j.s.number, j.index}.String() + ": " + fmt.Sprintf(format, args...),
	})
}

// part loads a part and has it checked.
func (l *loader) part(ctx context.Context, j job) {
	f := l.f
	l.base = j.base
	r := l.get(ctx, j.part.uri, j.part.bytes, &segment{number: j.s.number, line: j.part.line, uri: j.part.uri})
	if r == nil || r.tooLong || j.s.key != nil {
		l.parts.has = false
		return
	}
	f.parts.Add(1)
	if !l.map_(ctx, j.s) {
		l.parts.has = false
		return
	}
	l.parts.section = f.segs.section
	f.add(l.parts.check(&j, r.body)...)
}

// check takes the body of a part.
func (c *partChecker) check(j *job, body []byte) []fault {
	c.faults = nil
	at := position{j.s.number, j.index}
	follows := c.has && (c.last.number == at.number && c.last.part+1 == at.part || c.last.number+1 == at.number && at.part == 0)
	if follows && at.part == 0 && j.s.breaks {
		follows = false
	}
	if !follows {
		c.ts.Forget()
	}
	found, ok := c.open(j, body)
	if !ok {
		c.has = false
		return c.faults
	}
	c.contents(j, &found)
	if follows {
		c.compare(j, &found)
	}
	if at.part == 0 {
		c.number, c.parts, c.samples = at.number, 0, 0
	}
	if lead := found.lead(); lead != nil && c.number == at.number && c.parts == at.part {
		c.parts++
		c.samples += lead.samples
	}
	c.last, c.before, c.has = at, found, true
	return c.faults
}

func (c *partChecker) open(j *job, body []byte) (contents, bool) {
	switch {
	case len(body) == 0:
		c.fault("segment-empty", j, "it is empty")
		return contents{}, false
	case body[0] == 0x47:
		found, _ := readTS(&c.ts, body)
		return found, true
	case isMP4(body) && c.section != nil:
		found, faults := readFragments(c.section, body)
		for _, f := range faults {
			c.fault(f.rule, j, "%s", f.says)
		}
		return found, len(faults) == 0
	}
	return contents{}, false
}

// contents is about what one part holds.
func (c *partChecker) contents(j *job, found *contents) {
	v := found.video()
	if v != nil {
		switch {
		case j.part.independent && v.keys == 0:
			c.fault("part-independent", j, "INDEPENDENT=YES, and it has no keyframe")
		case !j.part.independent && v.keys > 0:
			c.fault("part-independent-missing", j, "it has a keyframe, and no INDEPENDENT=YES")
		}
		if v.keys > 0 && !v.beginsKey {
			c.fault("part-keyframe", j, "its keyframe is not at its beginning")
		}
	}
	lead := found.lead()
	if lead == nil {
		c.fault("segment-silent", j, "it holds neither picture nor sound")
		return
	}
	if lead.end == 0 || found.container != "fMP4" {
		return
	}
	lasts := lead.end - lead.first
	if diff := (lasts - j.part.duration).Abs(); diff > max(lead.frame(), 20*time.Millisecond) {
		c.fault("part-duration", j, "DURATION is %s, its media last %s", seconds(j.part.duration), seconds(lasts.Round(time.Millisecond)))
	}
}

// compare holds a part against the one before.
func (c *partChecker) compare(j *job, found *contents) {
	for _, t := range found.tracks {
		b := c.before.track(t.id)
		if b == nil || b.samples == 0 || t.samples == 0 {
			continue
		}
		if t.after(t.first, b.last) <= 0 {
			c.fault("timestamps-back", j, "track %d goes back", t.id)
			return
		}
		if b.end > 0 && t.scale > 0 {
			if gap := t.first - b.end; gap.Abs() > max(decodeTolerance(t), decodeTolerance(b)) {
				c.fault("decode-time", j, "track %d begins %s", t.id, apart(gap))
				return
			}
		}
	}
}

// whole compares a segment that was read with its parts.
func (c *partChecker) whole(s *segment, segs *segmentChecker) []fault {
	if len(s.parts) == 0 || c.number != s.number || c.parts != len(s.parts) || segs.last != s {
		return nil
	}
	lead := segs.contents.lead()
	if lead == nil || lead.samples == c.samples {
		return nil
	}
	return []fault{{rule: "part-samples", line: s.line, text: s.uri, says: fmt.Sprintf("segment %d has %d samples, its parts have %d", s.number, lead.samples, c.samples)}}
}
