package segstore

import "context"

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
	if s.appeared == nil {
		s.appeared = make(chan struct{})
	}
	return s.appeared
}

// showLocked tells everybody who waits that a file has become visible. mu is held.
func (s *Dir) showLocked() {
	if s.appeared != nil {
		close(s.appeared)
		s.appeared = nil
	}
}
