package hooks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/output"
)

// maxRespawn is the longest pause before a program that keeps ending is started again,
// unless respawn_timeout itself is longer.
const maxRespawn = time.Minute

var errEnded = errors.New("it ended (exit status 0)")

// A Kept is a program that runs until Stop, and is started again when it ends.
type Kept struct {
	command Command
	ready   func() bool
	stop    context.CancelFunc
	done    chan struct{}
	voice   voice

	mu    sync.Mutex
	state output.State
}

// Keep has a program run until Stop, ctx or Close, once after is closed (nil: at once):
// that is the end of the one before it. ready, if not nil, says before each start whether
// the program is wanted; it is asked again every respawn_timeout.
func (cs *Commands) Keep(ctx context.Context, c Command, after <-chan struct{}, ready func() bool) *Kept {
	ctx, stop := context.WithCancel(ctx)
	k := &Kept{command: c, ready: ready, stop: stop, done: make(chan struct{})}
	forget := context.AfterFunc(cs.ctx, stop)
	started := cs.spawn(func() {
		defer close(k.done)
		defer forget()
		if after != nil {
			<-after
		}
		k.run(ctx, cs.kill)
	})
	if !started {
		stop()
		forget()
		close(k.done)
	}
	return k
}

// Stop ends the program and returns at once.
func (k *Kept) Stop() { k.stop() }

// Done is closed when the program and all that it has started are gone.
func (k *Kept) Done() <-chan struct{} { return k.done }

// State is how it is.
func (k *Kept) State() output.State {
	k.mu.Lock()
	defer k.mu.Unlock()
	if since := k.state.Since; !since.IsZero() && time.Since(since) > k.command.Exec.RespawnTimeout {
		k.state.Work()
	}
	return k.state
}

func (k *Kept) run(ctx context.Context, kill <-chan struct{}) {
	c := &k.command
	pause := output.Backoff{First: c.Exec.RespawnTimeout, Max: maxRespawn}
	for ctx.Err() == nil {
		wait := c.Exec.RespawnTimeout
		if k.ready == nil || k.ready() {
			began := time.Now()
			err := c.run(ctx, kill, &k.voice, k.started)
			ran := zap.Duration("ran", time.Since(began).Round(time.Millisecond))
			if err == nil {
				err = errEnded
			}
			if ctx.Err() != nil {
				k.voice.say(c.Log.Info, "exec stopped", zap.String("exec", c.title()), ran)
				return
			}
			if !c.Exec.Respawn {
				k.ended(err, 0)
				k.voice.say(c.Log.Warn, "exec ended", zap.String("exec", c.title()), zap.Error(err), ran)
				return
			}
			pause.Ran(time.Since(began))
			wait = pause.Next()
			k.ended(err, wait)
			k.voice.say(c.Log.Warn, "exec ended", zap.String("exec", c.title()), zap.Error(err), ran, zap.Duration("retry_in", wait))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// started notes that the program runs.
func (k *Kept) started(pid int) {
	c := &k.command
	program := filepath.Base(string(c.Exec.Command[0]))
	k.mu.Lock()
	k.state = output.State{Target: fmt.Sprintf("%s (pid %d)", program, pid), Since: time.Now(), Phase: output.Live, Failing: k.state.Failing, FailingSince: k.state.FailingSince}
	k.mu.Unlock()
	k.voice.say(c.Log.Info, "exec started", zap.String("exec", c.title()), zap.String("program", program), zap.Int("pid", pid))
}

// ended notes that the program does not run, and when it is started again.
func (k *Kept) ended(err error, wait time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Target, k.state.Since = "", time.Time{}
	k.state.Phase = output.Stopped
	if wait > 0 || !errors.Is(err, errEnded) { // else it was to run once, and has
		k.state.Fail(err.Error(), time.Now())
	}
	if wait > 0 {
		k.state.Phase, k.state.Retry = output.Waiting, time.Now().Add(wait)
	}
}
