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

// A Call is an event and the hook that gets it.
type Call struct {
	Target value.URL // empty: the hook is not configured
	Event  Event
}

const (
	// maxPending bounds the calls that wait in one queue, in bytes: about ten
	// thousand calls.
	maxPending = 8 << 20
	// callOverhead estimates the memory of a waiting call beside its form, in bytes.
	callOverhead = 256

	// A call that the hook can't have received is retried after minBackOff. The
	// pause doubles up to maxBackOff; all tries take about two minutes.
	minBackOff = time.Second
	maxBackOff = 30 * time.Second
	maxTries   = 8
	// maxAge is the age from which a call is tried only once. A call gets that old
	// while it waits for earlier calls of its chains.
	maxAge = 2 * time.Minute
)

// A Subject is the session and stream that calls are about. Calls about the same
// session or stream to the same host keep their order: each is delivered or given up
// before the next begins.
type Subject struct {
	Session uint64 // 0: it is about a stream alone
	Stream  string // that the session publishes; empty: none
}

// A delivery is a call in a queue, with the state of its tries.
type delivery struct {
	Call
	trigger *config.Trigger // whose handler gets it, in place of Target
	keys    []string        // of its chains in the queue
	latest  bool            // a newer one with the same key replaces it; it is not retried
	notify  *config.Notify
	tries   int
	at      time.Time

	behind int                // number of chains in which it is not the first
	hurry  bool               // the next try is the last, because Settle waits
	over   bool               // given up
	cancel context.CancelFunc // set while the call is made
	wake   func()             // set during back-off: ends it
	done   chan struct{}      // closed when delivered or given up; nil: Settle does not wait
}

func (b *delivery) size() int { return len(b.Event.form) + b.Event.payload.size() + callOverhead }

// A queue holds the waiting calls of one class. While there is work it has at most
// as many workers as the class has slots. mu also guards the deliveries.
type queue struct {
	class class

	mu      sync.Mutex
	chains  map[string][]*delivery // by key, oldest first; only the first may be in progress
	ready   []*delivery            // those that are first in each of their chains
	size    int                    // bytes
	workers int
	latest  map[string]*delivery // by key: not started, may be replaced
	full    bool                 // calls are lost, and the log says so
}

// Tell queues calls and returns at once. They are made in order, after earlier calls
// about the same session or stream. If a hook can't be reached, or its gateway
// answers 502 or 503, the call is retried with back-off. Calls that do not fit in the
// queue are lost and counted. The caller must not change n afterwards.
func (c *Caller) Tell(n *config.Notify, about Subject, calls ...Call) {
	for _, call := range calls {
		if call.Target != "" {
			c.put(&c.done, &delivery{Call: call, keys: about.keys(hostOf(call.Target)), notify: n})
		}
	}
}

func (s Subject) keys(host string) []string {
	var keys []string
	if s.Session != 0 || s.Stream == "" {
		keys = append(keys, strconv.FormatUint(s.Session, 10)+" "+host)
	}
	if s.Stream != "" {
		keys = append(keys, streamKey(s.Stream, host))
	}
	return keys
}

// streamKey never equals a session's key: those begin with a digit.
func streamKey(stream, host string) string { return "/" + stream + " " + host }

// hostOf returns the host of a hook's URL. Calls to different hosts do not wait for
// each other.
func hostOf(target value.URL) string {
	u, err := url.Parse(target.Reveal())
	if err != nil {
		return ""
	}
	return u.Host
}

// TellLatest is Tell for a state of which only the newest counts. A new call replaces
// a waiting one with the same key, and failed calls are not retried.
func (c *Caller) TellLatest(n *config.Notify, key string, call Call) {
	if call.Target == "" {
		return
	}
	c.put(&c.lists, &delivery{Call: call, keys: []string{key}, notify: n, latest: true})
}

// maxSettle bounds how long a publisher waits for the calls about its predecessor.
const maxSettle = 5 * time.Second

// Settle returns when the queued calls about a stream to target's host are delivered
// or given up. Scripts identify streams by name, so that they must not hear of the end
// of one publish after the beginning of the next. Calls in back-off get one more try
// at once. Calls about recordings are not given up but moved to the end.
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

// put adds b to the queue and starts a worker if needed.
func (c *Caller) put(q *queue, b *delivery) {
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
	q.full = q.full && q.size > maxPending/2 // one log line per overload, not one per call
	b.at = time.Now()
	c.pushLocked(q, b)
}

// pushLocked appends b to its chains.
func (c *Caller) pushLocked(q *queue, b *delivery) {
	if q.chains == nil {
		q.latest, q.chains = make(map[string]*delivery), make(map[string][]*delivery)
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

// readyLocked marks b, the first in its chains, as ready for a worker.
func (c *Caller) readyLocked(q *queue, b *delivery) {
	q.ready = append(q.ready, b)
	if q.workers < c.gate.slots(q.class, b.notify.Concurrency) && c.client.spawn(func() { c.work(q) }) {
		q.workers++
	}
}

// work makes calls until none is ready.
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
			delivered = c.deliver(ctx, q.class, b)
			cancel()
			q.mu.Lock()
			b.cancel = nil
			b.tries++
		}
		switch {
		case delivered:
		case b.latest || b.tries >= b.maxTries() || time.Since(b.at) >= maxAge || c.client.draining.Load():
			c.lose(b)
		case b.hurry && b.recording():
			c.pushLocked(q, &delivery{Call: b.Call, keys: b.keys, notify: b.notify, tries: b.tries, at: b.at, trigger: b.trigger})
		case !b.hurry && c.sleep(q, b):
			continue
		default:
			c.lose(b)
		}
		c.finishLocked(q, b)
	}
	q.workers--
}

// finishLocked removes b, which is delivered or given up, from its chains.
func (c *Caller) finishLocked(q *queue, b *delivery) {
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

// recording reports whether b is about a recorded file. Such a call may follow the
// next publish, because scripts identify it by the file.
func (b *delivery) recording() bool {
	return b.Event.Hook == OnRecordStarted || b.Event.Hook == OnRecordDone
}

// maxTries is how often a call is made that the hook can't have received, or that the
// handler of a trigger failed to answer.
func (b *delivery) maxTries() int {
	if b.trigger != nil {
		return 1 + b.trigger.Retries
	}
	return maxTries
}

func backOff(tries int) time.Duration { return min(minBackOff<<(tries-1), maxBackOff) }

// sleep retries b after its back-off, or earlier when b.wake is called. It returns
// false when the server stops.
func (c *Caller) sleep(q *queue, b *delivery) bool {
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

// deliver makes one call. It returns false if the hook can't have received it. A call
// that was received but not answered in time counts as delivered, because a slow
// script must not be started twice.
func (c *Caller) deliver(ctx context.Context, class class, b *delivery) bool {
	n := b.notify
	if c.gate.enter(ctx, class, n.Concurrency) != nil {
		return false
	}
	defer c.gate.leave(class)
	if b.trigger != nil {
		_, err := c.try(ctx, b.trigger, b.Event, b.tries+1)
		return err == nil
	}
	ctx, cancel := c.client.Awake.WithTimeout(ctx, cmp.Or(n.Timeout, defaultTimeout))
	defer cancel()
	a, sent, err := c.call(ctx, b.Target, n, b.Event)
	if err != nil {
		return sent
	}
	return !a.unavailable()
}

// lose counts a call that is given up.
func (c *Caller) lose(b *delivery) { c.client.stats[b.Event.Hook].lost.Add(1) }
