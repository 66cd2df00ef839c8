package hooks

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func newGate() *gate { return &gate{draining: new(atomic.Bool)} }

func TestClassesLeaveSlotsToPublishers(t *testing.T) {
	for _, c := range []struct {
		limit                                int
		access, play, update, done, playlist int
	}{
		{64, 64, 32, 8, 8, 8}, {8, 8, 4, 1, 1, 1}, {1, 1, 1, 1, 1, 1}, {0, 1, 1, 1, 1, 1},
	} {
		g := newGate()
		for l, want := range map[class]int{classAccess: c.access, classPlay: c.play, classUpdate: c.update, classDone: c.done, classPlaylist: c.playlist} {
			if got := g.slots(l, c.limit); got != want {
				t.Errorf("of %d slots class %d has %d, want %d", c.limit, l, got, want)
			}
		}
		if rest := c.access - c.play - c.update - c.done - c.playlist; c.limit >= 8 && rest < c.limit/8 {
			t.Errorf("of %d slots %d are left to publishers", c.limit, rest)
		}
		g.draining.Store(true)
		if got := g.slots(classDone, c.limit); got != c.access {
			t.Errorf("of %d slots class done has %d in a server that stops, want all", c.limit, got)
		}
	}
}

// TestAHookThatHangsBlocksNoPublisher fills every class but the publishers'.
func TestAHookThatHangsBlocksNoPublisher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		const limit = 64
		ctx, cancel := context.WithCancel(t.Context())
		for l := classPlay; l < numClasses; l++ {
			for range 1000 {
				go func() {
					if g.enter(ctx, l, limit) == nil {
						<-ctx.Done()
						g.leave(l)
					}
				}()
			}
		}
		synctest.Wait()
		if g.total != limit*7/8 {
			t.Errorf("%d calls are under way, want %d", g.total, limit*7/8)
		}
		for range 10000 {
			if err := g.enter(t.Context(), classAccess, limit); err != nil {
				t.Fatal(err)
			}
			g.leave(classAccess)
		}
		cancel()
		synctest.Wait()
		if g.total != 0 {
			t.Errorf("%d places were never given back", g.total)
		}
		for l := range g.classes {
			if n := g.classes[l].waiting.Len(); n != 0 {
				t.Errorf("%d still wait in class %d", n, l)
			}
		}
	})
}

func TestASlotGoesToTheMostUrgentClassThenToTheLongestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		if err := g.enter(t.Context(), classDone, 1); err != nil {
			t.Fatal(err)
		}
		var order []string
		turn := func(name string, l class) {
			go func() {
				if g.enter(t.Context(), l, 1) == nil {
					order = append(order, name)
					g.leave(l)
				}
			}()
			synctest.Wait()
		}
		turn("done", classDone)
		turn("play", classPlay)
		turn("publish 1", classAccess)
		turn("publish 2", classAccess)
		g.leave(classDone)
		synctest.Wait()
		want := []string{"publish 1", "publish 2", "play", "done"}
		for i := range want {
			if i >= len(order) || order[i] != want[i] {
				t.Fatalf("the places went to %q, want %q", order, want)
			}
		}
	})
}

func TestTheQueueOfAClassIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.enter(ctx, classAccess, 1); err != nil {
			t.Fatal(err)
		}
		var late atomic.Int32
		for range maxWaiting {
			go func() {
				if errors.Is(g.enter(ctx, classAccess, 1), context.DeadlineExceeded) {
					late.Add(1)
				}
			}()
		}
		synctest.Wait()
		if err := g.enter(ctx, classAccess, 1); !errors.Is(err, errBusy) {
			t.Errorf("one too many gets %v, want %v", err, errBusy)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if late.Load() != maxWaiting || g.classes[classAccess].waiting.Len() != 0 {
			t.Errorf("%d of %d gave up in time", late.Load(), maxWaiting)
		}
		g.leave(classAccess)
		if g.total != 0 {
			t.Errorf("%d places were lost", g.total)
		}
	})
}

func TestARaisedLimitLetsTheWaitingIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		var in atomic.Int32
		for range 4 {
			go func() {
				if g.enter(t.Context(), classAccess, 1) == nil {
					in.Add(1)
				}
			}()
			synctest.Wait()
		}
		if n := in.Load(); n != 1 {
			t.Fatalf("%d of 4 have the one place", n)
		}
		go func() { _ = g.enter(t.Context(), classAccess, 8) }()
		synctest.Wait()
		if n := in.Load(); n != 4 {
			t.Errorf("%d of 4 have a place after notify_concurrency rose to 8", n)
		}
		for range 5 {
			g.leave(classAccess)
		}
	})
}
