package output

import (
	"cmp"
	"math/rand/v2"
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
	// Spread has each pause shortened at random by up to a quarter: what failed
	// together, as a server went down, is not tried again together.
	Spread bool

	wait time.Duration
}

// Next is how long to wait after one more failure.
func (b *Backoff) Next() time.Duration {
	first := cmp.Or(b.First, minBackoff)
	b.wait = min(max(2*b.wait, first), max(cmp.Or(b.Max, maxBackoff), first))
	if b.Spread {
		return b.wait - rand.N(b.wait/4+1)
	}
	return b.wait
}

// Ran notes that the attempt before the failure to come went well for d, and says
// whether that was long enough to begin anew.
func (b *Backoff) Ran(d time.Duration) bool {
	if d < steady {
		return false
	}
	b.wait = 0
	return true
}

// Reset notes that it works.
func (b *Backoff) Reset() { b.wait = 0 }
