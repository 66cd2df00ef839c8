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
	done   queue // of classDone
	lists  queue // of classPlaylist
	voice  voice // of the programs that handle triggers

	mu   sync.Mutex
	down [numHooks]Down // guarded by mu
}

// Down describes a hook that does not answer.
type Down struct {
	Hook  Hook
	Since time.Time // of the first unanswered call
	Calls int       // unanswered calls since the last answer; 0: the hook answers
	Err   string
	last  time.Time // of the last unanswered call
}

// downFor is how long after its last unanswered call a hook counts as down. Without
// calls since then its state is unknown, and no client is affected.
const downFor = 10 * time.Minute

// Down lists the hooks that do not answer.
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

// Moved forgets which hooks are down. It is called when their URLs have changed.
func (c *Caller) Moved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = [numHooks]Down{}
}

// Caller returns a caller that logs to log.
func (c *Client) Caller(log *zap.Logger) *Caller {
	k := &Caller{client: c, log: log}
	k.gate.draining = &c.draining
	k.done.class, k.lists.class = classDone, classPlaylist
	return k
}

// Ask calls the hook at target and waits for its verdict, at most notify_timeout.
// Without a target the verdict is yes. An error other than ctx's is a *Refusal: the
// hook said no or did not answer. For on_update everything but a 4xx answer is a
// yes, unless notify_update_strict.
func (c *Caller) Ask(ctx context.Context, target value.URL, n *config.Notify, e Event) (Verdict, error) {
	if target == "" {
		return Verdict{}, nil
	}
	a, err := c.ask(ctx, target, n, e)
	if ctx.Err() != nil {
		return Verdict{}, ctx.Err() // the client has gone
	}
	var v Verdict
	if err == nil {
		v, err = a.verdict(e.Hook, n)
	} else {
		err = &Refusal{Hook: e.Hook, Reason: noAnswer(e.Hook, err), Err: err}
	}
	if e.Hook == OnUpdate && (errors.Is(err, errBusy) || !n.UpdateStrict && a.status/100 != 4) {
		err = nil // a full queue is no verdict, even with notify_update_strict
	}
	return v, err
}

func (c *Caller) ask(ctx context.Context, target value.URL, n *config.Notify, e Event) (answer, error) {
	ctx, cancel := c.client.Awake.WithTimeout(ctx, cmp.Or(n.Timeout, defaultTimeout))
	defer cancel()
	class := e.Hook.class()
	if err := c.gate.enter(ctx, class, n.Concurrency); err != nil {
		c.client.stats[e.Hook].lost.Add(1)
		return answer{}, fmt.Errorf("%w (notify_concurrency = %d)", errBusy, n.Concurrency)
	}
	defer c.gate.leave(class)
	a, _, err := c.call(ctx, target, n, e)
	return a, err
}

// call makes a call whose slot is taken, counts it and updates the hook's state.
func (c *Caller) call(ctx context.Context, target value.URL, n *config.Notify, e Event) (a answer, sent bool, err error) {
	start := time.Now()
	a, sent, err = c.client.call(ctx, target, n, e)
	if errors.Is(ctx.Err(), context.Canceled) {
		return a, sent, err // the server stops or the client has gone: no fault of the hook
	}
	c.client.stats.called(e.Hook, time.Since(start), err, a.status/100 != 2 && a.status/100 != 3)
	c.note(e.Hook, cmp.Or(err, a.gatewayError()))
	return a, sent, err
}

// note updates the state of a hook after a call, and logs when it changes.
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

// maxErrorText bounds the error text in a log line, in bytes: it may quote a
// response.
const maxErrorText = 200

func errorText(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within notify_timeout"
	}
	text := err.Error()
	return text[:min(len(text), maxErrorText)]
}

// noAnswer tells a client why a hook gave no answer, without the hook's address.
func noAnswer(h Hook, err error) string {
	switch {
	case errors.Is(err, errBusy):
		return fmt.Sprintf("%s: %s", h, errBusy)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("%s gave no answer in time", h)
	}
	return fmt.Sprintf("%s could not be asked", h)
}
