package segstore

import (
	"container/heap"
	"math"
	"time"
)

// Schedule sets the time when names are removed; zero: never.
func (s *Dir) Schedule(at time.Time, names ...string) {
	entries := make([]*Entry, 0, len(names))
	s.mu.Lock()
	for _, name := range names {
		f := s.files[name]
		if f == nil || f.removeAt.Equal(at) {
			continue
		}
		f.removeAt = at
		entry := *f.entry
		if entry.Remove = 0; !at.IsZero() {
			entry.Remove = at.UnixMilli()
			heap.Push(&s.due, dueItem{at, s.order(&entry), name})
		}
		f.entry = &entry
		entries = append(entries, f.entry)
	}
	s.mu.Unlock()
	_ = s.ledger.put(entries...) // failing: the sweep at the next start sets another date
	s.wake()
}

// wake sends to Options.Wake.
func (s *Dir) wake() {
	select {
	case s.o.Wake <- struct{}{}:
	default:
	}
}

// Release schedules names for removal at the given time. keep is how long they would
// have stayed after the end of their stream; with keep 0 they are only forgotten.
func (s *Dir) Release(at time.Time, keep time.Duration, names ...string) {
	s.mu.Lock()
	for _, name := range names {
		if f := s.files[name]; f != nil {
			entry := *f.entry
			entry.Keep = keep.Milliseconds()
			f.entry = &entry
		}
	}
	s.mu.Unlock()
	s.Schedule(at, names...)
}

// Keep cancels the removal of names. When it returns none of them is being removed.
func (s *Dir) Keep(names ...string) {
	s.removing.Lock()
	defer s.removing.Unlock()
	s.Schedule(time.Time{}, names...)
}

// KeepIfDue is Keep for one name. It is cheap if the name is not scheduled.
func (s *Dir) KeepIfDue(name string) {
	s.mu.RLock()
	f := s.files[name]
	due := f != nil && !f.removeAt.IsZero()
	s.mu.RUnlock()
	if due {
		s.Keep(name)
	}
}

// order is where a file comes among those that are due at the same time: a directory
// is last.
func (s *Dir) order(r *Entry) int {
	if r.Kind == KindDirectory {
		return math.MaxInt
	}
	if i := kindIndex(s.o.Kinds, r.Kind); i >= 0 {
		return s.o.Kinds[i].Order
	}
	return 0
}

type dueItem struct {
	at    time.Time
	order int
	name  string
}

type dueHeap []dueItem

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].order < h[j].order
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(dueItem)) }
func (h *dueHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// next returns a name that is due at now; else when the next one will be, zero
// if none is scheduled.
func (s *Dir) next(now time.Time) (name string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.due) > 0 {
		top := s.due[0]
		if f := s.files[top.name]; f == nil || !f.removeAt.Equal(top.at) {
			heap.Pop(&s.due) // rescheduled since
			continue
		}
		if top.at.After(now) {
			return "", top.at
		}
		heap.Pop(&s.due)
		return top.name, top.at
	}
	return "", time.Time{}
}
