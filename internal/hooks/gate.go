package hooks

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// A class groups calls that share slots of the gate, so that a hook that hangs
// blocks no call of a more urgent class. Most urgent first.
type class uint8

const (
	classAccess class = iota // of who connects or publishes: may take every slot
	classPlay
	classUpdate
	classDone
	classPlaylist
	numClasses
)

func (h Hook) class() class {
	switch h {
	case OnConnect, OnPublish, PushRewrite, RTMPPushRewrite, StreamPush:
		return classAccess
	case OnPlay, PlayRewrite, DefaultStream, StreamSource, StreamLoad, ConnOpen, ConnPlay, UserNew:
		return classPlay
	case OnUpdate:
		return classUpdate
	case OnPlaylist:
		return classPlaylist
	}
	return classDone
}

// slots returns how many of limit concurrent calls may be of class c. With a limit
// of 8 or more, an eighth stays free for publishers. A server that stops asks no
// more verdicts, so every class may take all slots.
func (g *gate) slots(c class, limit int) int {
	limit = max(limit, 1)
	switch {
	case c == classAccess, g.draining.Load():
		return limit
	case c == classPlay:
		return max(1, limit/2)
	}
	return max(1, limit/8)
}

// maxWaiting bounds the calls of one class that wait for a slot. Each belongs to
// an existing session, so that the sessions bound the memory.
const maxWaiting = 8192

var errBusy = errors.New("too many calls are waiting")

// A gate limits the concurrent calls of one caller to notify_concurrency.
type gate struct {
	draining *atomic.Bool // the client's

	mu      sync.Mutex
	limit   int // of the last call
	total   int // calls in progress
	classes [numClasses]struct {
		busy    int       // calls in progress
		waiting list.List // of chan struct{}: closed when the slot is granted
	}
}

// enter waits for a slot of class c; leave gives it back. Errors: errBusy,
// ctx.Err().
func (g *gate) enter(ctx context.Context, c class, limit int) error {
	g.mu.Lock()
	g.limit = max(limit, 1)
	g.admit() // the limit may have risen
	own := &g.classes[c]
	if own.waiting.Len() == 0 && g.free(c) {
		own.busy++
		g.total++
		g.mu.Unlock()
		return nil
	}
	if own.waiting.Len() >= maxWaiting {
		g.mu.Unlock()
		return errBusy
	}
	turn := make(chan struct{})
	e := own.waiting.PushBack(turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // granted at the same moment: pass the slot on
		g.leaveLocked(c)
	default:
		own.waiting.Remove(e)
	}
	return ctx.Err()
}

func (g *gate) leave(c class) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaveLocked(c)
}

func (g *gate) leaveLocked(c class) {
	g.classes[c].busy--
	g.total--
	g.admit()
}

func (g *gate) free(c class) bool {
	return g.total < g.limit && g.classes[c].busy < g.slots(c, g.limit)
}

// admit grants the free slots, the most urgent class first.
func (g *gate) admit() {
	for c := range numClasses {
		own := &g.classes[c]
		for own.waiting.Len() > 0 && g.free(c) {
			close(own.waiting.Remove(own.waiting.Front()).(chan struct{}))
			own.busy++
			g.total++
		}
	}
}
