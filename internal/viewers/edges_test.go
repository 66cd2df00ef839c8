package viewers

import (
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"
)

// The bounds are figures that the memory of a server is reckoned with.
func TestTheBoundsInFigures(t *testing.T) {
	t.Parallel()
	const perCounter, together, waiting = 65536, 131072, 4096
	p := newPool()
	a, b, c := p.NewCounter(timeout), p.NewCounter(timeout), p.NewCounter(timeout)
	for _, counter := range []*Counter{a, b} {
		for i := range ID(perCounter) {
			joined(t, counter, i, 0, nil)
		}
	}
	counts(t, a, 0, perCounter, perCounter, a.unique.count())
	for name, counter := range map[string]*Counter{"a full counter": a, "a full pool": c} {
		n := counter.Serial(1<<40, at(0))
		if fresh, err := counter.Join(1<<40, netip.Prefix{}, at(0), nil); fresh || !errors.Is(err, ErrFull) {
			t.Errorf("%s: %v, %v", name, fresh, err)
		}
		if counter.Joined(1<<40, at(0)) || counter.Serial(1<<40, at(0)) != n {
			t.Errorf("%s: the one who was refused does not wait any more", name)
		}
	}
	if fresh, err := a.Join(7, netip.Prefix{}, at(1), nil); fresh || err != nil {
		t.Errorf("a viewer of a full counter: %v, %v", fresh, err)
	}
	b.Clear() // makes room in the pool
	joined(t, c, 1<<40, 2, nil)

	d := p.NewCounter(timeout)
	first := d.Serial(0, at(0))
	for i := range ID(waiting - 1) {
		d.Serial(1+i, at(0))
	}
	if d.Serial(0, at(0)) != first {
		t.Errorf("of %d who wait the first has lost the number", waiting)
	}
	second := d.Serial(1, at(0))
	d.Serial(1<<40, at(0))
	if d.Serial(1, at(0)) != second {
		t.Error("more than the first one had to make room")
	}
	if d.Serial(0, at(0)) == first {
		t.Errorf("more than %d wait", waiting)
	}
}

func TestAViewerIsGoneAtTheTimeoutAndNotBefore(t *testing.T) {
	t.Parallel()
	const before = 6 - 1e-9
	for name, there := range map[string]func(c *Counter, s float64) bool{
		"Touch":  func(c *Counter, s float64) bool { return c.Touch(1, at(s), timeout) },
		"Joined": func(c *Counter, s float64) bool { return c.Joined(1, at(s)) },
		"Len":    func(c *Counter, s float64) bool { return c.Len(at(s)) == 1 },
		"Counts": func(c *Counter, s float64) bool { n, _, _ := c.Counts(at(s)); return n == 1 },
		"Empty":  func(c *Counter, s float64) bool { return !c.Empty(at(s)) },
		"Expire": func(c *Counter, s float64) bool { return len(c.Expire(at(s))) == 0 },
		"Join":   func(c *Counter, s float64) bool { fresh, _ := c.Join(1, netip.Prefix{}, at(s), nil); return !fresh },
		"Serial": func(c *Counter, s float64) bool { return c.Serial(1, at(s)) == 1 },
	} {
		for s, want := range map[float64]bool{before: true, 6: false} {
			c := newPool().NewCounter(timeout)
			joined(t, c, 1, 0, "info")
			if got := there(c, s); got != want {
				t.Errorf("%s at %v s: there is %v, want %v", name, s, got, want)
			}
		}
	}
	// A second request of any kind that joins again moves the end.
	c := newPool().NewCounter(timeout)
	joined(t, c, 1, 0, nil)
	joined(t, c, 1, 5, nil)
	if !c.Touch(1, at(10.5), timeout) || c.Len(at(16)) != 1 || c.Len(at(16.5)) != 0 {
		t.Error("the timeout does not run from the last request")
	}
}

// Of two viewers the one who asked last stays, in whatever order they came.
func TestTheSilentOneGoesFirst(t *testing.T) {
	t.Parallel()
	c := newPool().NewCounter(timeout)
	joined(t, c, 1, 0, "one")
	joined(t, c, 2, 1, "two")
	joined(t, c, 1, 2, nil)
	if gone := c.Expire(at(7)); len(gone) != 1 || gone[0].Info != "two" {
		t.Errorf("gone at 7 s: %v", gone)
	}
	if gone := c.Expire(at(8)); len(gone) != 1 || gone[0].Info != "one" {
		t.Errorf("gone at 8 s: %v", gone)
	}
	if gone := c.Expire(at(9)); gone != nil {
		t.Errorf("told twice: %v", gone)
	}
}

// A waiting viewer has a number and has not joined.
func TestAWaitingViewerHasNotJoined(t *testing.T) {
	t.Parallel()
	c := newPool().NewCounter(timeout)
	c.Serial(1, at(0))
	if c.Touch(1, at(0), timeout) || c.Joined(1, at(0)) || c.Len(at(0)) != 0 {
		t.Error("a waiting viewer has joined")
	}
	if fresh, err := c.Join(1, netip.Prefix{}, at(1), "x"); !fresh || err != nil {
		t.Errorf("joined: %v, %v", fresh, err)
	}
	if !c.Touch(1, at(2), timeout) || !c.Joined(1, at(2)) {
		t.Error("a viewer that joined has not")
	}
	c.Serial(2, at(2))
	if gone := c.Clear(); len(gone) != 1 || gone[0].ID != 1 {
		t.Errorf("cleared: %v", gone)
	}
	if !c.Empty(at(2)) || c.Clear() != nil {
		t.Error("somebody is left, or told of twice")
	}
}

func TestATokenIs32Characters(t *testing.T) {
	t.Parallel()
	p := newPool()
	token := p.NewToken()
	if len(token) != 32 {
		t.Errorf("%q has %d", token, len(token))
	}
	for i := range token {
		if p.Valid(flip(token, i)) {
			t.Errorf("a change at %d is not noticed", i)
		}
	}
}

// The mean of several sketches is as near as their theory says: a standard error
// of 1.04/√4096 each (Flajolet et al., HyperLogLog, 2007). The tolerance is six
// standard errors of the mean.
func TestUniqueHasNoBias(t *testing.T) {
	t.Parallel()
	const pools = 8
	for _, n := range []int{256, 257, 1000, 9000, 12000, 30000} {
		sum := 0
		for range pools {
			p := newPool()
			c := p.NewCounter(timeout)
			for i := range n {
				addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
				if _, err := c.Join(p.ID(addr, "agent"), netip.Prefix{}, at(0), nil); err != nil {
					t.Fatal(err)
				}
			}
			_, _, unique := c.Counts(at(0))
			_, _, again := c.Counts(at(0))
			if again != unique || n == 256 && unique != n {
				t.Errorf("%d different ones are %d, then %d", n, unique, again)
			}
			sum += unique
		}
		mean := float64(sum) / pools
		if off := math.Abs(mean/float64(n) - 1); off > 6*1.04/64/math.Sqrt(pools) {
			t.Errorf("%d different ones are %.1f in the mean", n, mean)
		}
	}
}

func TestAnAnswerThatIsNoneLeavesNoTrace(t *testing.T) {
	t.Parallel()
	v := NewVerdicts()
	answer := func(n uint64, life time.Duration, err error) error {
		return v.Ask(t.Context(), question(n), at(0), func() (time.Duration, error) { return life, err })
	}
	no := errors.New("no")
	for _, life := range []time.Duration{0, -time.Second} {
		if err := answer(1, life, nil); err != nil {
			t.Fatal(err)
		}
		if epoch, ok := v.Passed(question(1).Pass, at(0)); ok || epoch != 0 {
			t.Errorf("a yes for %v lets through, epoch %d", life, epoch)
		}
	}
	if _ = answer(1, 1, nil); answer(1, 0, no) != nil {
		t.Error("a yes for a nanosecond is not remembered in it")
	}
	if _ = answer(2, 1, no); !errors.Is(answer(2, 0, nil), no) {
		t.Error("a no for a nanosecond is not remembered in it")
	}

	// Neither does it push out what is remembered.
	const noes = 16384
	for n := range uint64(noes) {
		_ = answer(10+n, time.Minute, no)
	}
	for n := range uint64(10) {
		_ = answer(1e9+n, 0, no)
	}
	for _, n := range []uint64{10, 10 + noes - 1} {
		if !errors.Is(answer(n, 0, nil), no) {
			t.Errorf("no %d of %d is forgotten", n-10, noes)
		}
	}
	_ = answer(1e9, time.Minute, no) // one more makes the oldest go, and no other
	if answer(11, 0, nil) == nil || answer(10, 0, nil) != nil {
		t.Errorf("more than %d noes are remembered, or fewer", noes)
	}
}

func TestYesesInFigures(t *testing.T) {
	t.Parallel()
	const yeses = 65536
	v, no := NewVerdicts(), errors.New("no")
	judge := func(n uint64, s float64, err error) error {
		return v.Ask(t.Context(), question(n), at(s), func() (time.Duration, error) { return time.Minute, err })
	}
	for n := range uint64(yeses) {
		_ = judge(n, 0, nil)
	}
	if _, ok := v.Passed(question(0).Pass, at(1)); !ok || judge(0, 1, no) != nil {
		t.Errorf("the first of %d is forgotten", yeses)
	}
	_ = judge(yeses, 1, nil)
	if _, ok := v.Passed(question(0).Pass, at(1)); ok {
		t.Errorf("more than %d pass", yeses)
	}
	if _, ok := v.Passed(question(1).Pass, at(1)); !ok {
		t.Error("more than the oldest had to make room")
	}
	if !errors.Is(judge(0, 1, no), no) {
		t.Errorf("more than %d yeses are remembered", yeses)
	}
	// What has ended makes room by itself, what has not stays.
	v.Purge(at(60))
	if _, ok := v.Passed(question(yeses).Pass, at(60)); !ok {
		t.Error("a purge takes what lasts")
	}
	if !errors.Is(judge(2, 60, no), no) {
		t.Error("a yes lasts longer than it says")
	}
}
