package segstore

import "context"

// A signal tells everybody who waits for it of one event, and then of the next one. The
// lock of its owner guards it.
type signal struct {
	c chan struct{} // nil: nobody waits
}

// next is closed at the next event.
func (s *signal) next() <-chan struct{} {
	if s.c == nil {
		s.c = make(chan struct{})
	}
	return s.c
}

// awaited says whether somebody may wait.
func (s *signal) awaited() bool { return s.c != nil }

func (s *signal) raise() {
	if s.c != nil {
		close(s.c)
		s.c = nil
	}
}

// Wait returns the live file of that name as soon as there is one: the playlist of a
// stream that is about to begin, the next part of one that is on.
//
// Errors: ctx.Err().
func (s *Dir) Wait(ctx context.Context, name string) (File, error) {
	for {
		appeared := s.nextFile() // before Lookup: what comes in between is seen
		if f, ok := s.Lookup(name); ok {
			return f, nil
		}
		select {
		case <-appeared:
		case <-ctx.Done():
			return File{}, ctx.Err()
		}
	}
}

// nextFile is closed when the next file becomes visible that was not before.
func (s *Dir) nextFile() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.appeared.next()
}
