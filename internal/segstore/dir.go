// Package segstore keeps the files of an output in a directory tree: it writes them
// aside and renames them, remembers in a ledger which files it made, removes them when
// they are due, and goes on in another directory when the path names another one. It
// knows which files are live, for HTTP.
//
//	Write → ledger → temporary file → rename → Lookup
//	Schedule → Clean → file removed → ledger
//
// The package does not know what is in the files: its caller passes the kinds of files,
// and functions that depend on their content. The methods of a Dir may be called from
// any goroutine.
package segstore

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A Dir is one directory tree, the ledger of what we wrote there, and when it
// goes again.
type Dir struct {
	o      Options
	disk   *disk
	ledger *ledger

	settling sync.Mutex // one goroutine at a time opens the directory; see Settle
	opened   bool       // it was opened once; guarded by settling
	failing  bool       // the last try to open it failed; guarded by settling
	closed   bool       // for good; guarded by settling

	// removing is held while a file is deleted: after Keep a file exists or does not,
	// and does not change.
	removing sync.Mutex

	mu    sync.RWMutex
	files map[string]*file
	due   dueHeap
	parts parts
	past  past
	// appeared tells that a file has become visible.
	appeared signal
}

// A file is one name of ours.
type file struct {
	entry    *Entry // not changed, because the ledger has it too
	live     liveFile
	visible  bool      // complete under its final name
	arriving bool      // visible as soon as it is on disk; only of files that live holds whole
	removeAt time.Time // zero: not scheduled
	numbers  *Numbers  // nil: none were noted
}

// noted are the numbers of a playlist.
func (f *file) noted() (n Numbers) {
	if f.numbers != nil {
		n = *f.numbers
	}
	return n
}

// Numbers are where the numbers of a playlist go on. A Dir only stores them.
type Numbers struct {
	Next, Disc uint64 // media sequence and discontinuity sequence
}

// Options are what a Dir needs. All functions are required, but for Fault.
type Options struct {
	Path   string
	What   string      // names the directory in log lines and errors: "hls path"
	Ledger string      // file name of the ledger in it
	Kinds  []EntryKind // of files in the directory
	Log    *zap.Logger
	Now    func() time.Time
	Wake   chan struct{} // receives a value when a date has changed: Clean may have work

	// Sweep handles what an earlier process left: it calls Show and Schedule for the
	// entries of s, which nobody else uses yet.
	Sweep func(s *Dir)
	// Moving is called before a Dir goes on in another directory, which is opened as
	// to; Moved is called afterwards.
	Moving func(from, to *Dir)
	Moved  func(s *Dir)
	// Removed is called when a file has been deleted, before it is forgotten.
	Removed func(s *Dir, r Entry, n Numbers)
	// InUse says whether a file will be written again: that one is not forgotten when
	// it is missing.
	InUse func(name string) bool

	Fault func(op, name string) error // tests: fails the step before it happens
}

// New makes a Dir that is not open yet: see Settle.
func New(o Options) *Dir {
	k := &disk{path: o.Path, what: o.What, fault: o.Fault}
	return &Dir{o: o, disk: k, ledger: &ledger{disk: k, name: o.Ledger, kinds: o.Kinds}, files: make(map[string]*file)}
}

// open opens the directory and reads its ledger.
func (s *Dir) open() error {
	if err := s.disk.open(); err != nil {
		return err
	}
	l, err := openLedger(s.disk, s.o.Ledger, s.o.Kinds)
	if err != nil {
		s.disk.close()
		return fmt.Errorf("%s %s: %w", s.o.What, s.disk.path, err)
	}
	s.ledger = l
	for name, entry := range l.live {
		s.files[name] = &file{entry: entry}
	}
	return nil
}

// adopt moves directory, ledger and files of fresh to s. If fresh is not open, s has no
// directory then.
func (s *Dir) adopt(fresh *Dir) {
	s.removing.Lock()
	defer s.removing.Unlock()
	l := s.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	l.closeLocked()
	l.file, l.lines, l.torn, l.live = fresh.ledger.file, fresh.ledger.lines, fresh.ledger.torn, fresh.ledger.live
	s.files, s.due, s.past = fresh.files, fresh.due, fresh.past
	s.appeared.raise()
	s.disk.hold(fresh.disk.held.Load())
}

// Close closes the directory for good. The files stay.
func (s *Dir) Close() {
	s.settling.Lock()
	defer s.settling.Unlock()
	s.closed = true
	s.ledger.close()
	s.disk.close()
}

// Empty says whether the ledger has no entry.
func (s *Dir) Empty() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.files) == 0
}

// Lookup returns the live file of that name. It allocates nothing but the tags of parts. Of a playlist that can
// be opened it knows: whoever finds one on disk that Lookup did not find may look again.
func (s *Dir) Lookup(name string) (File, bool) {
	f, ok, past := s.lookup(name)
	return f, ok || past && s.disk.exists(name)
}

// lookup is Lookup; past: f is of a file that was left, if it is there.
func (s *Dir) lookup(name string) (f File, ok, past bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	known := s.files[name]
	if known != nil && (known.visible || known.arriving && s.disk.exists(name)) {
		return known.live.file(known.entry), true, false
	}
	f, ok = s.parts.lookup(name)
	if !ok && known == nil {
		f, past = s.past.file(name)
	}
	return f, ok, past
}

// Taken says whether a name is used, in the ledger or in the directory.
func (s *Dir) Taken(name string) bool {
	s.mu.RLock()
	_, ours := s.files[name]
	s.mu.RUnlock()
	return ours || s.disk.exists(name)
}

// Whole says whether a regular file of that name is there, and is not empty.
func (s *Dir) Whole(name string) bool {
	info, err := s.disk.stat(name)
	return err == nil && info.Mode().IsRegular() && info.Size() > 0
}

// Ours says whether a name is in the ledger.
func (s *Dir) Ours(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.files[name] != nil
}

// Stat describes a file, not what a link points to.
func (s *Dir) Stat(name string) (fs.FileInfo, error) { return s.disk.stat(name) }

// Read returns a regular file of at most limit bytes.
func (s *Dir) Read(name string, limit int64) ([]byte, fs.FileInfo, error) {
	return s.disk.read(name, limit)
}

// List returns the names in a directory of the tree, ours or not, unsorted.
func (s *Dir) List(dir string) ([]string, error) { return s.disk.list(dir) }

// RemoveTemporary deletes what a crash may have left beside a file.
func (s *Dir) RemoveTemporary(name string) { _ = s.disk.remove(temporary(name)) }

// Write puts entry into the ledger, writes data to the file of that name, and makes Lookup
// return live. It makes missing directories. A file that is written again has no removal
// date.
func (s *Dir) Write(entry Entry, data []byte, live File) error {
	for again := false; ; again = true {
		held := s.disk.held.Load()
		err := s.writeOnce(entry, data, live, again)
		if s.disk.held.Load() == held {
			return err
		}
		// The directory was exchanged meanwhile: the file is in the old one.
	}
}

// writeOnce is Write into the directory that is open now. again: the ledger may be that
// of another directory than before.
func (s *Dir) writeOnce(entry Entry, data []byte, live File, again bool) error {
	if err := s.reserve(entry, again); err != nil {
		return err
	}
	s.mu.Lock()
	if f := s.files[entry.Name]; f != nil && !f.visible && live.Body != nil {
		f.live, f.arriving = liveOf(live, f.entry), true
	}
	s.mu.Unlock()
	err := s.inDirectory(entry, func() error { return s.disk.replace(entry.Name, data) })
	s.mu.Lock()
	f := s.files[entry.Name]
	unseen := f != nil && !f.visible
	if err == nil && f != nil {
		f.live, f.visible, f.arriving = liveOf(live, f.entry), true, false
		if unseen {
			s.appeared.raise()
		}
	}
	s.mu.Unlock()
	if err != nil && unseen {
		s.Forget(entry.Name) // replace left nothing
	}
	return err
}

// reserve puts entry into the ledger before its file exists; again: even if it is
// there already.
func (s *Dir) reserve(entry Entry, again bool) error {
	s.mu.Lock()
	f := s.files[entry.Name]
	known := f != nil && *f.entry == entry
	s.mu.Unlock()
	if known && !again {
		return nil
	}
	if err := s.ledger.put(&entry); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.past.share(&entry)
	if f = s.files[entry.Name]; f == nil {
		f = &file{}
		s.files[entry.Name] = f
	}
	f.entry, f.removeAt = &entry, time.Time{}
	return nil
}

// Mark puts an entry into the ledger that stands for no file: see EntryKind.Marker.
func (s *Dir) Mark(entry Entry) error { return s.reserve(entry, false) }

// inDirectory runs create, making the directories of entry's name when they are
// missing. Those we made are ours to remove.
func (s *Dir) inDirectory(entry Entry, create func() error) error {
	err := create()
	dir := path.Dir(entry.Name)
	// Twice: the cleaner may remove an empty directory between the two steps.
	for try := 0; try < 2 && dir != "." && errors.Is(err, fs.ErrNotExist); try++ {
		if err := s.makeDirs(dir, entry); err != nil {
			return err
		}
		err = create()
	}
	return err
}

func (s *Dir) makeDirs(dir string, entry Entry) error {
	if s.disk.exists(dir) {
		return nil
	}
	if up := path.Dir(dir); up != "." {
		if err := s.makeDirs(up, entry); err != nil {
			return err
		}
	}
	if err := s.reserve(Entry{Name: dir, Kind: KindDirectory, App: entry.App, Stream: entry.Stream}, false); err != nil {
		return err
	}
	if err := s.disk.mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		s.Forget(dir)
		return fmt.Errorf("make directory %s: %w", dir, err)
	}
	return nil
}

// Forget drops names that are no longer ours to remove; the files stay.
func (s *Dir) Forget(names ...string) {
	entries := make([]*Entry, 0, len(names))
	s.mu.Lock()
	for _, name := range names {
		if s.files[name] != nil {
			delete(s.files, name)
			entries = append(entries, &Entry{Name: name, Gone: true})
		}
	}
	s.mu.Unlock()
	// Should this fail, the next start finds the line and removes the file
	// when its time is over, as if we had not got so far.
	_ = s.ledger.put(entries...)
}

// SetNumbers notes where the numbers of a playlist go on.
func (s *Dir) SetNumbers(playlist string, n Numbers) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[playlist]; f != nil {
		f.numbers = &n
	}
}

// Show makes Lookup return live for a file that exists already.
func (s *Dir) Show(name string, live File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.files[name]; f != nil {
		f.live, f.visible = liveOf(live, f.entry), true
	}
}

// Each calls f for every entry. f must not call s.
func (s *Dir) Each(f func(r Entry, n Numbers)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, x := range s.files {
		f(*x.entry, x.noted())
	}
}

// Names returns the names of the files that Lookup finds and ok accepts, sorted.
func (s *Dir) Names(ok func(File) bool) (names []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for name, f := range s.files {
		if f.visible && ok(f.live.file(f.entry)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// marker says whether r stands for no file.
func (s *Dir) marker(r *Entry) bool {
	i := kindIndex(s.o.Kinds, r.Kind)
	return i >= 0 && s.o.Kinds[i].Marker
}
