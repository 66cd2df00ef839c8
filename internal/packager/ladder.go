package packager

import (
	"sync"
	"time"
)

// A Ladder is what the packagers of the renditions of one publisher share, so that their
// segments of the same pictures have the same numbers and dates (RFC 8216 §6.2.4). Whoever
// writes a segment first decides. A nil Ladder is that of a stream by itself.
type Ladder struct {
	mu      sync.Mutex
	members map[*Packager]bool
	next    uint64 // no segment has a lower media sequence number
	disc    uint64 // or a lower discontinuity sequence number
	target  int
	epoch   time.Time
	known   []place // of the newest segments, oldest first
}

// A place is where a segment is in the manifests.
type place struct {
	start time.Duration // on the stream's timeline
	end   time.Duration
	seq   uint64 // its media sequence number
	disc  uint64 // its discontinuity sequence number
	date  time.Time
}

// maxPlaces is how many segments one rendition may be ahead of another.
const maxPlaces = 64

// join adds the packager p, which has opened w.
func (l *Ladder) join(p *Packager, w *Writer) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.members == nil {
		l.members = make(map[*Packager]bool)
	}
	l.members[p] = true
	disc := w.Window.NextDisc()
	if w.follows {
		disc++ // so begins the next segment
	}
	l.next, l.disc = max(l.next, w.Window.Next()), max(l.disc, disc)
	if l.epoch.IsZero() {
		l.epoch = w.Window.Epoch
	}
}

func (l *Ladder) leave(p *Packager) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.members, p)
}

// Siblings is how many renditions of the set that w's is in are written.
func (w *Writer) Siblings() (n int) {
	l := w.Ladder()
	if l == nil {
		return 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range l.members {
		if p.Set == w.owner.Set {
			n++
		}
	}
	return n
}

// Target is the TARGETDURATION of a rendition, in seconds, that would have own: that of the
// first one that asks, as all renditions have the same (rfc8216bis §6.2.4). One whose
// keyframes are elsewhere, so that it has a longer segment already, keeps own.
func (l *Ladder) Target(own int) int {
	if l == nil {
		return own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.target == 0 {
		l.target = own
	}
	return max(l.target, own)
}

// Epoch is from when on media times are counted: own, if nobody has asked before.
func (l *Ladder) Epoch(own time.Time) time.Time {
	if l == nil {
		return own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoch.IsZero() {
		l.epoch = own
	}
	return l.epoch
}

// place returns where a segment goes that a stream by itself would have at own; first: it
// is the first of its rendition; broken: it is a discontinuity. Segments that begin within
// near of each other are the same, and a first one that ends with another.
func (l *Ladder) place(own place, first, broken bool, near time.Duration) place {
	if l == nil {
		return own
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.known) - 1; i >= 0; i-- {
		if k := &l.known[i]; (k.start-own.start).Abs() <= near || first && (k.end-own.end).Abs() <= near {
			// Numbers that players have seen never go back.
			k.seq, k.disc = max(k.seq, own.seq), max(k.disc, own.disc)
			if (k.start - own.start).Abs() <= near {
				k.end = own.end // of a segment that was open it was a guess
			}
			own.seq, own.disc, own.date = k.seq, k.disc, k.date.Add(own.start-k.start)
			return own
		}
	}
	own.seq, own.disc = max(own.seq, l.next), max(own.disc, l.disc)
	if n := len(l.known); n > 0 {
		last := l.known[n-1]
		if own.start < last.start {
			return own // late by more than is known
		}
		if broken {
			last.disc++
		}
		own.seq, own.disc = max(own.seq, last.seq+1), max(own.disc, last.disc)
	}
	if len(l.known) == maxPlaces {
		copy(l.known, l.known[1:])
		l.known = l.known[:maxPlaces-1]
	}
	l.known = append(l.known, own)
	return own
}
