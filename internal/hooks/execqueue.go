package hooks

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	// maxEventsAtOnce is how many processes of one block of events run at a time: clients
	// decide how often there are events.
	maxEventsAtOnce = 16
	// maxEvents is how many events of a block wait for those.
	maxEvents = 1000
)

// A Queue runs the program of one block of events (exec "publish", "record_done" …)
// once for each event. It is never started again, whatever becomes of it.
type Queue struct {
	commands *Commands
	voice    voice

	mu      sync.Mutex
	waiting []Command
	running int
	ctx     context.Context // of those that run; nil: none do
	cancel  context.CancelFunc
	full    bool // events are being lost
	over    bool
}

// Queue returns one without events.
func (cs *Commands) Queue() *Queue { return &Queue{commands: cs} }

// Run has the program run once, now or after those that run. It returns at once.
func (q *Queue) Run(c Command) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return
	}
	if len(q.waiting) >= maxEvents {
		if !q.full {
			c.Log.Warn("exec: events are lost, too many are waiting", zap.String("exec", c.title()), zap.Int("running", q.running))
		}
		q.full = true
		return
	}
	q.waiting = append(q.waiting, c)
	if q.ctx == nil {
		q.ctx, q.cancel = context.WithCancel(q.commands.ctx)
	}
	ctx := q.ctx
	if q.running < maxEventsAtOnce && q.commands.spawn(func() { q.work(ctx) }) {
		q.running++
	}
}

// Stop ends what runs and forgets what waits. It returns at once.
func (q *Queue) Stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over, q.waiting = true, nil
	if q.cancel != nil {
		q.cancel()
	}
}

// work runs events until there are none.
func (q *Queue) work(ctx context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 && ctx.Err() == nil {
		c := q.waiting[0]
		q.waiting[0], q.waiting = Command{}, q.waiting[1:]
		q.mu.Unlock()
		q.once(ctx, &c)
		q.mu.Lock()
	}
	if q.running--; q.running == 0 {
		q.cancel()
		q.ctx, q.full = nil, false
	}
}

func (q *Queue) once(ctx context.Context, c *Command) {
	began := time.Now()
	err := c.run(ctx, q.commands.kill, &q.voice, func(pid int) {
		c.Log.Debug("exec started", zap.String("exec", c.title()), zap.Int("pid", pid))
	})
	ran := zap.Duration("ran", time.Since(began).Round(time.Millisecond))
	switch {
	case ctx.Err() != nil:
		q.voice.say(c.Log.Info, "exec stopped", zap.String("exec", c.title()), ran)
	case err != nil:
		q.voice.say(c.Log.Warn, "exec failed", zap.String("exec", c.title()), zap.Error(err), ran)
	default:
		c.Log.Debug("exec ended", zap.String("exec", c.title()), ran)
	}
}
