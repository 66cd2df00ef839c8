package output

import (
	"cmp"
	"time"
)

// The pause after failures in a row: it doubles. These are the defaults of a
// Backoff's First and Max.
const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// steady is how long something must have run for its next failure to be the first
// one again.
const steady = time.Minute

// A Backoff is the pauses between the attempts of something that fails. The zero
// Backoff has not failed.
type Backoff struct {
	First time.Duration // the pause after the first failure; 0: 1 s
	Max   time.Duration // the longest pause; 0: 30 s. It is never below First

	wait time.Duration
}

// Next is how long to wait after one more failure.
func (b *Backoff) Next() time.Duration {
	first := cmp.Or(b.First, minBackoff)
	b.wait = min(max(2*b.wait, first), max(cmp.Or(b.Max, maxBackoff), first))
	return b.wait
}

// Ran notes that the attempt before the failure to come went well for d.
func (b *Backoff) Ran(d time.Duration) {
	if d >= steady {
		b.wait = 0
	}
}

// Reset notes that it works.
func (b *Backoff) Reset() { b.wait = 0 }
