package segstore

import (
	"strings"
	"time"
)

// A past is what the files are called that a stream has left for good. There may be very
// many of them.
type past map[pattern]File

// A pattern is the names that have a number between the two.
type pattern struct{ before, after string }

// patternOf is the pattern of a name; ok is false if there is no number before its
// extension.
func patternOf(name string) (p pattern, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return p, false
	}
	before := strings.TrimRight(name[:dot], "0123456789")
	return pattern{before, name[dot:]}, len(before) < dot
}

// file is what is known of a file of that name.
func (p past) file(name string) (f File, ok bool) {
	if len(p) == 0 {
		return f, false
	}
	n, ok := patternOf(name)
	if ok {
		f, ok = p[n]
	}
	return f, ok && f.Kind != 0
}

// share notes that a file is to be called so. If it is another stream's than those that were
// left, it can't be said of a name whose it is.
func (p past) share(e *Entry) {
	if len(p) == 0 {
		return
	}
	if n, ok := patternOf(e.Name); ok {
		if f, ok := p[n]; ok && (f.App != e.App || f.Stream != e.Stream) {
			p[n] = File{}
		}
	}
}

// Leave has the files of segments stay as the user's: the ledger forgets them. Lookup goes
// on to find them, and what else there is under such names.
func (s *Dir) Leave(names ...string) {
	numbered := make([]string, 0, len(names))
	s.mu.Lock()
	for _, name := range names {
		f := s.files[name]
		p, ok := patternOf(name)
		if f == nil || !ok {
			continue
		}
		s.leave(p, f.entry.App, f.entry.Stream, f.live.file(f.entry).MaxAge)
		numbered = append(numbered, name)
	}
	s.mu.Unlock()
	s.Forget(numbered...)
}

// Left has Lookup find what an earlier process has left of a stream: segments like the one
// of that name, which caches may keep for maxAge.
func (s *Dir) Left(name, app, stream string, maxAge time.Duration) {
	if p, ok := patternOf(name); ok {
		s.mu.Lock()
		s.leave(p, app, stream, maxAge)
		s.mu.Unlock()
	}
}

func (s *Dir) leave(p pattern, app, stream string, maxAge time.Duration) {
	if s.past == nil {
		s.past = make(past)
	}
	s.past.share(&Entry{Name: p.before + "0" + p.after, App: app, Stream: stream})
	if f, ok := s.past[p]; ok && f.Kind == 0 {
		return
	}
	// No size and date: they are those of the file.
	s.past[p] = File{App: app, Stream: stream, Kind: Segment, MaxAge: maxAge}
}
