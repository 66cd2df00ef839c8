package origin

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/listen"
)

// A guessLimit refuses an address for a minute after 10 wrong keys, or unknown
// stream names, within one. There is one for each application that has keys: who
// is refused in one may know the key of another. A key that was right before is
// let in all the same: its holder may share the address with who guesses.
type guessLimit struct {
	mu    sync.Mutex
	wrong map[netip.Addr]guesses
	right map[proof]struct{}
}

// A proof is that a key was once right from an address.
type proof struct {
	addr netip.Addr
	key  keyID
}

type guesses struct {
	n     int
	since time.Time
	until time.Time // refused before this
}

const (
	maxGuesses       = 10
	guessWindow      = time.Minute
	maxGuessingAddrs = 10000 // bound of either table; IPv6 counts by /64
)

// brakeTime is how long a player that is refused waits to hear it: a program that
// tries one name after the other gets no thirty answers a minute.
const brakeTime = 2 * time.Second

// brake waits brakeTime, or until the server stops.
func brake(ctx context.Context) {
	timer := time.NewTimer(brakeTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func guessKey(a netip.Addr) netip.Addr { return listen.SourceOf(a.Unmap()).Addr() }

func (g *guessLimit) refused(a netip.Addr, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return now.Before(g.wrong[guessKey(a)].until)
}

// admits says whether who presents p may be answered: who is not refused, or was
// right with it before.
func (g *guessLimit) admits(a netip.Addr, p presented, now time.Time) bool {
	if !g.refused(a, now) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	_, typed := g.right[proof{guessKey(a), p.typed}]
	_, arg := g.right[proof{guessKey(a), p.arg}]
	return typed || arg
}

// hit notes a right key.
func (g *guessLimit) hit(a netip.Addr, key keyID) {
	if key == (keyID{}) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.right == nil {
		g.right = make(map[proof]struct{})
	}
	if len(g.right) >= maxGuessingAddrs {
		for old := range g.right { // any: there are more than come back in a minute
			delete(g.right, old)
			break
		}
	}
	g.right[proof{guessKey(a), key}] = struct{}{}
}

// miss counts a wrong key.
func (g *guessLimit) miss(a netip.Addr, now time.Time) {
	a = guessKey(a)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrong == nil {
		g.wrong = make(map[netip.Addr]guesses)
	}
	e, known := g.wrong[a]
	if !known && len(g.wrong) >= maxGuessingAddrs {
		g.shrink(now)
	}
	if now.Sub(e.since) > guessWindow {
		e = guesses{since: now}
	}
	if e.n++; e.n >= maxGuesses {
		e.until = now.Add(guessWindow)
		e.n, e.since = 0, now
	}
	g.wrong[a] = e
}

// shrink makes room in a full table: it forgets whose time is over, and if that
// is an attack from everywhere, anyone, many at a time.
func (g *guessLimit) shrink(now time.Time) {
	for a, o := range g.wrong {
		if now.Sub(o.since) > guessWindow && now.After(o.until) {
			delete(g.wrong, a)
		}
	}
	for a := range g.wrong {
		if len(g.wrong) <= maxGuessingAddrs*3/4 {
			return
		}
		delete(g.wrong, a)
	}
}
