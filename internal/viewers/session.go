package viewers

import (
	"slices"
	"sync/atomic"
	"time"
)

// Sums are what a viewer's session comes to.
type Sums struct {
	Began, Last time.Time // the first and the last request
	Sent        uint64    // bytes
	Protocols   Protocol
}

// A Meter counts what a viewer is sent. A nil Meter counts nothing.
type Meter struct {
	sent   atomic.Uint64
	active atomic.Int32   // answers under way
	all    *atomic.Uint64 // what all viewers were sent
}

// Begin says that an answer is under way: its viewer does not leave meanwhile.
func (m *Meter) Begin() { m.active.Add(1) }

// End says that an answer has ended, with the bytes that were sent.
func (m *Meter) End(sent int64) {
	m.sent.Add(uint64(sent))
	m.all.Add(uint64(sent))
	m.active.Add(-1)
}

// Add counts bytes that were sent of an answer that goes on.
func (m *Meter) Add(sent int64) { m.sent.Add(uint64(sent)) }

func (m *Meter) busy() bool { return m != nil && m.active.Load() > 0 }

// viewer returns the viewer with its sums.
func (e *entry) viewer() Viewer {
	v := e.Viewer
	v.Sums.Last = e.last
	if e.meter != nil {
		v.Sums.Sent = e.meter.sent.Load()
	}
	v.Tags = slices.Clone(e.Tags)
	return v
}

// A Look is a request of a viewer for a playlist.
type Look struct {
	ID       ID
	Source   ID     // its address and user agent
	Epoch    uint64 // of the verdicts that count
	Protocol Protocol
}

// Renew is Touch for a viewer whose verdict is kept for as long as it watches. It reports
// whether the viewer has joined with a verdict of that epoch. meter counts what it is
// sent; nil: it has not joined. It allocates nothing.
func (c *Counter) Renew(l Look, now time.Time, timeout time.Duration) (known bool, meter *Meter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timeout = timeout
	c.expireLocked(now)
	el := c.byID[l.ID]
	if el == nil {
		return false, nil
	}
	e := el.Value.(*entry)
	if !e.joined {
		return false, nil
	}
	if e.epoch != l.Epoch {
		return false, e.meter
	}
	c.noteLocked(e, l)
	e.last = now
	c.joined.MoveToBack(el)
	return true, e.meter
}

// Keep notes the verdict that let a viewer in, which has joined. meter counts what it is
// sent; nil: it has not joined.
func (c *Counter) Keep(l Look) (meter *Meter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byID[l.ID]
	if el == nil || !el.Value.(*entry).joined {
		return nil
	}
	e := el.Value.(*entry)
	e.epoch = l.Epoch
	c.noteLocked(e, l)
	if e.meter == nil {
		e.meter = &Meter{all: &c.sent}
	}
	return e.meter
}

func (c *Counter) noteLocked(e *entry, l Look) {
	e.Sums.Protocols |= l.Protocol
	if e.source == l.Source && c.at[l.Source] == e {
		return
	}
	if c.at[e.source] == e {
		delete(c.at, e.source)
	}
	e.source = l.Source
	c.at[l.Source] = e
}

// Sent is how many bytes metered viewers were sent, those that have left included.
func (c *Counter) Sent() uint64 { return c.sent.Load() }

// Confirm notes that a viewer was let in again.
func (c *Counter) Confirm(id ID, epoch uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byID[id]
	if el == nil || !el.Value.(*entry).joined {
		return false
	}
	el.Value.(*entry).epoch = epoch
	return true
}

// Request notes a request for a fragment. It returns the meter of who came last from an address
// with a user agent; nil: there is nobody.
func (c *Counter) Request(source ID, now time.Time) *Meter {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.at[source]
	if e == nil {
		return nil
	}
	e.last = now
	if el := c.byID[e.ID]; el != nil {
		c.joined.MoveToBack(el)
	}
	return e.meter
}

// Viewers returns all that have joined with an info, with their sums.
func (c *Counter) Viewers(now time.Time) []Viewer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expireLocked(now)
	out := make([]Viewer, 0, c.joined.Len())
	for el := c.joined.Front(); el != nil; el = el.Next() {
		if e := el.Value.(*entry); e.Info != nil {
			out = append(out, e.viewer())
		}
	}
	return out
}

// Remove ends the session of a viewer; Expire returns it. It reports whether there was one.
func (c *Counter) Remove(id ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byID[id]
	if el == nil || !el.Value.(*entry).joined {
		return false
	}
	c.dropLocked(el)
	return true
}

// MaxTags and MaxTag bound the tags of a viewer, and the length of one in bytes.
const (
	MaxTags = 16
	MaxTag  = 64
)

// Tag gives a viewer a tag. It reports whether the viewer is there and has room for it.
func (c *Counter) Tag(id ID, tag string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.byID[id]
	if el == nil || !el.Value.(*entry).joined || len(tag) > MaxTag {
		return false
	}
	e := el.Value.(*entry)
	if slices.Contains(e.Tags, tag) {
		return true
	}
	if len(e.Tags) >= MaxTags {
		return false
	}
	e.Tags = append(e.Tags, tag)
	return true
}
