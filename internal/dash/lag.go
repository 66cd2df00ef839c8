package dash

import (
	"slices"
	"time"
)

// A lagMeter compares the presentation with the wall clock. The lag of a segment is how
// long after the end of its media it was written. That varies with the network; the least
// of several lags does not. It moves when the publisher's clock is not as fast as ours, when
// the publisher stopped for a while, and when our clock was set.
type lagMeter struct {
	lags [lagsKept]time.Duration
	n    int // of them are known
}

const lagsKept = 8

func (l *lagMeter) reset() { l.n = 0 }

// add notes the lag of the next segment. It returns by how much the presentation is to be
// later; 0: it is right.
func (l *lagMeter) add(lag, longest time.Duration) (off time.Duration) {
	if l.n == lagsKept {
		copy(l.lags[:], l.lags[1:])
		l.n--
	}
	l.lags[l.n] = lag
	if l.n++; l.n < lagsKept {
		return 0
	}
	limit := l.tolerance(longest)
	if least := slices.Min(l.lags[:]); least > limit {
		return least.Round(time.Millisecond)
	}
	if most := slices.Max(l.lags[:]); most < -limit {
		return most.Round(time.Millisecond)
	}
	return 0
}

// tolerance is by how much the presentation may be off.
func (l *lagMeter) tolerance(longest time.Duration) time.Duration {
	return min(max(longest/2, 250*time.Millisecond), 2*time.Second)
}
