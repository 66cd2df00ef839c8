package hooks

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// A Call is an event on its way to a hook.
type Call struct {
	Target value.URL // no URL: there is no such hook
	Event  Event
}

const (
	// maxPending bounds the bytes that wait in one queue: some ten thousand calls.
	maxPending = 8 << 20
	// callOverhead is what a waiting call takes beside its form.
	callOverhead = 256

	// A call that the hook can't have got is made again, after minBackOff and
	// then twice as long each time up to maxBackOff, for some two minutes.
	minBackOff = time.Second
	maxBackOff = 30 * time.Second
	maxTries   = 8
)

// A batch is calls that go out one after the other, in their order.
type batch struct {
	key    string // no two batches of one key are under way
	latest bool   // a newer batch of its key takes its place; no second try
	calls  []Call
	notify *config.Notify
	tries  int
	size   int
}

// A queue holds the batches of one lane. As many workers as the lane has places
// run while there is work.
type queue struct {
	lane lane

	mu      sync.Mutex
	ready   []*batch
	size    int // bytes, of batches that wait to be tried again as well
	workers int
	latest  map[string]*batch // by key: those in ready that may be replaced
	under   map[string]bool   // keys of batches that are under way
	full    bool              // calls are being lost
}

// Tell has the calls made, one after the other and after those of the same
// session that were told before, and returns at once. A hook that can't be
// reached, or whose gateway says so (502, 503), is called again with back-off;
// what does not fit in the queue is lost and counted. n must not change.
func (c *Caller) Tell(n *config.Notify, session uint64, calls ...Call) {
	c.put(&c.done, newBatch(strconv.FormatUint(session, 10), n, calls))
}

// TellLatest is Tell for a state of which only the newest counts: a call with
// the same key that has not been made yet is not made. Nor is it ever made again.
func (c *Caller) TellLatest(n *config.Notify, key string, call Call) {
	b := newBatch(key, n, []Call{call})
	b.latest = true
	c.put(&c.lists, b)
}

func newBatch(key string, n *config.Notify, calls []Call) *batch {
	b := &batch{key: key, notify: n}
	for _, call := range calls {
		if call.Target == "" {
			continue
		}
		b.calls = append(b.calls, call)
		b.size += len(call.Event.form) + callOverhead
	}
	return b
}

// put queues b and sees to it that somebody works.
func (c *Caller) put(q *queue, b *batch) {
	if len(b.calls) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if old := q.latest[b.key]; old != nil {
		q.size += b.size - old.size
		old.calls, old.notify, old.size = b.calls, b.notify, b.size
		return
	}
	if q.size+b.size > maxPending {
		if !q.full {
			c.log.Warn("hook calls are lost: too many are waiting", zap.Stringer("hook", b.calls[0].Event.Hook))
		}
		q.full = true
		c.lose(b)
		return
	}
	q.full = q.full && q.size > maxPending/2 // a line for a time of trouble, not for each call
	q.size += b.size
	c.pushLocked(q, b)
}

func (c *Caller) pushLocked(q *queue, b *batch) {
	if q.under == nil {
		q.latest, q.under = make(map[string]*batch), make(map[string]bool)
	}
	q.ready = append(q.ready, b)
	if b.latest {
		q.latest[b.key] = b
	}
	if q.workers < c.gate.places(q.lane, b.notify.Concurrency) && c.client.spawn(func() { c.work(q) }) {
		q.workers++
	}
}

// work makes calls until there are none.
func (c *Caller) work(q *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		b := q.take()
		if b == nil {
			q.workers--
			return
		}
		q.mu.Unlock()
		again := c.run(q, b)
		q.mu.Lock()
		delete(q.under, b.key)
		if again {
			time.AfterFunc(backOff(b.tries), func() { c.again(q, b) })
			continue
		}
		q.size -= b.size
	}
}

// take is the next batch whose predecessor of the same key is done; nil: none.
func (q *queue) take() *batch {
	for i, b := range q.ready {
		if q.under[b.key] {
			continue
		}
		if i == 0 {
			q.ready[0], q.ready = nil, q.ready[1:]
		} else {
			q.ready = slices.Delete(q.ready, i, i+1)
		}
		if b.latest {
			delete(q.latest, b.key)
		}
		q.under[b.key] = true
		return b
	}
	return nil
}

func backOff(tries int) time.Duration { return min(minBackOff<<(tries-1), maxBackOff) }

// again puts a batch back after its back-off.
func (c *Caller) again(q *queue, b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if c.client.draining.Load() {
		q.size -= b.size
		c.lose(b)
		return
	}
	for _, call := range b.calls {
		c.client.stats[call.Event.Hook].retried.Add(1)
	}
	c.pushLocked(q, b)
}

// run makes a batch's calls; again says that it is to come back with those that
// are left in it.
func (c *Caller) run(q *queue, b *batch) (again bool) {
	failed := b.calls[:0:0]
	for _, call := range b.calls {
		if !c.deliver(q.lane, b.notify, call) {
			failed = append(failed, call)
		}
	}
	b.calls = failed
	b.tries++
	if len(failed) == 0 {
		return false
	}
	if b.latest || b.tries >= maxTries || c.client.draining.Load() {
		c.lose(b)
		return false
	}
	return true
}

// deliver makes one call; false: the hook can't have got it. One that it has got
// and did not answer in time is done: a script that takes its time must not be
// started twice.
func (c *Caller) deliver(l lane, n *config.Notify, call Call) bool {
	if c.gate.enter(c.client.ctx, l, n.Concurrency) != nil {
		return false
	}
	defer c.gate.leave(l)
	ctx, cancel := c.client.Awake.WithTimeout(c.client.ctx, cmp.Or(n.Timeout, defaultTimeout))
	defer cancel()
	a, sent, err := c.call(ctx, call.Target, n, call.Event)
	if err != nil {
		return sent
	}
	return !a.unavailable()
}

// lose counts calls that are given up.
func (c *Caller) lose(b *batch) {
	for _, call := range b.calls {
		c.client.stats[call.Event.Hook].lost.Add(1)
	}
}
