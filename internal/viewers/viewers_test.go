package viewers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const timeout = 6 * time.Second

var t0 = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func at(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }

// newPool numbers its viewers from 1.
func newPool() *Pool {
	var mu sync.Mutex
	n := uint64(0)
	return NewPool(func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		n++
		return n
	})
}

func joined(t *testing.T, c *Counter, id ID, s float64, info any) {
	t.Helper()
	if _, err := c.Join(id, netip.Prefix{}, at(s), info); err != nil {
		t.Fatal(err)
	}
}

func counts(t *testing.T, c *Counter, s float64, now, peak, unique int) {
	t.Helper()
	if n, p, u := c.Counts(at(s)); n != now || p != peak || u != unique {
		t.Errorf("at %v s: %d viewers, peak %d, unique %d, want %d, %d, %d", s, n, p, u, now, peak, unique)
	}
}

// A stream that begins has the viewers that are there, and those who come: also who was there
// before, and had left.
func TestViewersSinceAStreamBegan(t *testing.T) {
	t.Parallel()
	c := newPool().NewCounter(timeout)
	for id, s := range []float64{0, 0, 5} {
		joined(t, c, ID(id+1), s, nil)
	}
	if n := c.Since(); n != 3 {
		t.Errorf("%d before the first stream is told to begin", n)
	}
	c.Begin(at(7)) // two have left
	if n := c.Since(); n != 1 {
		t.Errorf("%d when it begins", n)
	}
	joined(t, c, 1, 8, nil)
	joined(t, c, 4, 8, nil)
	joined(t, c, 4, 9, nil)
	if n := c.Since(); n != 3 {
		t.Errorf("%d, want who stayed, who came back and who is new", n)
	}
	counts(t, c, 9, 3, 3, 4)
}

func TestViewersComeAndGo(t *testing.T) {
	t.Parallel()
	c := newPool().NewCounter(timeout)
	if c.Touch(1, at(0), timeout) {
		t.Error("an unknown viewer has joined")
	}
	joined(t, c, 1, 0, "one")
	joined(t, c, 2, 1, nil)
	counts(t, c, 1, 2, 2, 2)
	if !c.Touch(1, at(5.9), timeout) {
		t.Error("a viewer that asks in time has left")
	}
	counts(t, c, 7, 1, 2, 2)
	counts(t, c, 11.8, 1, 2, 2)
	if gone := c.Expire(at(11.8)); gone != nil {
		t.Errorf("gone: %v; nobody wants to know of the one without info", gone)
	}
	counts(t, c, 11.9, 0, 2, 2)
	if c.Touch(1, at(12), timeout) {
		t.Error("a silent viewer has not left")
	}
	joined(t, c, 1, 12, "again")
	counts(t, c, 12, 1, 2, 2)
	gone := c.Expire(at(12))
	if len(gone) != 1 || gone[0].ID != 1 || gone[0].Serial != 1 || gone[0].Info != "one" {
		t.Errorf("gone: %+v, want the first", gone)
	}
	if gone := c.Clear(); len(gone) != 1 || gone[0].Serial != 3 || gone[0].Info != "again" {
		t.Errorf("cleared: %v", gone)
	}
	if !c.Empty(at(12)) {
		t.Error("somebody is left")
	}
}

func TestAChangedTimeoutIsForAll(t *testing.T) {
	t.Parallel()
	c := newPool().NewCounter(timeout)
	joined(t, c, 1, 0, nil)
	joined(t, c, 2, 1, nil)
	c.Touch(2, at(2), 2*time.Second)
	counts(t, c, 2, 1, 2, 2)
	if c.Timeout() != 2*time.Second {
		t.Errorf("timeout %v", c.Timeout())
	}
}

func TestANumberIsKeptUntilAViewerJoins(t *testing.T) {
	t.Parallel()
	c := newPool().NewCounter(timeout)
	n := c.Serial(7, at(0))
	if again := c.Serial(7, at(30)); again != n {
		t.Errorf("number %d, then %d", n, again)
	}
	counts(t, c, 30, 0, 0, 0)
	joined(t, c, 7, 31, "x")
	if fresh, err := c.Join(7, netip.Prefix{}, at(32), "y"); fresh || err != nil {
		t.Errorf("joined twice: %v, %v", fresh, err)
	}
	if again := c.Serial(7, at(33)); again != n {
		t.Errorf("number %d, joined with %d", n, again)
	}
	if gone := c.Expire(at(40)); len(gone) != 1 || gone[0].ID != 7 || gone[0].Serial != n || gone[0].Info != "x" {
		t.Errorf("gone: %v", gone)
	}
	if again := c.Serial(7, at(41)); again == n {
		t.Error("a viewer who was gone is the same one again")
	}
	c.Serial(8, at(41))
	if c.Empty(at(100)) || !c.Empty(at(101)) {
		t.Error("who waits is forgotten after a minute")
	}
}

func TestCountersAreBounded(t *testing.T) {
	t.Parallel()
	p := newPool()
	a, b, c := p.NewCounter(timeout), p.NewCounter(timeout), p.NewCounter(timeout)
	fill := func(c *Counter) (n int) {
		for ; ; n++ {
			if _, err := c.Join(ID(n), netip.Prefix{}, at(0), nil); err != nil {
				if !errors.Is(err, ErrFull) {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	if n := fill(a); n != maxViewers {
		t.Errorf("one counter holds %d", n)
	}
	if n := fill(b); n != maxPoolViewers-maxViewers {
		t.Errorf("the second holds %d", n)
	}
	if n := fill(c); n != 0 {
		t.Errorf("the third holds %d", n)
	}
	if !a.Touch(5, at(1), timeout) {
		t.Error("a viewer has left")
	}
	a.Clear()
	if n := fill(c); n != maxViewers {
		t.Errorf("the third holds %d afterwards", n)
	}
	for i := range ID(3 * maxWaiting) {
		b.Serial(1<<32+i, at(0))
	}
	if n := b.waiting.Len(); n != maxWaiting {
		t.Errorf("%d wait", n)
	}
	if n := len(b.byID); n != maxViewers+maxWaiting {
		t.Errorf("%d are remembered", n)
	}
}

func TestUniqueIsExactThenNear(t *testing.T) {
	t.Parallel()
	p := newPool()
	var d distinct
	last := 0
	for i := 1; i <= 100_000; i++ {
		id := p.ID(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), "agent")
		d.add(id)
		d.add(id)
		if i > 2*maxFew && i%5000 != 0 {
			continue
		}
		n := d.count()
		if n < last {
			t.Fatalf("the count falls from %d to %d", last, n)
		}
		last = n
		// Six times the sketch's error: it fails once in some 10^8 runs.
		if off := math.Abs(float64(n - i)); i <= maxFew && off > 0 || off > max(10, 0.1*float64(i)) {
			t.Errorf("%d different ones: got %d", i, n)
		}
	}
	if len(d.sketch) != sketchSize || d.few != nil {
		t.Error("it keeps more than the sketch")
	}
}

func TestWhoIsTheSameViewer(t *testing.T) {
	t.Parallel()
	p := newPool()
	a, b := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8::1")
	token := p.NewToken()
	ids := []ID{p.ID(a, "x"), p.ID(a, "y"), p.ID(b, "x"), p.ID(a, ""), p.TokenID(token), p.TokenID("")}
	for i, id := range ids {
		if slices.Index(ids, id) != i {
			t.Errorf("viewer %d is another one's twin", i)
		}
	}
	if p.ID(a, "x") != ids[0] || p.TokenID(token) != ids[4] {
		t.Error("a viewer is not the same twice")
	}
	if newPool().ID(a, "x") == ids[0] {
		t.Error("another process makes the same hashes")
	}
}

func TestTokensCantBeMadeUp(t *testing.T) {
	t.Parallel()
	p := newPool()
	token := p.NewToken()
	if len(token) != tokenLength || !p.Valid(token) || token == p.NewToken() {
		t.Errorf("token %q", token)
	}
	for _, wrong := range []string{"", "x", token[1:], token + "A", flip(token, 0), flip(token, tokenLength-1), "!" + token[1:], newPool().NewToken()} {
		if p.Valid(wrong) {
			t.Errorf("%q is taken for a token", wrong)
		}
	}
}

func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

func question(n uint64) *Question {
	var a netip.Addr
	return &Question{Yes: KeyOf(n, 0, a), No: KeyOf(n, 1, a), Pass: KeyOf(n, 2, a), Grace: timeout, Epoch: 9}
}

func TestAVerdictIsAskedOnceAMinute(t *testing.T) {
	t.Parallel()
	v, asked := NewVerdicts(), 0
	no := errors.New("no")
	judge := func(n uint64, s float64, answer error, life time.Duration) error {
		return v.Ask(t.Context(), question(n), at(s), func() (time.Duration, error) { asked++; return life, answer })
	}
	for _, c := range []struct {
		name   string
		n      uint64
		at     float64
		answer error
		life   time.Duration
		asked  int
		want   error
	}{
		{"a yes", 1, 0, nil, time.Minute, 1, nil},
		{"a yes is remembered", 1, 59.9, no, time.Minute, 1, nil},
		{"a yes is over", 1, 60, no, time.Minute, 2, no},
		{"a no is remembered", 1, 61, nil, time.Minute, 2, no},
		{"a no is over", 1, 120, nil, time.Minute, 3, nil},
		{"another question", 2, 120, no, 5 * time.Second, 4, no},
		{"a shorter life", 2, 125, nil, time.Minute, 5, nil},
		{"an answer that is none", 3, 0, context.Canceled, 0, 6, context.Canceled},
		{"is not remembered", 3, 0, nil, time.Minute, 7, nil},
	} {
		if got := judge(c.n, c.at, c.answer, c.life); got != c.want || asked != c.asked {
			t.Errorf("%s: got %v after %d questions, want %v after %d", c.name, got, asked, c.want, c.asked)
		}
	}
}

func TestAYesLetsThroughForAWhile(t *testing.T) {
	t.Parallel()
	v := NewVerdicts()
	q := question(1)
	passed := func(s float64, want bool) {
		t.Helper()
		if epoch, ok := v.Passed(q.Pass, at(s)); ok != want || ok && epoch != 9 {
			t.Errorf("at %v s: %v (epoch %d), want %v", s, ok, epoch, want)
		}
	}
	passed(0, false)
	yes := func() (time.Duration, error) { return time.Minute, nil }
	_ = v.Ask(t.Context(), q, at(0), yes)
	passed(65.9, true)
	passed(66, false)
	v.passes = newTable(maxVerdicts) // others have taken its place
	passed(1, false)
	_ = v.Ask(t.Context(), q, at(1), yes)
	passed(65.9, true)
	_ = v.Ask(t.Context(), question(2), at(1), func() (time.Duration, error) { return time.Minute, errors.New("no") })
	if _, ok := v.Passed(question(2).Pass, at(2)); ok {
		t.Error("a no lets through")
	}
	v.Purge(at(100))
	if n := len(v.yes.byKey) + len(v.no.byKey) + len(v.passes.byKey); n != 0 {
		t.Errorf("%d answers are left", n)
	}
}

func TestVerdictsAreBoundedAndNoesPushNobodyOut(t *testing.T) {
	t.Parallel()
	v := NewVerdicts()
	yes := func() (time.Duration, error) { return time.Minute, nil }
	_ = v.Ask(t.Context(), question(0), at(0), yes)
	for i := range uint64(2 * maxRefusals) {
		_ = v.Ask(t.Context(), question(1000+i), at(0), func() (time.Duration, error) { return time.Minute, errors.New("no") })
	}
	if len(v.no.byKey) != maxRefusals || v.no.order.Len() != maxRefusals || len(v.yes.byKey) != 1 {
		t.Errorf("%d noes, %d yeses", len(v.no.byKey), len(v.yes.byKey))
	}
	for i := range uint64(maxVerdicts + 10) {
		_ = v.Ask(t.Context(), question(1e6+i), at(0), yes)
	}
	if len(v.yes.byKey) != maxVerdicts || len(v.passes.byKey) != maxVerdicts || v.yes.order.Len() != maxVerdicts {
		t.Errorf("%d yeses, %d passes", len(v.yes.byKey), len(v.passes.byKey))
	}
}

func TestWhoAsksTheSameWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerdicts()
		asked := 0
		ask := func() (time.Duration, error) { asked++; time.Sleep(5 * time.Second); return time.Minute, nil }
		results := make(chan error, 3)
		go func() { results <- v.Ask(context.Background(), question(1), time.Now(), ask) }()
		synctest.Wait()
		go func() { results <- v.Ask(context.Background(), question(1), time.Now(), ask) }()
		brief, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		go func() { results <- v.Ask(brief, question(1), time.Now(), ask) }()
		start := time.Now()
		if err := <-results; !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("who can't wait gets %v after %v", err, time.Since(start))
		}
		for range 2 {
			if err := <-results; err != nil || time.Since(start) != 5*time.Second {
				t.Errorf("who waits gets %v after %v", err, time.Since(start))
			}
		}
		if asked != 1 || len(v.pending) != 0 {
			t.Errorf("%d questions, %d under way", asked, len(v.pending))
		}
	})
}

func TestAQuestionThatPanicsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	v := NewVerdicts()
	func() {
		defer func() { _ = recover() }()
		_ = v.Ask(t.Context(), question(1), at(0), func() (time.Duration, error) { panic("x") })
	}()
	if err := v.Ask(t.Context(), question(1), at(0), func() (time.Duration, error) { return time.Minute, nil }); err != nil {
		t.Error(err)
	}
}

var errSilent = errors.New("no answer")

func kept(n uint64) *Question {
	q := question(n)
	q.Keep, q.NoAnswer = 10*time.Minute, func(err error) bool { return errors.Is(err, errSilent) }
	return q
}

// A hook that hangs cuts nobody who is in, and no poll waits for it.
func TestAYesIsKeptWhileThereIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerdicts()
		var answer error
		wait := time.Duration(0)
		var asked atomic.Int64
		ask := func() (time.Duration, error) {
			asked.Add(1)
			time.Sleep(wait)
			if errors.Is(answer, errSilent) {
				return 5 * time.Second, answer
			}
			return time.Minute, answer
		}
		poll := func() error {
			start := time.Now()
			defer func() {
				if d := time.Since(start); d > 0 {
					t.Errorf("a poll waited for %v", d)
				}
			}()
			err := v.Ask(t.Context(), kept(1), time.Now(), ask)
			if _, ok := v.Passed(kept(1).Pass, time.Now().Add(timeout-1)); err == nil && !ok {
				t.Error("the fragments are not let through until the next poll")
			}
			return err
		}
		if err := poll(); err != nil || asked.Load() != 1 {
			t.Fatal(err)
		}
		begin := time.Now()
		answer, wait = errSilent, 10*time.Second
		for time.Since(begin) < 11*time.Minute {
			if err := poll(); err != nil {
				t.Fatalf("refused after %v: %v", time.Since(begin), err)
			}
			if at := time.Since(begin); at < 50*time.Second && asked.Load() > 1 {
				t.Fatalf("asked again after %v", at)
			}
			time.Sleep(5 * time.Second)
		}
		if n := asked.Load(); n < 30 || n > 50 { // each takes 10 s, and is tried again 5 s later
			t.Errorf("asked %d times in 11 minutes", n)
		}
		synctest.Wait()
		time.Sleep(20 * time.Second)
		if err := v.Ask(t.Context(), kept(1), time.Now(), ask); !errors.Is(err, errSilent) {
			t.Errorf("after deny_for: %v", err)
		}
	})
}

func TestAnAnswerCountsForWhoIsIn(t *testing.T) {
	for _, no := range []error{nil, errors.New("no")} {
		synctest.Test(t, func(t *testing.T) {
			v, asked := NewVerdicts(), 0
			var answer error
			poll := func() error {
				err := v.Ask(t.Context(), kept(1), time.Now(), func() (time.Duration, error) { asked++; return time.Minute, answer })
				synctest.Wait()
				return err
			}
			_ = poll()
			answer = no
			time.Sleep(51 * time.Second) // shortly before it is over it is asked again
			if err := poll(); err != nil || asked != 2 {
				t.Errorf("%v after %d questions: nobody waits for the answer", err, asked)
			}
			time.Sleep(2 * time.Second)
			if err := poll(); !errors.Is(err, no) || asked != 2 {
				t.Errorf("%v after %d questions, want %v", err, asked, no)
			}
		})
	}
}

// Who is new is not to wait behind all who are in.
func TestRenewalsAreRationed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := NewVerdicts()
		hang := make(chan struct{})
		for n := range uint64(200) {
			_ = v.Ask(t.Context(), kept(n), time.Now(), func() (time.Duration, error) { return time.Minute, nil })
		}
		time.Sleep(time.Minute)
		under := 0
		for n := range uint64(200) {
			if err := v.Ask(t.Context(), kept(n), time.Now(), func() (time.Duration, error) { under++; <-hang; return 0, context.Canceled }); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if under != 32 {
			t.Errorf("%d questions are under way", under)
		}
		close(hang)
		synctest.Wait()
		if len(v.pending) != 0 || v.renewed != 0 {
			t.Errorf("%d questions are left, %d renewals", len(v.pending), v.renewed)
		}
	})
}

func TestKeysDoNotRunTogether(t *testing.T) {
	t.Parallel()
	a := netip.MustParseAddr("10.0.0.1")
	keys := []Key{KeyOf(1, 0, a, "ab", "c"), KeyOf(1, 0, a, "a", "bc"), KeyOf(1, 0, a, "abc"), KeyOf(1, 0, a, "abc", ""), KeyOf(0, 1, a, "ab", "c"), KeyOf(1, 0, netip.Addr{}, "ab", "c")}
	for i, k := range keys {
		if slices.Index(keys, k) != i {
			t.Errorf("key %d is another one's twin", i)
		}
	}
}

func TestAllocations(t *testing.T) {
	p := newPool()
	c := p.NewCounter(timeout)
	a := netip.MustParseAddr("198.51.100.1")
	joined(t, c, p.ID(a, "agent"), 0, nil)
	n := testing.AllocsPerRun(100, func() {
		if !c.Touch(p.ID(a, "agent"), at(1), timeout) {
			t.Error("not joined")
		}
	})
	if n != 0 {
		t.Errorf("a poll allocates %v times", n)
	}
	v := NewVerdicts()
	n = testing.AllocsPerRun(100, func() { v.Passed(KeyOf(1, 0, a, "stream", "agent"), at(0)) })
	if n != 0 {
		t.Errorf("a look at a verdict allocates %v times", n)
	}
}

// BenchmarkTouch is what counting adds to a playlist request, for 10 000 viewers
// that take turns.
func BenchmarkTouch(b *testing.B) {
	p := newPool()
	c := p.NewCounter(time.Hour)
	const n = 10_000
	addrs, agents := make([]netip.Addr, n), make([]string, n)
	now := time.Now()
	for i := range n {
		addrs[i], agents[i] = netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), fmt.Sprint("Mozilla/5.0 (X11; Linux x86_64) ", i)
		_, _ = c.Join(p.ID(addrs[i], agents[i]), netip.Prefix{}, now, nil)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.Touch(p.ID(addrs[i], agents[i]), now, time.Hour)
		i = (i + 1) % n
	}
}

// BenchmarkPassed is what a fragment costs where on_play is asked.
func BenchmarkPassed(b *testing.B) {
	v := NewVerdicts()
	a := netip.MustParseAddr("198.51.100.1")
	b.ReportAllocs()
	for b.Loop() {
		v.Passed(KeyOf(1, 0, a, "stream", "Mozilla/5.0 (X11; Linux x86_64)"), t0)
	}
}
