package viewers

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"
)

const (
	maxVerdicts = 1 << 16 // of each kind: some 16 MB when full
	maxRefusals = 1 << 14
	// maxRenewals bounds the questions of those who are in that are under way
	// at a time: whoever is new comes first.
	maxRenewals = 32
)

// A Key names what a verdict is about without keeping it.
type Key [sha256.Size]byte

// KeyOf makes a Key; no two lists of parts make the same.
func KeyOf(number1, number2 uint64, addr netip.Addr, parts ...string) Key {
	var room [512]byte
	a := addr.As16()
	b := binary.BigEndian.AppendUint64(append(room[:0], a[:]...), number1)
	b = binary.BigEndian.AppendUint64(b, number2)
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return sha256.Sum256(b)
}

// A Question is what a verdict answers.
type Question struct {
	Yes, No Key           // under which the one or the other is remembered
	Pass    Key           // what a yes lets through until its end
	Grace   time.Duration // and how much longer
	Epoch   uint64        // of who asks: Passed tells it
	// Keep is how long a yes holds beyond its time while there is no answer. It
	// is then asked again behind the backs of those who are in. 0: they wait.
	Keep     time.Duration
	NoAnswer func(error) bool // says that an error is none; nil: each is a no
}

// Verdicts remembers answers. Noes are apart: however many are refused, whoever
// was let in stays so.
type Verdicts struct {
	mu      sync.Mutex
	yes     table
	no      table
	passes  table
	flights map[Key]*flight // by Question.No
	renewed int             // of flights: those that nobody waits for
}

// A flight is a question under way.
type flight struct {
	done chan struct{}
	err  error // after done
}

// NewVerdicts makes an empty memory.
func NewVerdicts() *Verdicts {
	return &Verdicts{
		yes: newTable(maxVerdicts), no: newTable(maxRefusals), passes: newTable(maxVerdicts),
		flights: make(map[Key]*flight),
	}
}

// Remembered returns the verdict on q (nil: yes) if there is one and it need not be
// asked for again: the path of every request, which allocates nothing.
func (v *Verdicts) Remembered(q *Question, now time.Time) (err error, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if a := v.yes.get(q.Yes, now); a != nil {
		v.letPass(q, a, now)
		return nil, !v.renews(q, a, now)
	}
	if a := v.no.get(q.No, now); a != nil {
		return a.err, true
	}
	return nil, false
}

// letPass keeps the pass of a yes; mu is held.
func (v *Verdicts) letPass(q *Question, a *answer, now time.Time) {
	until := a.good
	if until.Before(now) {
		until = now
	}
	until = until.Add(q.Grace)
	if p := v.passes.get(q.Pass, now); p == nil || p.until.Before(until) { // it had to make room, or the yes is kept
		v.passes.put(q.Pass, answer{until: until, epoch: q.Epoch})
	}
}

// renews says whether a yes is to be asked for again now; mu is held.
func (v *Verdicts) renews(q *Question, a *answer, now time.Time) bool {
	return q.Keep > 0 && !now.Before(a.renew) && v.flights[q.No] == nil && v.renewed < maxRenewals
}

// Judge returns the remembered verdict on q (nil: yes), else what ask says, which
// is remembered for as long as it says. Of those who ask the same at a time one
// calls ask, and the others wait for it or for their ctx. Who has a yes that is
// kept does not wait: ask is called in a goroutine of its own shortly before the
// yes is over.
func (v *Verdicts) Judge(ctx context.Context, q *Question, now time.Time, ask func() (time.Duration, error)) error {
	v.mu.Lock()
	if a := v.yes.get(q.Yes, now); a != nil {
		v.letPass(q, a, now)
		if v.renews(q, a, now) {
			v.renewed++
			f := v.takeOff(q)
			go v.fly(f, q, now, true, ask)
		}
		v.mu.Unlock()
		return nil
	}
	if a := v.no.get(q.No, now); a != nil {
		v.mu.Unlock()
		return a.err
	}
	if f := v.flights[q.No]; f != nil {
		v.mu.Unlock()
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f := v.takeOff(q)
	v.mu.Unlock()
	v.fly(f, q, now, false, ask)
	return f.err
}

// takeOff begins a question; mu is held.
func (v *Verdicts) takeOff(q *Question) *flight {
	f := &flight{done: make(chan struct{}), err: context.Canceled}
	v.flights[q.No] = f
	return f
}

// fly asks, and remembers the answer.
func (v *Verdicts) fly(f *flight, q *Question, now time.Time, renewal bool, ask func() (time.Duration, error)) {
	began := time.Now()
	var life time.Duration
	defer func() {
		v.mu.Lock()
		defer close(f.done)
		defer v.mu.Unlock()
		delete(v.flights, q.No)
		if renewal {
			v.renewed--
		}
		switch {
		case life > 0 && f.err == nil:
			good := now.Add(life)
			v.yes.put(q.Yes, answer{until: good.Add(q.Keep), good: good, renew: good.Add(-life / 6)})
			v.passes.put(q.Pass, answer{until: good.Add(q.Grace), epoch: q.Epoch})
			return
		case life > 0:
			v.no.put(q.No, answer{until: now.Add(life), err: f.err})
		}
		a := v.yes.get(q.Yes, now)
		switch {
		case a == nil:
		case life <= 0 || q.NoAnswer != nil && q.NoAnswer(f.err):
			a.renew = now.Add(time.Since(began) + max(life, time.Second))
		default:
			v.yes.drop(v.yes.byKey[q.Yes])
		}
	}()
	life, f.err = ask()
}

// Passed says whether a yes lets pass through now, and whose epoch it was.
func (v *Verdicts) Passed(pass Key, now time.Time) (epoch uint64, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.passes.get(pass, now)
	if a == nil {
		return 0, false
	}
	return a.epoch, true
}

// Purge forgets what is over.
func (v *Verdicts) Purge(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.yes.purge(now)
	v.no.purge(now)
	v.passes.purge(now)
}

// A table holds answers, the oldest first to go.
type table struct {
	max   int
	byKey map[Key]*list.Element // of *answer
	order *list.List
}

type answer struct {
	key   Key
	until time.Time
	epoch uint64
	err   error

	// Of a yes: until when it is one without being kept, and from when on it
	// is asked again.
	good, renew time.Time
}

func newTable(limit int) table {
	return table{max: limit, byKey: make(map[Key]*list.Element), order: list.New()}
}

func (t *table) get(k Key, now time.Time) *answer {
	el := t.byKey[k]
	if el == nil || !now.Before(el.Value.(*answer).until) {
		return nil
	}
	return el.Value.(*answer)
}

func (t *table) put(k Key, a answer) {
	a.key = k
	if el := t.byKey[k]; el != nil {
		t.order.Remove(el)
	} else if len(t.byKey) >= t.max {
		t.drop(t.order.Front())
	}
	t.byKey[k] = t.order.PushBack(&a)
}

func (t *table) drop(el *list.Element) {
	delete(t.byKey, el.Value.(*answer).key)
	t.order.Remove(el)
}

func (t *table) purge(now time.Time) {
	for el := t.order.Front(); el != nil && !now.Before(el.Value.(*answer).until); el = t.order.Front() {
		t.drop(el)
	}
}
