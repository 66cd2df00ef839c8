package doctor

import "time"

// A Contest is how often the publishers of one stream took it over from each other
// while both were sending: two encoders with one stream key. It belongs to the
// stream. The Doctor of each of its publishers carries the finding on.
type Contest struct {
	at [contestTimes]time.Time // the newest take-overs, oldest first

	active      bool
	said        bool // it was logged
	count       uint64
	since, told time.Time
}

const (
	// contestTimes within contestSpan are no encoder that comes back.
	contestTimes = 3
	contestSpan  = 10 * time.Minute
	// contestOver is how long there was no take-over when it is over.
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

// Contend has d carry on what there is to say about c, the contest of its stream.
func (d *Doctor) Contend(c *Contest) {
	d.contest = c
	if c.count == 0 {
		return
	}
	d.findings[takeOvers] = state{
		active: c.active, said: c.said, count: c.count, since: c.since.Sub(d.start), told: c.told.Sub(d.start),
		advice: kinds[takeOvers].advice,
	}
}

// judgeContest judges the contest, and keepContest keeps what came of it for the
// next publisher's Doctor.
func (d *Doctor) judgeContest(at time.Duration) {
	if d.contest != nil {
		d.judge(takeOvers, at, d.contest.opinion(d.start.Add(at)))
	}
}

func (d *Doctor) keepContest() {
	if f := &d.findings[takeOvers]; d.contest != nil && f.count > 0 {
		c := d.contest
		c.active, c.said, c.count, c.since, c.told = f.active, f.said, f.count, d.start.Add(f.since), d.start.Add(f.told)
	}
}
