package origin

import "sync"

// A Crew is goroutines that are waited for at the end. Timers and connections
// may still want one when that has begun: they get none any more.
type Crew struct {
	mu   sync.Mutex
	over bool // Wait was called
	wg   sync.WaitGroup
}

// Go runs f, and says whether it does.
func (c *Crew) Go(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.wg.Go(f)
	}
	return !c.over
}

// Wait returns when every f has.
func (c *Crew) Wait() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.wg.Wait()
}
