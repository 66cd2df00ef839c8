package segstore

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"
)

// removeRetry is how long a file that can't be deleted is left alone.
const removeRetry = 30 * time.Second

// Clean removes what is due and returns when the next is; zero: nothing is scheduled.
func (s *Dir) Clean(ctx context.Context) (next time.Time, err error) {
	for ctx.Err() == nil {
		name, at := s.next(s.o.Now())
		if name == "" {
			return at, err
		}
		if e := s.remove(name); e != nil {
			err = e
			s.Schedule(s.o.Now().Add(removeRetry), name)
		}
	}
	return time.Time{}, err
}

// remove deletes one file of ours that is due, and its directory with the last.
func (s *Dir) remove(name string) error {
	s.removing.Lock()
	defer s.removing.Unlock()
	s.mu.Lock()
	f := s.files[name]
	if f == nil || f.removeAt.IsZero() || f.removeAt.After(s.o.Now()) {
		s.mu.Unlock()
		return nil // taken over meanwhile
	}
	entry, n := *f.entry, f.noted()
	f.visible = false // HTTP first
	s.mu.Unlock()

	switch {
	case s.marker(&entry):
		s.Forget(name)
		return nil
	case entry.Kind == KindDirectory:
		if s.Occupied(name) {
			s.Schedule(time.Time{}, name) // the last file out tries again
			return nil
		}
		// Not empty: someone else's files; then the directory is theirs too.
		if err := s.disk.remove(name); err != nil && !isNotEmpty(err) {
			return err
		}
	default:
		if entry.Keep == 0 {
			s.Forget(name) // cleanup is off: it stays, as the user's
			return nil
		}
		if err := s.disk.remove(name); err != nil {
			return err
		}
		s.o.Removed(s, entry, n)
	}
	s.Forget(name)
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if !s.Ours(dir) || s.Occupied(dir) {
			break
		}
		s.Schedule(s.o.Now(), dir)
	}
	return nil
}

// Occupied says whether files of ours are left below dir.
func (s *Dir) Occupied(dir string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, f := range s.files {
		if !s.marker(f.entry) && strings.HasPrefix(name, dir) && len(name) > len(dir) && name[len(dir)] == '/' {
			return true
		}
	}
	return false
}

func isNotEmpty(err error) bool {
	return errors.Is(err, fs.ErrExist) // ENOTEMPTY matches it
}
