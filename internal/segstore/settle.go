package segstore

import (
	"errors"
	"io/fs"
	"os"

	"go.uber.org/zap"
)

// Settle opens the directory that the path names now. That is another one than before if
// the directory was renamed and a new one made, if a file system was mounted over it or
// unmounted, or if it was deleted. Then s goes on there, with what an earlier process
// left.
//
// Errors: the directory can't be used. Nothing is written to the old one then.
func (s *Dir) Settle() error {
	if s.disk.current() {
		return nil
	}
	s.settling.Lock()
	defer s.settling.Unlock()
	switch {
	case s.closed:
		return errUnusable
	case s.disk.current(): // another goroutine was faster
		return nil
	}
	fresh := New(s.o)
	err := fresh.open()
	if err == nil {
		s.o.Sweep(fresh)
	}
	s.goOn(fresh)
	path := zap.String("path", s.o.Path)
	switch {
	case err != nil && !s.failing:
		s.o.Log.Error(s.o.What+" can't be used: outputs in it fail until it can", path, zap.Error(err))
	case err == nil && s.failing:
		s.o.Log.Info(s.o.What+" can be used", path)
	case err == nil && s.opened:
		s.o.Log.Warn(s.o.What+" was replaced: outputs go on in the directory that it names now", path)
	}
	s.failing = err != nil
	s.opened = s.opened || err == nil
	return err
}

// goOn makes s go on with the directory of fresh, or without one.
func (s *Dir) goOn(fresh *Dir) {
	s.o.Moving(s, fresh)
	s.adopt(fresh)
	s.wake() // other dates
	s.o.Moved(s)
}

// Look calls Settle if the path names another directory than before. It does not make a
// directory that is missing: a user who has moved it away may be about to put another
// one in its place. Settle makes it when there is something to write.
func (s *Dir) Look() {
	if s.disk.current() {
		s.forgetDeleted()
		return
	}
	if _, err := os.Stat(s.o.Path); !errors.Is(err, fs.ErrNotExist) {
		_ = s.Settle() // it has logged why not
		return
	}
	s.settling.Lock()
	defer s.settling.Unlock()
	if s.disk.held.Load() != nil && !s.disk.current() {
		s.goOn(New(s.o))
	}
}

// forgetDeleted forgets files that are served from memory and were deleted by somebody
// else: HTTP would go on to serve them. Files in use stay: they are written again soon.
func (s *Dir) forgetDeleted() {
	type held struct {
		entry Entry
		n     Numbers
	}
	s.mu.RLock()
	var all []held
	for _, f := range s.files {
		if f.visible && f.live.text != nil && f.live.text.Body != nil {
			all = append(all, held{*f.entry, f.noted()})
		}
	}
	s.mu.RUnlock()
	for _, f := range all {
		if _, err := s.disk.stat(f.entry.Name); !errors.Is(err, fs.ErrNotExist) || s.o.InUse(f.entry.Name) {
			continue
		}
		s.o.Removed(s, f.entry, f.n)
		s.Forget(f.entry.Name)
	}
}
