package viewers

import (
	"container/list"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/quota"
)

// ErrFull says that a Counter or its Pool can hold no more viewers.
var ErrFull = errors.New("too many viewers")

// waitFor is how long a viewer that has not joined keeps its serial number.
const waitFor = time.Minute

// A Viewer is a viewer that has joined.
type Viewer struct {
	ID     ID
	Serial uint64
	Info   any // from Join
	Sums   Sums
	Tags   []string // that Tag gave it
}

// A Counter holds the viewers of one stream.
type Counter struct {
	pool *Pool
	sent atomic.Uint64 // bytes, to viewers with a Meter

	mu      sync.Mutex // guards what follows
	timeout time.Duration
	byID    map[ID]*list.Element // of *entry, in one of the two lists
	joined  list.List            // least recently active first
	waiting list.List
	peak    int
	unique  distinct
	since   distinct             // like unique, from Begin on
	gone    []Viewer             // with an Info, until Expire returns them
	from    map[netip.Prefix]int // viewers, by the address they joined from
	at      map[ID]*entry        // who came last from an address with a user agent
}

type entry struct {
	Viewer
	last   time.Time // its last request
	joined bool
	from   netip.Prefix
	source ID     // address and user agent of its last playlist request; 0: not known
	epoch  uint64 // of the verdict that let it in
	meter  *Meter // of what it is sent; nil: nothing was
	seat   *quota.Seat
}

// NewCounter makes a Counter whose viewers leave after timeout without a request. Touch
// can change the timeout.
func (p *Pool) NewCounter(timeout time.Duration) *Counter {
	c := &Counter{pool: p, timeout: timeout, byID: make(map[ID]*list.Element), from: make(map[netip.Prefix]int), at: make(map[ID]*entry)}
	c.joined.Init()
	c.waiting.Init()
	return c
}

// Touch records a request of a viewer and reports whether it has joined. timeout applies
// to all viewers from now on.
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
	if !e.joined {
		return false
	}
	e.last = now
	c.joined.MoveToBack(el)
	return true
}

// Joined reports whether the viewer has joined.
func (c *Counter) Joined(id ID, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	el := c.byID[id]
	return el != nil && el.Value.(*entry).joined
}

// Serial returns the viewer's number. A viewer that has not joined yet gets one and
// keeps it for waitFor.
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

// Join adds a viewer; fresh says that it had not joined before. from is what counts as
// its address. Expire returns info when a fresh viewer has left. The error is ErrFull.
func (c *Counter) Join(id ID, from netip.Prefix, now time.Time, info any) (fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	el := c.byID[id]
	if el != nil && el.Value.(*entry).joined {
		el.Value.(*entry).last = now
		c.joined.MoveToBack(el)
		return false, nil
	}
	if c.joined.Len() >= maxViewers || !c.pool.hold() {
		return false, ErrFull
	}
	e := &entry{Viewer: Viewer{ID: id}}
	if el != nil {
		e = el.Value.(*entry)
		c.waiting.Remove(el)
	} else {
		e.Serial = c.pool.serial()
	}
	e.last, e.joined, e.Info, e.from = now, true, info, from
	e.Sums.Began = now
	c.from[from]++
	c.byID[id] = c.joined.PushBack(e)
	c.peak = max(c.peak, c.joined.Len())
	c.unique.add(id)
	c.since.add(id)
	return true, nil
}

// Seat keeps the place of a viewer that has joined, until it leaves. It reports whether
// the viewer is there, and has none yet.
func (c *Counter) Seat(id ID, seat *quota.Seat) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byID[id]
	if el == nil || !el.Value.(*entry).joined || el.Value.(*entry).seat != nil {
		return false
	}
	el.Value.(*entry).seat = seat
	return true
}

// Seated reports whether a viewer has a place.
func (c *Counter) Seated(id ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byID[id]
	return el != nil && el.Value.(*entry).seat != nil
}

// Len returns the number of viewers.
func (c *Counter) Len(now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return c.joined.Len()
}

// From returns the number of viewers from an address.
func (c *Counter) From(from netip.Prefix, now time.Time) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return c.from[from]
}

// Timeout returns how long a viewer may make no request.
func (c *Counter) Timeout() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timeout
}

// Counts returns the number of viewers, the most there have been at a time, and how many
// different ones there have been.
func (c *Counter) Counts(now time.Time) (present, peak, unique int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return c.joined.Len(), c.peak, c.unique.count()
}

// Begin has Since count anew, as a stream begins: those who are there, and who comes.
func (c *Counter) Begin(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	c.since = distinct{}
	for el := c.joined.Front(); el != nil; el = el.Next() {
		c.since.add(el.Value.(*entry).ID)
	}
}

// Since is how many different viewers there have been since Begin.
func (c *Counter) Since() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.since.count()
}

// Empty reports whether there are no viewers, neither joined nor waiting.
func (c *Counter) Empty(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	return len(c.byID) == 0
}

// Expire returns the viewers with an info that have left since the last call.
func (c *Counter) Expire(now time.Time) []Viewer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	gone := c.gone
	c.gone = nil
	return gone
}

// Clear removes all viewers and returns those with an info that have left.
func (c *Counter) Clear() []Viewer {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.joined.Len() > 0 {
		c.dropLocked(c.joined.Front())
	}
	for c.waiting.Len() > 0 {
		c.dropLocked(c.waiting.Front())
	}
	gone := c.gone
	c.gone = nil
	return gone
}

// expireLocked drops the viewers whose time is over. It looks at no others.
func (c *Counter) expireLocked(now time.Time) {
	drop := func(l *list.List, after time.Duration) {
		for el := l.Front(); el != nil && c.pool.Awake.Quiet(el.Value.(*entry).last, now) >= after; el = l.Front() {
			if e := el.Value.(*entry); e.meter.busy() { // it is being sent something
				e.last = now
				l.MoveToBack(el)
				continue
			}
			c.dropLocked(el)
		}
	}
	drop(&c.joined, c.timeout)
	drop(&c.waiting, waitFor)
}

func (c *Counter) dropLocked(el *list.Element) {
	e := el.Value.(*entry)
	delete(c.byID, e.ID)
	if !e.joined {
		c.waiting.Remove(el)
		return
	}
	c.joined.Remove(el)
	c.pool.held.Add(-1)
	e.seat.Leave(false)
	if c.from[e.from]--; c.from[e.from] == 0 {
		delete(c.from, e.from)
	}
	if c.at[e.source] == e {
		delete(c.at, e.source)
	}
	if e.Info != nil {
		c.gone = append(c.gone, e.viewer())
	}
}
