package output

import "time"

// The pause after failures in a row: it doubles.
const (
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// steady is how long something must have run for its next failure to be the first
// one again.
const steady = time.Minute

// A Backoff is the pauses between the attempts of something that fails. The zero
// Backoff has not failed.
type Backoff struct{ wait time.Duration }

// Next is how long to wait after one more failure.
func (b *Backoff) Next() time.Duration {
	b.wait = min(max(2*b.wait, minBackoff), maxBackoff)
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
