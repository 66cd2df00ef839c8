package origin

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestACrewTakesNobodyOnceItIsWaitedFor(t *testing.T) {
	t.Parallel()
	var c Crew
	var running, ran, refused atomic.Int64
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			for range 50 {
				if !c.Go(func() { running.Add(1); ran.Add(1); running.Add(-1) }) {
					refused.Add(1)
				}
			}
		})
	}
	c.Wait()
	if n := running.Load(); n != 0 {
		t.Errorf("%d are running behind Wait", n)
	}
	callers.Wait()
	c.Wait()
	if ran.Load()+refused.Load() != 50*50 {
		t.Errorf("%d ran, %d were refused, of %d", ran.Load(), refused.Load(), 50*50)
	}
	if c.Go(func() { t.Error("it ran") }) {
		t.Error("taken after the end")
	}
}
