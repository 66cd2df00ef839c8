package hooks

import (
	"cmp"
	"context"
	"net/url"
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
	// maxAge is how old a call is that has waited for those before it and is tried
	// only once.
	maxAge = 2 * time.Minute
)

// A Subject is what calls are about. Calls about one thing to one host are made in
// their order: each is delivered or given up before the next begins.
type Subject struct {
	Session uint64
	Stream  string // of a publisher; empty: of nobody's publishing
}

// A told is a call that is to be made, or made again.
type told struct {
	Call
	keys   []string // its chains in the queue
	latest bool     // a newer one of its key takes its place; no second try
	notify *config.Notify
	tries  int
	at     time.Time

	behind int                // in how many chains another one comes first
	hurry  bool               // the next try is the last: somebody waits
	over   bool               // given up
	cancel context.CancelFunc // while the call is made
	wake   func()             // while it waits to be made again
	done   chan struct{}      // closed when it is delivered or given up; nil: nobody waits
}

func (b *told) size() int { return len(b.Event.form) + callOverhead }

// A queue holds the calls of one lane. As many workers as the lane has places run
// while there is work. mu guards the calls, too.
type queue struct {
	lane lane

	mu      sync.Mutex
	chains  map[string][]*told // by key, all that are not done; only the first may be under way
	ready   []*told            // the first in all of their chains
	size    int                // bytes
	workers int
	latest  map[string]*told // by key: those that may be replaced
	full    bool             // calls are being lost
}

// Tell has the calls made, one after the other and after those about the same
// session or stream that were told before, and returns at once. A hook that can't be
// reached, or whose gateway says so (502, 503), is called again with back-off; what
// does not fit in the queue is lost and counted. n must not change.
func (c *Caller) Tell(n *config.Notify, about Subject, calls ...Call) {
	for _, call := range calls {
		if call.Target != "" {
			c.put(&c.done, &told{Call: call, keys: about.keys(hostOf(call.Target)), notify: n})
		}
	}
}

func (s Subject) keys(host string) []string {
	keys := []string{strconv.FormatUint(s.Session, 10) + " " + host}
	if s.Stream != "" {
		keys = append(keys, streamKey(s.Stream, host))
	}
	return keys
}

// streamKey is no session's: those begin with a digit.
func streamKey(stream, host string) string { return "/" + stream + " " + host }

// hostOf is whom a call reaches. A call about a stream waits for no other host's.
func hostOf(target value.URL) string {
	u, err := url.Parse(target.Reveal())
	if err != nil {
		return ""
	}
	return u.Host
}

// TellLatest is Tell for a state of which only the newest counts: a call with
// the same key that has not been made yet is not made. Nor is it ever made again.
func (c *Caller) TellLatest(n *config.Notify, key string, call Call) {
	if call.Target == "" {
		return
	}
	c.put(&c.lists, &told{Call: call, keys: []string{key}, notify: n, latest: true})
}

// maxSettle bounds how long a publisher waits for the calls about the one before.
const maxSettle = 5 * time.Second

// Settle returns when the calls to target's host about a stream that were told before
// have been delivered or given up: scripts know streams by name, and the end of one
// must not be heard after the beginning of the next. Those that wait are tried once
// more, at once. Those about recordings are not given up, but put behind.
func (c *Caller) Settle(ctx context.Context, n *config.Notify, target value.URL, stream string) {
	if target == "" {
		return
	}
	q := &c.done
	q.mu.Lock()
	chain := slices.Clone(q.chains[streamKey(stream, hostOf(target))])
	if len(chain) == 0 {
		q.mu.Unlock()
		return
	}
	for _, b := range chain {
		b.hurry = true
		if b.wake != nil {
			b.wake()
		}
	}
	last := chain[len(chain)-1]
	if last.done == nil {
		last.done = make(chan struct{})
	}
	done := last.done
	q.mu.Unlock()
	ctx, cancel := c.client.Awake.WithTimeout(ctx, min(maxSettle, cmp.Or(n.Timeout, defaultTimeout)))
	defer cancel()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, b := range chain {
		b.over = true
		if b.cancel != nil {
			b.cancel()
		}
	}
}

// put queues b and sees to it that somebody works.
func (c *Caller) put(q *queue, b *told) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if old := q.latest[b.keys[0]]; old != nil && b.latest {
		q.size += b.size() - old.size()
		old.Call, old.notify = b.Call, b.notify
		return
	}
	if q.size+b.size() > maxPending {
		if !q.full {
			c.log.Warn("hook calls are lost: too many are waiting", zap.Stringer("hook", b.Event.Hook))
		}
		q.full = true
		c.lose(b)
		return
	}
	q.full = q.full && q.size > maxPending/2 // a line for a time of trouble, not for each call
	b.at = time.Now()
	c.pushLocked(q, b)
}

// pushLocked puts b at the end of its chains.
func (c *Caller) pushLocked(q *queue, b *told) {
	if q.chains == nil {
		q.latest, q.chains = make(map[string]*told), make(map[string][]*told)
	}
	q.size += b.size()
	for _, key := range b.keys {
		if len(q.chains[key]) > 0 {
			b.behind++
		}
		q.chains[key] = append(q.chains[key], b)
	}
	if b.latest {
		q.latest[b.keys[0]] = b
	}
	if b.behind == 0 {
		c.readyLocked(q, b)
	}
}

func (c *Caller) readyLocked(q *queue, b *told) {
	q.ready = append(q.ready, b)
	if q.workers < c.gate.places(q.lane, b.notify.Concurrency) && c.client.spawn(func() { c.work(q) }) {
		q.workers++
	}
}

// work makes calls until there are none.
func (c *Caller) work(q *queue) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ready) > 0 {
		b := q.ready[0]
		q.ready[0], q.ready = nil, q.ready[1:]
		if b.latest {
			delete(q.latest, b.keys[0])
		}
		delivered := false
		if !b.over {
			ctx, cancel := context.WithCancel(c.client.ctx)
			b.cancel = cancel
			q.mu.Unlock()
			delivered = c.deliver(ctx, q.lane, b)
			cancel()
			q.mu.Lock()
			b.cancel = nil
			b.tries++
		}
		switch {
		case delivered:
		case b.latest || b.tries >= maxTries || time.Since(b.at) >= maxAge || c.client.draining.Load():
			c.lose(b)
		case b.hurry && b.recording():
			c.pushLocked(q, &told{Call: b.Call, keys: b.keys, notify: b.notify, tries: b.tries, at: b.at})
		case !b.hurry && c.sleep(q, b):
			continue
		default:
			c.lose(b)
		}
		c.finishLocked(q, b)
	}
	q.workers--
}

// finishLocked takes b out of its chains: it is delivered or given up.
func (c *Caller) finishLocked(q *queue, b *told) {
	q.size -= b.size()
	if b.done != nil {
		close(b.done)
	}
	for _, key := range b.keys {
		chain := q.chains[key]
		chain[0], chain = nil, chain[1:]
		if len(chain) == 0 {
			delete(q.chains, key)
			continue
		}
		q.chains[key] = chain
		if chain[0].behind--; chain[0].behind == 0 {
			c.readyLocked(q, chain[0])
		}
	}
}

// recording says whether b is about a file, which nobody takes for the stream.
func (b *told) recording() bool {
	return b.Event.Hook == OnRecordStarted || b.Event.Hook == OnRecordDone
}

func backOff(tries int) time.Duration { return min(minBackOff<<(tries-1), maxBackOff) }

// sleep has b tried again after its back-off, or as soon as it is woken; false: the
// server stops.
func (c *Caller) sleep(q *queue, b *told) bool {
	var timer *time.Timer
	again := func() {
		b.wake = nil
		c.client.awake(b)
		if c.client.draining.Load() {
			c.lose(b)
			c.finishLocked(q, b)
			return
		}
		c.client.stats[b.Event.Hook].retried.Add(1)
		c.readyLocked(q, b)
	}
	b.wake = func() {
		if timer.Stop() {
			again()
		}
	}
	timer = time.AfterFunc(backOff(b.tries), func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		again()
	})
	asleep := c.client.asleep(b, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		if b.wake != nil {
			b.wake()
		}
	})
	if !asleep && timer.Stop() {
		b.wake = nil
		return false
	}
	return true
}

// deliver makes one call; false: the hook can't have got it. One that it has got
// and did not answer in time is done: a script that takes its time must not be
// started twice.
func (c *Caller) deliver(ctx context.Context, l lane, b *told) bool {
	n := b.notify
	if c.gate.enter(ctx, l, n.Concurrency) != nil {
		return false
	}
	defer c.gate.leave(l)
	ctx, cancel := c.client.Awake.WithTimeout(ctx, cmp.Or(n.Timeout, defaultTimeout))
	defer cancel()
	a, sent, err := c.call(ctx, b.Target, n, b.Event)
	if err != nil {
		return sent
	}
	return !a.unavailable()
}

// lose counts a call that is given up.
func (c *Caller) lose(b *told) { c.client.stats[b.Event.Hook].lost.Add(1) }
