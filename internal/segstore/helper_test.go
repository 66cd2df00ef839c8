package segstore

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// A tree is a directory in which stores of one test follow each other, as processes do.
type tree struct {
	*testing.T
	path  string
	now   time.Time
	logs  *observer.ObservedLogs
	calls []string // of the functions of Options
	inUse func(name string) bool
	sweep func(s *Dir)
	fault func(op, name string) error
}

func newTree(t *testing.T) *tree {
	t.Helper()
	return &tree{
		T: t, path: filepath.Join(t.TempDir(), "live"), now: time.Unix(1e9, 0),
		inUse: func(string) bool { return false },
		sweep: func(*Dir) {},
		fault: func(string, string) error { return nil },
	}
}

// store is a new store in the tree, which is not open yet.
func (x *tree) store() *Dir {
	x.Helper()
	core, logs := observer.New(zap.InfoLevel)
	x.logs = logs
	call := func(what string) { x.calls = append(x.calls, what) }
	s := New(Options{
		Path: x.path, What: "test path", Ledger: LedgerName, Kinds: testKinds,
		Log: zap.New(core), Now: func() time.Time { return x.now }, Wake: make(chan struct{}, 1),
		Sweep:  func(s *Dir) { call("sweep"); x.sweep(s) },
		Moving: func(_, _ *Dir) { call("moving") }, Moved: func(*Dir) { call("moved") },
		Removed: func(_ *Dir, r Entry, _ Numbers) { call("removed " + r.Name) },
		InUse:   func(name string) bool { return x.inUse(name) },
		Fault:   func(op, name string) error { return x.fault(op, name) },
	})
	x.Cleanup(s.Close)
	return s
}

// open is a store as a process has it that has just started.
func (x *tree) open() *Dir {
	x.Helper()
	s := x.store()
	if err := s.Settle(); err != nil {
		x.Fatal(err)
	}
	x.calls = nil
	return s
}

// write writes a file of ours that stays for a second after its stream's end.
func (x *tree) write(s *Dir, names ...string) {
	x.Helper()
	for _, name := range names {
		if err := s.Write(entryOf(name), []byte("bytes of "+name), File{Size: int64(len(name))}); err != nil {
			x.Fatalf("%s: %v", name, err)
		}
	}
}

func entryOf(name string) Entry {
	kind := map[string]string{".m3u8": "playlist", ".ts": "segment", ".next": "mark"}[filepath.Ext(name)]
	return Entry{Name: name, Kind: kind, App: "show", Stream: "test", Keep: 1000}
}

// disk is what the directory holds, dotfiles and directories included, sorted.
func (x *tree) disk() (names []string) {
	x.Helper()
	err := filepath.WalkDir(x.path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if rel, _ := filepath.Rel(x.path, path); rel != "." {
			names = append(names, rel)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		x.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// holds fails unless the directory holds these files, and the ledger if there are any
// in a store.
func (x *tree) holds(want ...string) {
	x.Helper()
	if got := x.disk(); !slices.Equal(got, want) {
		x.Errorf("the directory holds %q, want %q", got, want)
	}
}

// ledger is what the ledger says, a line each; a line that is not JSON fails.
func (x *tree) ledger() (lines []Entry) {
	x.Helper()
	b, err := os.ReadFile(filepath.Join(x.path, LedgerName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		x.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var r Entry
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			x.Errorf("a line of the ledger is %q: %v", line, err)
		}
		lines = append(lines, r)
	}
	return lines
}

// ours are the names that s has entries for, sorted.
func ours(s *Dir) (names []string) {
	s.Each(func(r Entry, _ Numbers) { names = append(names, r.Name) })
	slices.Sort(names)
	return names
}

// errFault is the error of a step that a test fails.
var errFault = errors.New("no space left")

// failAt fails one step of one file.
func (x *tree) failAt(op, name string) {
	x.fault = func(o, n string) error {
		if o == op && n == name {
			return errFault
		}
		return nil
	}
}

func entryFor(name string) *Entry {
	e := entryOf(name)
	return &e
}
