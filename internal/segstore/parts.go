package segstore

import (
	"context"
	"time"
)

// A Range is where the bytes of a part are in the file of its segment.
type Range struct {
	Name   string // of that file, in the same directory tree
	Offset int64
}

// Parts are those of the file of one segment, which have no files of their own: they are in
// memory as long as the segment is open, then ranges of its file.
type Parts struct {
	in     *Dir
	entry  Entry // of the segment's file
	maxAge time.Duration
	lent   *Lent // what they are in; nil: memory of their own

	// Dir.mu guards what follows.
	pieces  []piece
	growing *Growing // the file as it grows; nil: it is in place
	ended   bool     // it does not grow any more
}

// A piece is where a part is in its file.
type piece struct {
	offset, size int
	mod          int64 // Unix ns
}

// parts are the parts that a Dir has, by the names of their files. Dir.mu guards them.
type parts struct {
	files map[string]*Parts
	hints map[string]*hint
}

// A hint is a part that will come next.
type hint struct {
	part int // of the file
	set  bool
	over signal // the part is there or will not come
}

// Grow makes Lookup return the file of e, which is not on disk so far, as a Growing. Its
// caller appends to that with Add and ends it with End.
func (s *Dir) Grow(e Entry, maxAge time.Duration, lent *Lent) *Parts {
	p := &Parts{in: s, entry: e, maxAge: maxAge, lent: lent, growing: new(Growing)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts.files == nil {
		s.parts.files = make(map[string]*Parts)
	}
	s.parts.files[e.Name] = p
	return p
}

// Add appends a part, which is at that offset of the file and is not changed any more.
func (p *Parts) Add(offset int, b []byte, mod time.Time) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.pieces = append(p.pieces, piece{offset, len(b), mod.UnixNano()})
	p.growing.Add(b)
	p.in.parts.settle(PartName{p.entry.Name, len(p.pieces) - 1})
}

// End says that no part will follow. whole: the file is in place, and its parts are ranges of
// it from now on.
func (p *Parts) End(whole bool) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	p.growing.End(whole)
	if whole {
		p.growing, p.lent = nil, nil
	}
}

// Drop makes Lookup find the parts no more.
func (p *Parts) Drop() {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if name := p.entry.Name; p.in.parts.files[name] == p {
		delete(p.in.parts.files, name)
	}
}

// lookup returns a growing file, or a part.
func (all *parts) lookup(name string) (f File, ok bool) {
	p, n := all.files[name], -1
	if p == nil {
		var file []byte
		if file, n = fileOf(make([]byte, 0, 128), name); n >= 0 {
			p = all.files[string(file)]
		}
	}
	switch {
	case p == nil, n < 0 && p.ended, n >= len(p.pieces):
		return File{}, false
	case n < 0:
		f = File{App: p.entry.App, Stream: p.entry.Stream, Kind: Segment, MaxAge: p.maxAge, Growing: p.growing}
	default:
		at := &p.pieces[n]
		f = p.entry.MediaFile(Part, int64(at.size), time.Unix(0, at.mod), p.maxAge)
		if p.growing != nil {
			f.Body = p.growing.piece(n)
		} else {
			f.Range = Range{p.entry.Name, int64(at.offset)}
		}
	}
	if f.Lent = p.lent; f.Lent != nil {
		f.Lent.had.Store(true)
	}
	return f, true
}

// has says whether a part is there.
func (all *parts) has(n PartName) bool {
	p := all.files[n.File]
	return p != nil && n.Part < len(p.pieces)
}

// Hint notes that a part called next will come: Hinted waits for it, and no longer for the
// one that was noted before, which will not come if it is not there.
func (s *Dir) Hint(next, before PartName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.parts.hints[before.File]; h != nil {
		h.settle()
		if before.File != next.File {
			delete(s.parts.hints, before.File)
		}
	}
	if next.File == "" || s.parts.has(next) {
		return
	}
	if s.parts.hints == nil {
		s.parts.hints = make(map[string]*hint)
	}
	h := s.parts.hints[next.File]
	if h == nil {
		h = new(hint)
		s.parts.hints[next.File] = h
	}
	h.part, h.set = next.Part, true
}

// settle ends the wait for it.
func (h *hint) settle() {
	if h.set {
		h.set = false
		h.over.raise()
	}
}

// settle ends the wait for a part.
func (all *parts) settle(n PartName) {
	if h := all.hints[n.File]; h != nil && h.part == n.Part {
		h.settle()
	}
}

// Hinted returns a part that Hint announced, as soon as it is there; false: it is not there
// and was not announced, it will not come, or ctx has ended.
func (s *Dir) Hinted(ctx context.Context, name string) (File, bool) {
	over := s.hinted(name)
	if over == nil {
		return s.Lookup(name) // it may have come since the caller looked
	}
	select {
	case <-over:
		return s.Lookup(name)
	case <-ctx.Done():
		return File{}, false
	}
}

// hinted is closed when the part of that name is there or will not come; nil: none was
// announced.
func (s *Dir) hinted(name string) <-chan struct{} {
	file, n := fileOf(nil, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.parts.hints[string(file)]; h != nil && h.set && h.part == n {
		return h.over.next()
	}
	return nil
}

// StopWaits ends the waits for versions of playlists, parts and growing files, for good: the
// server stops.
func (s *Dir) StopWaits() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.parts.hints {
		h.settle()
	}
	for _, p := range s.parts.files {
		if p.growing != nil {
			p.growing.End(false)
		}
	}
	for _, f := range s.files {
		if f.live.text != nil && f.live.text.Low != nil {
			f.live.text.Low.Stop()
		}
	}
}
