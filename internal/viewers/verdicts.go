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
	// maxRenewals bounds the concurrent questions about viewers that have joined:
	// new viewers come first.
	maxRenewals = 32
)

// A Key is a hash of what a verdict is about.
type Key [sha256.Size]byte

// KeyOf makes a Key. Different arguments make different keys.
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

// A Question describes a verdict that is wanted.
type Question struct {
	Yes, No Key           // keys under which a yes or a no is remembered
	Pass    Key           // key that passes, see Passed, until the yes ends
	Grace   time.Duration // how much longer it passes
	Epoch   uint64        // of the stream; Passed returns it
	// Keep is how long a yes is valid beyond its time while there is no new answer.
	// It is then renewed in the background. 0: viewers wait for the answer.
	Keep     time.Duration
	NoAnswer func(error) bool // reports that an error is no answer; nil: every error is a no
}

// Verdicts remembers the answers of hooks. Refusals have a table of their own: however
// many there are, they displace no yes.
type Verdicts struct {
	mu      sync.Mutex
	yes     table
	no      table
	passes  table
	pending map[Key]*pendingQuestion // by Question.No
	renewed int                      // of pending: renewals in the background
}

// A pendingQuestion is one that has been asked and not answered.
type pendingQuestion struct {
	done chan struct{}
	err  error // after done
}

// NewVerdicts makes Verdicts without answers.
func NewVerdicts() *Verdicts {
	return &Verdicts{
		yes: newTable(maxVerdicts), no: newTable(maxRefusals), passes: newTable(maxVerdicts),
		pending: make(map[Key]*pendingQuestion),
	}
}

// Remembered returns the verdict on q (nil: yes) if there is one that need not be
// renewed. It is called for every request and allocates nothing.
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

// letPass keeps the pass of a yes. mu is held.
func (v *Verdicts) letPass(q *Question, a *answer, now time.Time) {
	until := a.good
	if until.Before(now) {
		until = now
	}
	until = until.Add(q.Grace)
	if p := v.passes.get(q.Pass, now); p == nil || p.until.Before(until) { // it was displaced, or the yes is kept longer
		v.passes.put(q.Pass, answer{until: until, epoch: q.Epoch})
	}
}

// renews reports whether a yes is to be renewed now. mu is held.
func (v *Verdicts) renews(q *Question, a *answer, now time.Time) bool {
	return q.Keep > 0 && !now.Before(a.renew) && v.pending[q.No] == nil && v.renewed < maxRenewals
}

// Ask returns the remembered verdict on q (nil: yes), else the result of ask, which is
// remembered for as long as ask says. Of concurrent callers with the same question one
// calls ask; the others wait for it or for their ctx. A caller with a yes that is kept
// does not wait: ask is called in a goroutine of its own shortly before the yes ends.
func (v *Verdicts) Ask(ctx context.Context, q *Question, now time.Time, ask func() (time.Duration, error)) error {
	v.mu.Lock()
	if a := v.yes.get(q.Yes, now); a != nil {
		v.letPass(q, a, now)
		if v.renews(q, a, now) {
			v.renewed++
			f := v.begin(q)
			go v.ask(f, q, now, true, ask)
		}
		v.mu.Unlock()
		return nil
	}
	if a := v.no.get(q.No, now); a != nil {
		v.mu.Unlock()
		return a.err
	}
	if f := v.pending[q.No]; f != nil {
		v.mu.Unlock()
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f := v.begin(q)
	v.mu.Unlock()
	v.ask(f, q, now, false, ask)
	return f.err
}

// begin adds a pending question. mu is held.
func (v *Verdicts) begin(q *Question) *pendingQuestion {
	f := &pendingQuestion{done: make(chan struct{}), err: context.Canceled}
	v.pending[q.No] = f
	return f
}

// ask calls ask and remembers the answer.
func (v *Verdicts) ask(f *pendingQuestion, q *Question, now time.Time, renewal bool, ask func() (time.Duration, error)) {
	began := time.Now()
	var life time.Duration
	defer func() {
		v.mu.Lock()
		defer close(f.done)
		defer v.mu.Unlock()
		delete(v.pending, q.No)
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

// LetPass lets a pass through until a time, for what was decided without a question. It
// allocates nothing if it lets that pass through already.
func (v *Verdicts) LetPass(pass Key, until time.Time, epoch uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if el := v.passes.byKey[pass]; el != nil {
		a := el.Value.(*answer)
		a.until, a.epoch = until, epoch
		v.passes.order.MoveToBack(el)
		return
	}
	v.passes.put(pass, answer{until: until, epoch: epoch})
}

// Revoke ends a pass.
func (v *Verdicts) Revoke(pass Key) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if el := v.passes.byKey[pass]; el != nil {
		v.passes.drop(el)
	}
}

// Passed reports whether a yes lets pass through now, and returns its epoch.
func (v *Verdicts) Passed(pass Key, now time.Time) (epoch uint64, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	a := v.passes.get(pass, now)
	if a == nil {
		return 0, false
	}
	return a.epoch, true
}

// Purge removes answers that have ended.
func (v *Verdicts) Purge(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.yes.purge(now)
	v.no.purge(now)
	v.passes.purge(now)
}

// A table holds answers. A new one displaces the oldest when it is full.
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

	// Of a yes: when it ends unless it is kept, and from when on it is renewed.
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
