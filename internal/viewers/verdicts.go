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
}

// Verdicts remembers answers. Noes are apart: however many are refused, whoever
// was let in stays so.
type Verdicts struct {
	mu      sync.Mutex
	yes     table
	no      table
	passes  table
	flights map[Key]*flight // by Question.No
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

// Judge returns the remembered verdict on q (nil: yes), else what ask says, which
// is remembered for as long as it says. Of those who ask the same at a time one
// calls ask, and the others wait for it or for their ctx.
func (v *Verdicts) Judge(ctx context.Context, q *Question, now time.Time, ask func() (time.Duration, error)) error {
	v.mu.Lock()
	if a := v.yes.get(q.Yes, now); a != nil {
		if v.passes.get(q.Pass, now) == nil { // it had to make room
			v.passes.put(q.Pass, answer{until: a.until.Add(q.Grace), epoch: q.Epoch})
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
	f := &flight{done: make(chan struct{}), err: context.Canceled}
	v.flights[q.No] = f
	v.mu.Unlock()

	var life time.Duration
	defer func() {
		v.mu.Lock()
		delete(v.flights, q.No)
		if life > 0 && f.err != nil {
			v.no.put(q.No, answer{until: now.Add(life), err: f.err})
		} else if life > 0 {
			v.yes.put(q.Yes, answer{until: now.Add(life)})
			v.passes.put(q.Pass, answer{until: now.Add(life + q.Grace), epoch: q.Epoch})
		}
		v.mu.Unlock()
		close(f.done)
	}()
	life, f.err = ask()
	return f.err
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
