package doctor

import "time"

// A Contest counts how often publishers of a stream took it over from each other while
// both were sending, as two encoders with one stream key do. It belongs to the stream,
// and the Doctors of its successive publishers share the finding.
type Contest struct {
	at [contestTimes]time.Time // the newest take-overs, oldest first

	active          bool
	logged          bool // and not logged as cleared
	count           uint64
	since, reported time.Time
}

const (
	// contestTimes take-overs within contestSpan are more than one encoder that
	// reconnects.
	contestTimes = 3
	contestSpan  = 10 * time.Minute
	// contestOver is the time without a take-over after which the contest is over.
	contestOver = 5 * time.Minute
)

// TakenOver counts a take-over.
func (c *Contest) TakenOver(now time.Time) {
	copy(c.at[:], c.at[1:])
	c.at[contestTimes-1] = now
}

func (c *Contest) opinion(now time.Time) opinion {
	first, last := c.at[0], c.at[contestTimes-1]
	return between(!first.IsZero() && last.Sub(first) <= contestSpan && now.Sub(last) <= contestOver, now.Sub(last) > contestOver)
}

// Contend gives d the contest of its stream, with the state of the finding.
func (d *Doctor) Contend(c *Contest) {
	d.contest = c
	if c.count == 0 {
		return
	}
	d.findings[takeOvers] = state{
		active: c.active, logged: c.logged, count: c.count, since: c.since.Sub(d.start), reported: c.reported.Sub(d.start),
		advice: kinds[takeOvers].advice,
	}
}

// checkContest updates the finding; keepContest saves its state for the next
// publisher's Doctor.
func (d *Doctor) checkContest(at time.Duration) {
	if d.contest != nil {
		d.update(takeOvers, at, d.contest.opinion(d.start.Add(at)))
	}
}

func (d *Doctor) keepContest() {
	if f := &d.findings[takeOvers]; d.contest != nil && f.count > 0 {
		c := d.contest
		c.active, c.logged, c.count, c.since, c.reported = f.active, f.logged, f.count, d.start.Add(f.since), d.start.Add(f.reported)
	}
}
