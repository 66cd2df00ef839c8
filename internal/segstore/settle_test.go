package segstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// exchange puts another directory, with a file of its own, where the path is.
func (x *tree) exchange() (old string) {
	x.Helper()
	old = x.path + ".old"
	if err := os.Rename(x.path, old); err != nil {
		x.Fatal(err)
	}
	if err := os.Mkdir(x.path, 0o700); err != nil {
		x.Fatal(err)
	}
	return old
}

// said are the log lines so far, with their level.
func (x *tree) said() (lines []string) {
	for _, e := range x.logs.TakeAll() {
		lines = append(lines, e.Level.String()+" "+e.Message)
		if got := e.ContextMap()["path"]; got != x.path {
			x.Errorf("%s: path %v", e.Message, got)
		}
	}
	return lines
}

// The path is exchanged for another directory, in which a process was before: the store
// goes on there with what is there, and touches nothing in the old one.
func TestAPathThatNamesAnotherDirectoryIsFollowed(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "theirs.ts")
	s.Close()
	second := x.path + ".second"
	if err := os.Rename(x.path, second); err != nil {
		t.Fatal(err)
	}

	s = x.open()
	if lines := x.said(); len(lines) > 0 {
		t.Errorf("the first time: %q", lines)
	}
	x.write(s, "a.ts")
	s.Schedule(x.now.Add(time.Second), "a.ts")
	if err := s.Settle(); err != nil || len(x.calls) > 0 {
		t.Errorf("nothing has changed: %q, %v", x.calls, err)
	}
	root := s.disk.held.Load().root
	if err := os.Rename(x.path, x.path+".first"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(second, x.path); err != nil {
		t.Fatal(err)
	}
	x.sweep = func(fresh *Dir) {
		if fresh == s || !slices.Equal(ours(fresh), []string{"theirs.ts"}) {
			t.Errorf("the sweep sees %q", ours(fresh))
		}
		fresh.Show("theirs.ts", File{Size: 99})
	}
	moving := false
	s.o.Moving = func(from, to *Dir) {
		moving = from == s && to != s && to.Ours("theirs.ts") && from.Ours("a.ts")
	}
	s.o.Moved = func(at *Dir) {
		if at != s || !moving || s.Ours("a.ts") {
			t.Errorf("moved, %t", moving)
		}
	}
	<-s.o.Wake
	if err := s.Settle(); err != nil || !moving {
		t.Errorf("%v, moving %t", err, moving)
	}
	select {
	case <-s.o.Wake:
	default:
		t.Error("nobody is told that the dates are others")
	}
	if want := []string{"warn test path was replaced: outputs go on in the directory that it names now"}; !slices.Equal(x.said(), want) {
		t.Errorf("the log is not %q", want)
	}
	if _, err := root.Stat("."); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the old directory is still open: %v", err)
	}
	if f, ok := s.Lookup("theirs.ts"); !ok || f.Size != 99 {
		t.Errorf("what the sweep showed: %+v, %t", f, ok)
	}
	x.write(s, "b.ts")
	x.holds(LedgerName, "b.ts", "theirs.ts")
	x.now = x.now.Add(time.Hour)
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("the dates of the old directory: %v, %v", next, err)
	}
	first := &tree{T: t, path: x.path + ".first"}
	first.holds(LedgerName, "a.ts")
	s.Close()
	x.sweep = func(*Dir) {}
	if got := ours(x.open()); !slices.Equal(got, []string{"b.ts", "theirs.ts"}) {
		t.Errorf("the next process knows %q", got)
	}
}

// A file that was on its way into a directory that is exchanged arrives in the new one.
func TestAWriteIntoADirectoryThatIsExchangedMeanwhile(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	x.fault = func(op, name string) error {
		if op == "rename" && name == "a.ts" {
			x.fault = func(string, string) error { return nil }
			x.exchange()
			return s.Settle()
		}
		return nil
	}
	if err := s.Write(entryOf("a.ts"), []byte("new"), File{Size: 3}); err != nil {
		t.Fatal(err)
	}
	x.holds(LedgerName, "a.ts")
	if b, _, err := s.Read("a.ts", 10); err != nil || string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
	s.Close()
	if got := ours(x.open()); !slices.Equal(got, []string{"a.ts"}) {
		t.Errorf("the next process knows %q", got)
	}
}

// Who waits for a file sees one that another directory brings.
func TestWaitForAFileThatIsInTheNextDirectory(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := make(chan error, 1)
	appeared := s.nextFile() // Wait will use it
	go func() {
		_, err := s.Wait(ctx, "a.ts")
		got <- err
	}()
	old := x.exchange()
	if err := os.WriteFile(filepath.Join(x.path, LedgerName), []byte(`{"n":"a.ts","k":"segment"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	x.sweep = func(fresh *Dir) { fresh.Show("a.ts", File{}) }
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	<-appeared
	if err := <-got; err != nil {
		t.Errorf("%v; %s", err, old)
	}
}

// A path that can't be used is told once; while it can't, nothing is written.
func TestAPathThatCantBeUsedIsToldOnce(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	if err := os.RemoveAll(x.path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(x.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.Settle(); err == nil || !strings.HasPrefix(err.Error(), "test path "+x.path+": ") {
			t.Errorf("%v", err)
		}
		if err := s.Write(entryOf("b.ts"), nil, File{}); !errors.Is(err, errUnusable) {
			t.Errorf("a write: %v", err)
		}
	}
	if _, ok := s.Lookup("a.ts"); ok || !s.Empty() {
		t.Errorf("it still has %q", ours(s))
	}
	if want := []string{"error test path can't be used: outputs in it fail until it can"}; !slices.Equal(x.said(), want) {
		t.Errorf("the log is not %q", want)
	}
	x.logs.TakeAll()
	if err := os.Remove(x.path); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Settle(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"info test path can be used"}; !slices.Equal(x.said(), want) {
		t.Errorf("the log is not %q", want)
	}
	x.write(s, "b.ts")
	x.holds(LedgerName, "b.ts")
}

// A directory in which no file can be made says so, and leaves no trace.
func TestADirectoryThatIsNotWritable(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	if err := os.MkdirAll(filepath.Join(x.path, probeName, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := x.store().Settle()
	if err == nil || !strings.HasPrefix(err.Error(), "test path "+x.path+" is not writable for this user: ") {
		t.Errorf("%v", err)
	}
	x.failAt("open", ".")
	if err := x.store().Settle(); err == nil || err.Error() != "test path "+x.path+": no space left" {
		t.Errorf("%v", err)
	}
	x.fault = func(string, string) error { return nil }
	if err := os.RemoveAll(x.path); err != nil {
		t.Fatal(err)
	}
	x.open()
	x.holds()
}

// A closed store is closed for good. Its files stay for the next process.
func TestAStoreThatIsClosedStaysClosed(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	s.Close()
	s.Close()
	if err := s.Settle(); !errors.Is(err, errUnusable) {
		t.Errorf("%v", err)
	}
	s.Look()
	for what, err := range map[string]error{
		"write": s.Write(entryOf("b.ts"), nil, File{}),
		"make":  s.disk.mkdir("b"),
		"list":  func() error { _, err := s.List("."); return err }(),
		"read":  func() error { _, _, err := s.Read("a.ts", 10); return err }(),
		"stat":  func() error { _, err := s.Stat("a.ts"); return err }(),
	} {
		if !errors.Is(err, errUnusable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	x.holds(LedgerName, "a.ts")
}

// A directory that is missing is not made by looking: its user may be about to put
// another one there.
func TestLookMakesNoDirectory(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	if err := os.Rename(x.path, x.path+".old"); err != nil {
		t.Fatal(err)
	}
	s.Look()
	s.Look()
	if want := []string{"moving", "moved"}; !slices.Equal(x.calls, want) {
		t.Errorf("%q, want %q", x.calls, want)
	}
	if _, err := os.Stat(x.path); err == nil || !s.Empty() {
		t.Errorf("%v, %q", err, ours(s))
	}
	x.calls = nil
	if err := os.Rename(x.path+".old", x.path); err != nil {
		t.Fatal(err)
	}
	s.Look()
	if want := []string{"sweep", "moving", "moved"}; !slices.Equal(x.calls, want) || !s.Ours("a.ts") {
		t.Errorf("%q, want %q; %q", x.calls, want, ours(s))
	}
}

// HTTP does not go on serving from memory what somebody has deleted. Files that are
// served from the disk are not there anyway, and those in use are written again.
func TestLookForgetsWhatSomebodyDeleted(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	for _, name := range []string{"a.m3u8", "used.m3u8", "there.m3u8", "b.ts", "hidden.m3u8"} {
		f := File{Kind: Segment}
		if strings.HasSuffix(name, ".m3u8") {
			f = File{Kind: Playlist, Body: []byte("#EXTM3U\n")}
		}
		if err := s.Write(entryOf(name), []byte("x"), f); err != nil {
			t.Fatal(err)
		}
		if name == "there.m3u8" {
			continue
		}
		if err := os.Remove(filepath.Join(x.path, name)); err != nil {
			t.Fatal(err)
		}
	}
	x.inUse = func(name string) bool { return name == "used.m3u8" || name == "there.m3u8" }
	s.Look()
	if want := []string{"b.ts", "there.m3u8", "used.m3u8"}; !slices.Equal(ours(s), want) {
		t.Errorf("%q, want %q", ours(s), want)
	}
	slices.Sort(x.calls)
	if want := []string{"removed a.m3u8", "removed hidden.m3u8"}; !slices.Equal(x.calls, want) {
		t.Errorf("%q, want %q", x.calls, want)
	}
	// One that is there stays, in use or not.
	x.inUse = func(string) bool { return false }
	s.Look()
	if want := []string{"b.ts", "there.m3u8"}; !slices.Equal(ours(s), want) {
		t.Errorf("%q, want %q", ours(s), want)
	}
	if n := x.logs.FilterField(zap.String("path", x.path)).Len(); n > 0 {
		t.Errorf("%d lines of the log", n)
	}
}
