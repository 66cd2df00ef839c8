package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// A Caller makes the calls of one application, or of one rtmp block.
type Caller struct {
	client *Client
	log    *zap.Logger
	gate   gate
	done   queue // of laneDone
	lists  queue // of lanePlaylist

	mu   sync.Mutex
	down [numHooks]Down // guarded by mu
}

// Down says that a hook gives no answer.
type Down struct {
	Hook  Hook
	Since time.Time // of the first call without an answer
	Calls int       // without an answer since the last with one; 0: the hook answers
	Err   string
	last  time.Time // of the calls
}

// downFor is how long a call without an answer says that the hook is down. Where
// nobody has called it since, nobody is hurt, and nobody knows.
const downFor = 10 * time.Minute

// Down lists the hooks that give no answer.
func (c *Caller) Down() []Down {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Down
	for _, d := range c.down {
		if d.Calls > 0 && time.Since(d.last) < downFor {
			out = append(out, d)
		}
	}
	return out
}

// Moved says that the hooks have other URLs from now on: what is known of the old
// ones counts no more.
func (c *Caller) Moved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = [numHooks]Down{}
}

// Caller makes a caller. log says whose it is.
func (c *Client) Caller(log *zap.Logger) *Caller {
	k := &Caller{client: c, log: log}
	k.gate.draining = &c.draining
	k.done.lane, k.lists.lane = laneDone, lanePlaylist
	return k
}

// Ask calls the hook at target and waits for its verdict, for notify_timeout at
// the most. No target means yes. An error that is not ctx's is a *Refusal: the
// hook says no, or nothing. An update that gets no answer, or another one than
// 4xx, is a yes unless notify_update_strict.
func (c *Caller) Ask(ctx context.Context, target value.URL, n *config.Notify, e Event) (Verdict, error) {
	if target == "" {
		return Verdict{}, nil
	}
	a, err := c.ask(ctx, target, n, e)
	if ctx.Err() != nil {
		return Verdict{}, ctx.Err() // whoever asks is gone
	}
	var v Verdict
	if err == nil {
		v, err = a.judge(e.Hook, n.UpdateStrict)
	} else {
		err = &Refusal{Hook: e.Hook, Reason: noAnswer(e.Hook, err), Err: err}
	}
	if e.Hook == OnUpdate && (errors.Is(err, errBusy) || !n.UpdateStrict && a.status/100 != 4) {
		err = nil // a queue of ours is no verdict, however strict
	}
	return v, err
}

func (c *Caller) ask(ctx context.Context, target value.URL, n *config.Notify, e Event) (answer, error) {
	ctx, cancel := c.client.Awake.WithTimeout(ctx, cmp.Or(n.Timeout, defaultTimeout))
	defer cancel()
	l := e.Hook.lane()
	if err := c.gate.enter(ctx, l, n.Concurrency); err != nil {
		c.client.stats[e.Hook].lost.Add(1)
		return answer{}, fmt.Errorf("%w (notify_concurrency = %d)", errBusy, n.Concurrency)
	}
	defer c.gate.leave(l)
	a, _, err := c.call(ctx, target, n, e)
	return a, err
}

// call makes a call that has its place, counts it and says what changed.
func (c *Caller) call(ctx context.Context, target value.URL, n *config.Notify, e Event) (a answer, sent bool, err error) {
	start := time.Now()
	a, sent, err = c.client.call(ctx, target, n, e)
	if errors.Is(ctx.Err(), context.Canceled) {
		return a, sent, err // the server stops, which is no fault of the hook's
	}
	c.client.stats.called(e.Hook, time.Since(start), err, a.status/100 != 2 && a.status/100 != 3)
	c.note(e.Hook, cmp.Or(err, a.gatewayError()))
	return a, sent, err
}

// note logs that a hook has stopped to answer, and that it does again.
func (c *Caller) note(h Hook, err error) {
	c.mu.Lock()
	d := &c.down[h]
	before := d.Calls
	if err != nil {
		if before == 0 {
			d.Hook, d.Since = h, time.Now()
		}
		d.Calls++
		d.Err, d.last = errorText(err), time.Now()
	} else {
		*d = Down{}
	}
	c.mu.Unlock()
	switch {
	case err != nil && before == 0:
		c.log.Warn("hook gives no answer", zap.String("finding", "hook_down"), zap.Stringer("hook", h), zap.String("error", errorText(err)))
	case err == nil && before > 0:
		c.log.Info("hook answers again", zap.Stringer("hook", h), zap.Int("failures", before))
	}
}

// maxErrorText bounds what a log line shows of an error: it may quote an answer.
const maxErrorText = 200

func errorText(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within notify_timeout"
	}
	text := err.Error()
	return text[:min(len(text), maxErrorText)]
}

// noAnswer is why a hook gave no answer, for the client that asked: a client
// learns nothing of where the hook is.
func noAnswer(h Hook, err error) string {
	switch {
	case errors.Is(err, errBusy):
		return fmt.Sprintf("%s: %s", h, errBusy)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%s gave no answer in time", h)
	}
	return fmt.Sprintf("%s could not be asked", h)
}
