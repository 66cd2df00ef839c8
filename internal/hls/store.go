package hls

import (
	"container/heap"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"
)

// A store is one directory tree, the ledger of what we wrote there, and when it
// goes again. Its files map is also what HTTP asks about live files.
type store struct {
	disk   *disk
	ledger *ledger
	wake   chan struct{} // tells the cleaner that a date has changed

	settling sync.Mutex // one goroutine at a time opens the directory; see settle
	opened   bool       // it was opened once; guarded by settling
	failing  bool       // the last try to open it failed; guarded by settling
	closed   bool       // for good; guarded by settling

	// removing is held while a file is deleted, so that a packager that takes
	// files over knows which of them are still there.
	removing sync.Mutex

	mu    sync.RWMutex
	files map[string]*file
	due   dueHeap
}

// A file is one name of ours.
type file struct {
	rec      record
	live     File
	visible  bool      // complete under its final name
	removeAt time.Time // zero: not scheduled

	next, nextDisc uint64 // playlist: the numbers that follow what it says
}

// newStore makes a store that is not open yet.
func newStore(dir, ledgerName string, wake chan struct{}, fault func(op, name string) error) *store {
	k := &disk{path: dir, fault: fault}
	return &store{disk: k, ledger: &ledger{disk: k, name: ledgerName}, wake: wake, files: make(map[string]*file)}
}

// open opens the directory and reads its ledger.
func (s *store) open() error {
	if err := s.disk.open(); err != nil {
		return err
	}
	l, err := openLedger(s.disk, s.ledger.name)
	if err != nil {
		s.disk.close()
		return fmt.Errorf("hls path %s: %w", s.disk.path, err)
	}
	s.ledger = l
	return nil
}

// adopt makes what was opened aside the store's: its directory, its ledger and
// its files. An unopened one leaves s without a directory.
func (s *store) adopt(fresh *store) {
	s.removing.Lock()
	defer s.removing.Unlock()
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.closeLocked()
	l.file, l.lines, l.torn, l.live = fresh.ledger.file, fresh.ledger.lines, fresh.ledger.torn, fresh.ledger.live
	s.files, s.due = fresh.files, fresh.due
	s.disk.hold(fresh.disk.held.Load())
}

func (s *store) close() {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.closed = true
	s.ledger.close()
	s.disk.close()
}

func (s *store) empty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.files) == 0
}

func (s *store) lookup(name string) (File, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if f := s.files[name]; f != nil && f.visible {
		return f.live, true
	}
	return File{}, false
}

// taken says whether a new file may not have this name.
func (s *store) taken(name string) bool {
	s.mu.RLock()
	_, ours := s.files[name]
	s.mu.RUnlock()
	return ours || s.disk.exists(name)
}

// write records rec, writes data under its name and shows live to Lookup. The
// directory is made if need be. A file written again keeps no removal date.
func (s *store) write(rec record, data []byte, live File) error {
	for again := false; ; again = true {
		held := s.disk.held.Load()
		err := s.writeOnce(rec, data, live, again)
		if s.disk.held.Load() == held {
			return err
		}
		// The directory was exchanged meanwhile: the file is in the old one.
	}
}

// writeOnce is write; again: what the ledger knows may be another directory's.
func (s *store) writeOnce(rec record, data []byte, live File, again bool) error {
	if err := s.reserve(rec, again); err != nil {
		return err
	}
	err := s.inDirectory(rec, func() error { return s.disk.replace(rec.Name, data) })
	s.mu.Lock()
	f := s.files[rec.Name]
	unseen := f != nil && !f.visible
	if err == nil && f != nil {
		f.live, f.visible = live, true
	}
	s.mu.Unlock()
	if err != nil && unseen {
		s.forget(rec.Name) // replace left nothing
	}
	return err
}

// reserve puts rec into the ledger before its file exists; again: even if it is
// there already.
func (s *store) reserve(rec record, again bool) error {
	s.mu.Lock()
	f := s.files[rec.Name]
	known := f != nil && f.rec == rec
	s.mu.Unlock()
	if known && !again {
		return nil
	}
	if err := s.ledger.put(rec); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f = s.files[rec.Name]; f == nil {
		f = &file{}
		s.files[rec.Name] = f
	}
	f.rec, f.removeAt = rec, time.Time{}
	return nil
}

// inDirectory runs create, making the directories of rec's name when they are
// missing. Those we made are ours to remove.
func (s *store) inDirectory(rec record, create func() error) error {
	err := create()
	dir := path.Dir(rec.Name)
	// Twice: the cleaner may remove an empty directory between the two steps.
	for try := 0; try < 2 && dir != "." && errors.Is(err, fs.ErrNotExist); try++ {
		if err := s.makeDirs(dir, rec); err != nil {
			return err
		}
		err = create()
	}
	return err
}

func (s *store) makeDirs(dir string, rec record) error {
	if s.disk.exists(dir) {
		return nil
	}
	if up := path.Dir(dir); up != "." {
		if err := s.makeDirs(up, rec); err != nil {
			return err
		}
	}
	if err := s.reserve(record{Name: dir, Kind: kindDirectory, App: rec.App, Stream: rec.Stream}, false); err != nil {
		return err
	}
	if err := s.disk.mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		s.forget(dir)
		return fmt.Errorf("make directory %s: %w", dir, err)
	}
	return nil
}

// forget drops names that are no longer ours to remove; the files stay.
func (s *store) forget(names ...string) {
	recs := make([]record, 0, len(names))
	s.mu.Lock()
	for _, name := range names {
		if s.files[name] != nil {
			delete(s.files, name)
			recs = append(recs, record{Name: name, Gone: true})
		}
	}
	s.mu.Unlock()
	// Should this fail, the next start finds the line and removes the file
	// when its time is over, as if we had not got so far.
	_ = s.ledger.put(recs...)
}

// schedule has names removed at the given time, or never (zero).
func (s *store) schedule(at time.Time, names ...string) {
	recs := make([]record, 0, len(names))
	s.mu.Lock()
	for _, name := range names {
		f := s.files[name]
		if f == nil || f.removeAt.Equal(at) {
			continue
		}
		f.removeAt = at
		f.rec.Remove = 0
		if !at.IsZero() {
			f.rec.Remove = at.UnixMilli()
			heap.Push(&s.due, dueItem{at, f.rec.order(), name})
		}
		recs = append(recs, f.rec)
	}
	s.mu.Unlock()
	_ = s.ledger.put(recs...) // failing: the sweep at the next start sets another date
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// release has names go at the given time: deleted, or with keep 0 only forgotten.
// keep is how long after the end of their stream they would have stayed.
func (s *store) release(at time.Time, keep time.Duration, names ...string) {
	s.mu.Lock()
	for _, name := range names {
		if f := s.files[name]; f != nil {
			f.rec.Keep = keep.Milliseconds()
		}
	}
	s.mu.Unlock()
	s.schedule(at, names...)
}

// keep takes the dates off names and returns once none of them is being removed.
func (s *store) keep(names ...string) {
	s.removing.Lock()
	defer s.removing.Unlock()
	s.schedule(time.Time{}, names...)
}

// keepIfDue is keep for a name that is scheduled, and cheap for one that is not.
func (s *store) keepIfDue(name string) {
	s.mu.RLock()
	f := s.files[name]
	due := f != nil && !f.removeAt.IsZero()
	s.mu.RUnlock()
	if due {
		s.keep(name)
	}
}

// numbers notes what follows a playlist's last fragment.
func (s *store) numbers(playlist string, next, disc uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[playlist]; f != nil {
		f.next, f.nextDisc = next, disc
	}
}

// order: a playlist goes before the files it names, a directory last.
func (r *record) order() int {
	switch r.Kind {
	case kindMaster:
		return 0
	case kindPlaylist:
		return 1
	case kindDirectory:
		return 3
	}
	return 2
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
func (s *store) next(now time.Time) (name string, at time.Time) {
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
