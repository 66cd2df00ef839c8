package segstore

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A Low is a low-latency playlist: its readers wait for a version that has what they want
// (RFC 8216bis §6.2.5.2). A version is made once and shared by all who read it. The methods
// may be called from any goroutine.
type Low struct {
	mu      sync.Mutex
	newest  *Edition
	changed signal // there is another version, or somebody's time is over
	stopped bool   // nobody is to wait any more

	// One timer for all who wait, of whom there may be thousands: it runs until the time
	// of the first one is over, and is not set again for each.
	timer *time.Timer
	over  time.Time // when it fires; zero: it does not run
}

// An Edition is one version of a low-latency playlist. It is not changed any more. Its text
// is made when it is first asked for: of most versions of a stream that nobody watches, never.
type Edition struct {
	Next  uint64 // media sequence number of the segment that is not complete
	Parts int    // how many parts of it there are
	Last  int    // how many parts the segment before has; 0: not known
	// Ahead is how many parts beyond the newest one may be asked for.
	Ahead int
	Ended bool // nothing will follow

	made        sync.Once
	texts       Texts // nil: it is made
	body, delta []byte
	tag         string // of the body

	gz   *Gzipper
	once [2]sync.Once
	gzip [2][]byte
}

// Texts makes the text of an Edition, at any time and in any goroutine: the body, and a delta
// that leaves out what is old (EXT-X-SKIP) or nil.
type Texts interface {
	Texts() (body, delta []byte)
}

// TextsFunc is a function that is Texts.
type TextsFunc func() (body, delta []byte)

// Texts implements Texts.
func (f TextsFunc) Texts() (body, delta []byte) { return f() }

// NewEdition makes a version. It is compressed by g when it is first asked for so.
func NewEdition(t Texts, g *Gzipper) *Edition { return &Edition{texts: t, gz: g} }

func (e *Edition) make() {
	e.made.Do(func() {
		e.body, e.delta = e.texts.Texts()
		e.tag = textTag(e.body)
		e.texts = nil // and what it is made of
	})
}

// Body is the text.
func (e *Edition) Body() []byte {
	e.make()
	return e.body
}

// Delta is the text without what is old; nil: there is none.
func (e *Edition) Delta() []byte {
	e.make()
	return e.delta
}

// Tag is the entity tag of Body with its quotes, and that of Body compressed.
func (e *Edition) Tag() (plain, gzip string) {
	e.make()
	return e.tag, e.tag[:len(e.tag)-1] + `-gz"`
}

// Gzip is Body, or Delta, compressed.
func (e *Edition) Gzip(delta bool) []byte {
	i, text := 0, e.Body()
	if delta {
		i, text = 1, e.Delta()
	}
	e.once[i].Do(func() { e.gzip[i] = e.gz.compress(text) })
	return e.gzip[i]
}

// has says whether the version has a segment, or with part ≥ 0 a part of it.
func (e *Edition) has(segment uint64, part int) bool {
	if e.Last > 0 && segment+1 == e.Next && part >= e.Last {
		// RFC 8216bis §6.2.5.2: beyond the last part of a segment is the first one of the
		// next.
		segment, part = e.Next, 0
	}
	return segment < e.Next || segment == e.Next && part >= 0 && part < e.Parts
}

// ErrStopped is returned where nobody is to wait any more: the server stops.
var ErrStopped = errors.New("no other version will come")

// ErrAhead is returned for what is too far ahead to be waited for.
var ErrAhead = errors.New("too far ahead of the playlist")

// allows says whether segment, or with part ≥ 0 that part of it, may be waited for.
func (e *Edition) allows(segment uint64, part int) bool {
	switch {
	case segment > e.Next+1:
		return false
	case segment == e.Next:
		return part < e.Parts+e.Ahead
	case segment == e.Next+1:
		return part < e.Ahead
	}
	return true
}

// Publish makes e the newest version.
func (l *Low) Publish(e *Edition) {
	l.mu.Lock()
	awaited := l.changed.awaited()
	l.mu.Unlock()
	if awaited {
		e.make() // before thousands ask for it
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.newest = e
	l.wake()
}

// wake wakes all who wait. Those who go on waiting set the timer again.
func (l *Low) wake() {
	if !l.over.IsZero() {
		l.timer.Stop()
		l.over = time.Time{}
	}
	l.changed.raise()
}

// wakeBy has all woken at a time, if they are not before.
func (l *Low) wakeBy(at time.Time) {
	if !l.over.IsZero() && !at.Before(l.over) {
		return
	}
	l.over = at
	if l.timer != nil {
		l.timer.Reset(time.Until(at))
		return
	}
	l.timer = time.AfterFunc(time.Until(at), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.over.IsZero() && !time.Now().Before(l.over) { // else it was set again meanwhile
			l.wake()
		}
	})
}

// Stop ends all waits, for good.
func (l *Low) Stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	l.wake()
}

// Newest is the newest version; nil: there is none so far.
func (l *Low) Newest() *Edition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.newest
}

// Wait returns the first version that has a segment, or with part ≥ 0 a part of it, or
// that ends the playlist. It waits for that long at most; 0: as long as ctx lets it.
//
// Errors: ErrAhead; ErrStopped; context.DeadlineExceeded; ctx.Err().
func (l *Low) Wait(ctx context.Context, segment uint64, part int, most time.Duration) (*Edition, error) {
	var over time.Time
	if most > 0 {
		over = time.Now().Add(most)
	}
	for first := true; ; first = false {
		l.mu.Lock()
		e := l.newest
		if e != nil && (e.Ended || e.has(segment, part)) {
			l.mu.Unlock()
			return e, nil
		}
		if first && e != nil && !e.allows(segment, part) {
			l.mu.Unlock()
			return nil, ErrAhead
		}
		if l.stopped {
			l.mu.Unlock()
			return nil, ErrStopped
		}
		if most > 0 {
			if !first && !time.Now().Before(over) {
				l.mu.Unlock()
				return nil, context.DeadlineExceeded
			}
			l.wakeBy(over)
		}
		changed := l.changed.next()
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
