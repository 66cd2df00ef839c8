package segstore

import "context"

// A Range is where the bytes of a part are in the file of its segment.
type Range struct {
	Name   string // of that file, in the same directory tree
	Offset int64
}

// parts are files that are not on disk under their name: parts of segments, in memory as
// long as their segment is open, then ranges of its file. Guarded by Dir.mu.
type parts struct {
	files map[string]File
	// hints are the names of parts that will come next. The channel is closed when the
	// part is there or will not come.
	hints map[string]chan struct{}
}

// Hold makes Lookup return f, which is not on disk under that name.
func (s *Dir) Hold(name string, f File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts.files == nil {
		s.parts.files = make(map[string]File)
	}
	s.parts.files[name] = f
	s.settleHint(name)
}

// Drop ends what Hold began.
func (s *Dir) Drop(names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		delete(s.parts.files, name)
	}
}

// Hint notes that a part of that name will come next: Hinted waits for it. Each hint ends
// with Hold or Unhint.
func (s *Dir) Hint(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts.hints == nil {
		s.parts.hints = make(map[string]chan struct{})
	}
	if _, held := s.parts.files[name]; !held && s.parts.hints[name] == nil {
		s.parts.hints[name] = make(chan struct{})
	}
}

// Unhint notes that a part will not come after all.
func (s *Dir) Unhint(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleHint(name)
}

// StopWaits ends the waits for versions of playlists, parts and growing files, for good: the
// server stops.
func (s *Dir) StopWaits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.parts.hints {
		s.settleHint(name)
	}
	for _, f := range s.parts.files {
		if f.Growing != nil {
			f.Growing.End(false)
		}
	}
	for _, f := range s.files {
		if f.live.text != nil && f.live.text.Low != nil {
			f.live.text.Low.Stop()
		}
	}
}

func (s *Dir) settleHint(name string) {
	if c := s.parts.hints[name]; c != nil {
		close(c)
		delete(s.parts.hints, name)
	}
}

// Hinted returns a part that Hint announced, as soon as it is there; false: none of that
// name was announced, it will not come, or ctx has ended.
func (s *Dir) Hinted(ctx context.Context, name string) (File, bool) {
	s.mu.RLock()
	c := s.parts.hints[name]
	s.mu.RUnlock()
	if c == nil {
		return File{}, false
	}
	select {
	case <-c:
		return s.Lookup(name)
	case <-ctx.Done():
		return File{}, false
	}
}
