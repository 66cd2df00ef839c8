package hooks

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// A lane is a kind of call that waits for places of its own, so that a hook that
// hangs takes none from the calls that matter more. Most urgent first.
type lane uint8

const (
	laneAccess lane = iota // on_connect, on_publish: may take every place
	lanePlay
	laneUpdate
	laneDone
	lanePlaylist
	numLanes
)

func (h Hook) lane() lane {
	switch h {
	case OnConnect, OnPublish:
		return laneAccess
	case OnPlay:
		return lanePlay
	case OnUpdate:
		return laneUpdate
	case OnPlaylist:
		return lanePlaylist
	}
	return laneDone
}

// places is how many of limit calls at a time may be of lane l. From 8 on, an
// eighth is left to publishers whatever the others do. In a server that stops
// nobody asks any more: there is room for those who say good-bye.
func (g *gate) places(l lane, limit int) int {
	limit = max(limit, 1)
	switch {
	case l == laneAccess, g.draining.Load():
		return limit
	case l == lanePlay:
		return max(1, limit/2)
	}
	return max(1, limit/8)
}

// maxWaiting bounds the calls of one lane that wait for a place. Each of them
// holds up a session that exists anyway.
const maxWaiting = 8192

var errBusy = errors.New("too many calls are waiting")

// A gate bounds the calls of one caller that are under way: notify_concurrency.
type gate struct {
	draining *atomic.Bool // the client's

	mu    sync.Mutex
	limit int // as last said
	total int // under way
	lanes [numLanes]struct {
		busy    int
		waiting list.List // of chan struct{}: closed when there is a place
	}
}

// enter waits for a place in lane l; leave gives it back. Errors: errBusy,
// ctx.Err().
func (g *gate) enter(ctx context.Context, l lane, limit int) error {
	g.mu.Lock()
	g.limit = max(limit, 1)
	g.admit() // the limit may have risen
	way := &g.lanes[l]
	if way.waiting.Len() == 0 && g.free(l) {
		way.busy++
		g.total++
		g.mu.Unlock()
		return nil
	}
	if way.waiting.Len() >= maxWaiting {
		g.mu.Unlock()
		return errBusy
	}
	turn := make(chan struct{})
	e := way.waiting.PushBack(turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // the place came just then: somebody else's now
		g.leaveLocked(l)
	default:
		way.waiting.Remove(e)
	}
	return ctx.Err()
}

func (g *gate) leave(l lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaveLocked(l)
}

func (g *gate) leaveLocked(l lane) {
	g.lanes[l].busy--
	g.total--
	g.admit()
}

func (g *gate) free(l lane) bool {
	return g.total < g.limit && g.lanes[l].busy < g.places(l, g.limit)
}

// admit gives the free places away, the most urgent lane first.
func (g *gate) admit() {
	for l := range numLanes {
		way := &g.lanes[l]
		for way.waiting.Len() > 0 && g.free(l) {
			close(way.waiting.Remove(way.waiting.Front()).(chan struct{}))
			way.busy++
			g.total++
		}
	}
}
