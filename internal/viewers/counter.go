package viewers

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"time"
)

// ErrFull is what one more viewer than a Counter or its Pool can hold gets.
var ErrFull = errors.New("too many viewers")

// waitFor is how long somebody without a seat keeps the serial number.
const waitFor = time.Minute

// A Viewer is one who is, or was, seated.
type Viewer struct {
	ID     ID
	Serial uint64
	Info   any // of who seated it
}

// A Counter holds the viewers of one stream.
type Counter struct {
	pool *Pool

	mu      sync.Mutex // guards what follows
	timeout time.Duration
	byID    map[ID]*list.Element // of *entry, in one of the two lists
	seated  list.List            // who asked last is last
	waiting list.List
	peak    int
	unique  distinct
	gone    []Viewer             // with an Info, until Expire tells of them
	from    map[netip.Prefix]int // seats, by where their viewers were when they took them
}

type entry struct {
	Viewer
	last time.Time // it asked
	seat bool
	from netip.Prefix
}

// NewCounter makes a Counter whose viewers are gone after timeout, until Touch
// says otherwise.
func (p *Pool) NewCounter(timeout time.Duration) *Counter {
	c := &Counter{pool: p, timeout: timeout, byID: make(map[ID]*list.Element), from: make(map[netip.Prefix]int)}
	c.seated.Init()
	c.waiting.Init()
	return c
}

// Touch notes that a viewer asks, and says whether it has a seat. timeout is for
// all viewers from now on.
func (c *Counter) Touch(id ID, now time.Time, timeout time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timeout = timeout
	c.expireLocked(now)
	el := c.byID[id]
	if el == nil {
		return false
	}
	e := el.Value.(*entry)
	if !e.seat {
		return false
	}
	e.last = now
	c.seated.MoveToBack(el)
	return true
}

// Seated says whether the viewer has a seat.
func (c *Counter) Seated(id ID, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	el := c.byID[id]
	return el != nil && el.Value.(*entry).seat
}

// Serial is the viewer's number, also before it has a seat: whoever asks for the
// same viewer meanwhile gets the same one.
func (c *Counter) Serial(id ID, now time.Time) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	if el := c.byID[id]; el != nil {
		return el.Value.(*entry).Serial
	}
	if c.waiting.Len() >= maxWaiting {
		c.dropLocked(c.waiting.Front())
	}
	e := &entry{Viewer: Viewer{ID: id, Serial: c.pool.serial()}, last: now}
	c.byID[id] = c.waiting.PushBack(e)
	return e.Serial
}

// Seat gives a viewer a seat; fresh says that it had none. from is what counts as
// its address. info is handed back when a fresh one is gone. The error is ErrFull.
func (c *Counter) Seat(id ID, from netip.Prefix, now time.Time, info any) (fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	el := c.byID[id]
	if el != nil && el.Value.(*entry).seat {
		el.Value.(*entry).last = now
		c.seated.MoveToBack(el)
		return false, nil
	}
	if c.seated.Len() >= maxSeats || !c.pool.hold() {
		return false, ErrFull
	}
	e := &entry{Viewer: Viewer{ID: id}}
	if el != nil {
		e = el.Value.(*entry)
		c.waiting.Remove(el)
	} else {
		e.Serial = c.pool.serial()
	}
	e.last, e.seat, e.Info, e.from = now, true, info, from
	c.from[from]++
	c.byID[id] = c.seated.PushBack(e)
	c.peak = max(c.peak, c.seated.Len())
	c.unique.add(id)
	return true, nil
}

// Len is how many viewers have a seat.
func (c *Counter) Len(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return c.seated.Len()
}

// From is how many seats are held from an address.
func (c *Counter) From(from netip.Prefix, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return c.from[from]
}

// Timeout is how long a viewer may be silent.
func (c *Counter) Timeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timeout
}

// Counts are the viewers with a seat, the most there have been at a time, and
// how many different ones.
func (c *Counter) Counts(now time.Time) (present, peak, unique int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return c.seated.Len(), c.peak, c.unique.count()
}

// Empty says that nobody is seated or waits.
func (c *Counter) Empty(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return len(c.byID) == 0
}

// Expire returns those who were seated with an info and are gone since it was
// called last.
func (c *Counter) Expire(now time.Time) []Viewer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	gone := c.gone
	c.gone = nil
	return gone
}

// Clear has everybody gone.
func (c *Counter) Clear() []Viewer {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.seated.Len() > 0 {
		c.dropLocked(c.seated.Front())
	}
	for c.waiting.Len() > 0 {
		c.dropLocked(c.waiting.Front())
	}
	gone := c.gone
	c.gone = nil
	return gone
}

// expireLocked drops those whose time is over: each of them once, and nobody
// else is looked at.
func (c *Counter) expireLocked(now time.Time) {
	drop := func(l *list.List, after time.Duration) {
		for el := l.Front(); el != nil && c.pool.Awake.Quiet(el.Value.(*entry).last, now) >= after; el = l.Front() {
			c.dropLocked(el)
		}
	}
	drop(&c.seated, c.timeout)
	drop(&c.waiting, waitFor)
}

func (c *Counter) dropLocked(el *list.Element) {
	e := el.Value.(*entry)
	delete(c.byID, e.ID)
	if !e.seat {
		c.waiting.Remove(el)
		return
	}
	c.seated.Remove(el)
	c.pool.held.Add(-1)
	if c.from[e.from]--; c.from[e.from] == 0 {
		delete(c.from, e.from)
	}
	if e.Info != nil {
		c.gone = append(c.gone, e.Viewer)
	}
}
