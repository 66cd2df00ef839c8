package output

import (
	"testing"
	"time"
)

func TestBackoffDoublesUpToHalfAMinute(t *testing.T) {
	t.Parallel()
	var b Backoff
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
		if got := b.Next(); got != want*time.Second {
			t.Errorf("pause %d is %s, want %s", i, got, want*time.Second)
		}
	}
	if b.Ran(59 * time.Second); b.Next() != 30*time.Second {
		t.Error("a run of 59 s counts as good")
	}
	if b.Ran(time.Minute); b.Next() != time.Second {
		t.Error("a run of a minute does not count as good")
	}
	b.Next()
	if b.Reset(); b.Next() != time.Second {
		t.Error("the first failure after a reset waits longer than a second")
	}
}

func TestABackoffHasBoundsOfItsOwn(t *testing.T) {
	t.Parallel()
	b := Backoff{First: 5 * time.Second, Max: time.Minute}
	for i, want := range []time.Duration{5, 10, 20, 40, 60, 60} {
		if got := b.Next(); got != want*time.Second {
			t.Errorf("pause %d is %s, want %s", i, got, want*time.Second)
		}
	}
	b = Backoff{First: 5 * time.Minute, Max: time.Minute}
	for range 2 {
		if got := b.Next(); got != 5*time.Minute {
			t.Errorf("a pause is %s, want 5m", got)
		}
	}
}

func TestAStateFailsSinceTheFirstFailure(t *testing.T) {
	t.Parallel()
	var s State
	t0 := time.Unix(1e9, 0)
	s.Fail("one", t0)
	s.Fail("two", t0.Add(time.Second))
	if s.Failing != "two" || !s.FailingSince.Equal(t0) {
		t.Errorf("%+v", s)
	}
	if s.Work(); s != (State{}) {
		t.Errorf("it works, and shows %+v", s)
	}
}

func TestTheSpreadOfABackoff(t *testing.T) {
	t.Parallel()
	different := make(map[time.Duration]bool)
	for range 50 {
		b := Backoff{First: 4 * time.Second, Max: time.Minute, Spread: true}
		got := b.Next()
		if got < 3*time.Second || got > 4*time.Second {
			t.Errorf("a pause of %s, want 3 s to 4 s", got)
		}
		different[got] = true
	}
	if len(different) < 10 {
		t.Errorf("%d different pauses in 50", len(different))
	}
}
