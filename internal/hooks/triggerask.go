package hooks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// A Reply is what the handlers of a trigger that wants a value have answered.
type Reply struct {
	Value    string // without line breaks at the end; not checked
	Answered bool   // false: no handler had anything to say
}

// Fire asks the handlers of a trigger, in order, and waits for those that are sync; the
// others are told. An error other than ctx's is a *Refusal.
//
// Where a yes is wanted all must say it. Where a value is wanted the last answer counts;
// it may be empty. Each handler gets the same payload. on_error says what it means that
// one fails. For triggers whose answer means nothing no handler is waited for.
func (c *Caller) Fire(ctx context.Context, n *config.Notify, about Subject, list []*config.Trigger, e Event) (r Reply, err error) {
	var refusal error
	for _, t := range list {
		if !t.Sync || e.Hook.kind().Answer == config.AnswerNothing {
			c.tellTrigger(n, about, t, e)
			continue
		}
		answer, err := c.askTrigger(ctx, n, t, e)
		if ctx.Err() != nil {
			return Reply{}, ctx.Err()
		}
		answer, pass, err := settle(t, e.Hook, answer, err)
		switch {
		case err != nil:
			if refusal == nil { // the others are asked all the same, as MistServer does
				refusal = err
			}
		case pass:
		case e.Hook.kind().Answer == config.AnswerValue:
			r = Reply{Value: answer, Answered: true}
		}
	}
	if refusal != nil {
		return Reply{}, refusal
	}
	return r, nil
}

// settle is what a handler's answer means. pass: nothing, as if it were not there. err
// is why there is no answer, or of type *Refusal.
func settle(t *config.Trigger, h Hook, answer string, err error) (value string, pass bool, _ error) {
	no := errors.As(err, new(*Refusal))
	if err != nil && !no {
		switch t.OnError {
		case "pass", "allow":
			return "", true, nil
		case "default":
			answer = t.Default
		default:
			return "", false, &Refusal{Hook: h, Reason: noAnswer(h, err), Err: err}
		}
	}
	if no {
		return "", false, err
	}
	if h.kind().Answer == config.AnswerYes && !truth(answer) {
		return "", false, &Refusal{Hook: h, Reason: fmt.Sprintf("refused by %s", h), Status: 200}
	}
	return answer, false, nil
}

// TellTriggers is Fire for a trigger whose answer means nothing: it returns at once.
func (c *Caller) TellTriggers(n *config.Notify, about Subject, list []*config.Trigger, e Event) {
	for _, t := range list {
		c.tellTrigger(n, about, t, e)
	}
}

func (c *Caller) tellTrigger(n *config.Notify, about Subject, t *config.Trigger, e Event) {
	if t.Format != "json" && !e.mist() {
		return
	}
	host := hostOf(t.Handler.URL())
	if host == "" {
		host = t.Handler.Command()[0]
	}
	c.put(&c.done, &delivery{Call: Call{Event: e}, trigger: t, keys: about.keys(host), notify: n})
}

const (
	// The pauses before a handler that somebody waits for is asked again: they double.
	minPause = 100 * time.Millisecond
	maxPause = time.Second
)

// askTrigger asks one handler until it answers, retries times more at most.
func (c *Caller) askTrigger(ctx context.Context, n *config.Notify, t *config.Trigger, e Event) (answer string, err error) {
	class := e.Hook.class()
	for attempt := 1; ; attempt++ {
		if err := c.gate.enter(ctx, class, n.Concurrency); err != nil {
			c.client.stats[e.Hook].lost.Add(1)
			return "", fmt.Errorf("%w (notify_concurrency = %d)", errBusy, n.Concurrency)
		}
		answer, err = c.try(ctx, t, e, attempt)
		c.gate.leave(class)
		if err == nil || errors.As(err, new(*Refusal)) || attempt > t.Retries {
			return answer, err
		}
		pause := time.NewTimer(min(minPause<<(attempt-1), maxPause))
		select {
		case <-ctx.Done():
			pause.Stop()
			return "", ctx.Err()
		case <-pause.C:
		}
		c.client.stats[e.Hook].retried.Add(1)
	}
}

// try asks a handler once, in a slot that is taken, counts it and updates its state.
func (c *Caller) try(ctx context.Context, t *config.Trigger, e Event, attempt int) (answer string, err error) {
	call, cancel := c.client.Awake.WithTimeout(ctx, t.Timeout)
	defer cancel()
	start := time.Now()
	if u := t.Handler.URL(); u != "" {
		answer, err = c.client.post(call, u, t, e, attempt)
	} else {
		answer, err = c.execute(call, t, e)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return "", ctx.Err() // the server stops or the client has gone: no fault of the handler
	}
	if call.Err() != nil && err != nil {
		err = fmt.Errorf("%w (timeout = %s)", context.DeadlineExceeded, value.FormatDuration(t.Timeout))
	}
	no := errors.As(err, new(*Refusal))
	if no {
		c.client.stats.called(e.Hook, time.Since(start), nil, true)
		c.note(e.Hook, nil)
		return "", err
	}
	refused := err == nil && e.Hook.kind().Answer == config.AnswerYes && !truth(answer)
	c.client.stats.called(e.Hook, time.Since(start), err, refused)
	c.note(e.Hook, err)
	return answer, err
}

// maxAnswer bounds a handler's answer, in bytes: it is a yes, a name or a URL.
const maxAnswer = 8 << 10

// cleanAnswer is what a handler answered without the line break that scripts put
// behind it. A byte order mark in front, as some editors put into scripts, is no part
// of an answer.
func cleanAnswer(b []byte) (string, error) {
	if len(b) > maxAnswer {
		return "", fmt.Errorf("it answers more than %d bytes", maxAnswer)
	}
	return strings.TrimRight(strings.TrimPrefix(string(b), "\uFEFF"), "\r\n"), nil
}
