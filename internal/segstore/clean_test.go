package segstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Clean says when it has to be called again.
func TestCleanRemovesWhatIsDueAndSaysWhenTheNextIs(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts", "b.ts", "c.ts", "d.ts", "e.ts")
	s.SetNumbers("a.ts", Numbers{Next: 8, Disc: 2})
	s.SetNumbers("none.ts", Numbers{Next: 8})
	var numbers Numbers
	s.o.Removed = func(_ *Dir, r Entry, n Numbers) {
		if numbers = n; r.Name != "a.ts" || !s.Ours("a.ts") {
			t.Errorf("%+v removed; ours %t", r, s.Ours(r.Name))
		}
		x.holds(LedgerName, "b.ts", "c.ts", "d.ts", "e.ts")
	}
	start := x.now
	s.Schedule(start.Add(4*time.Second), "d.ts")
	s.Schedule(start.Add(time.Second), "a.ts")
	s.Schedule(start.Add(3*time.Second), "c.ts", "none.ts")
	s.Schedule(start.Add(2*time.Second), "b.ts")
	s.Schedule(start.Add(5*time.Second), "b.ts") // later than it was said first

	x.now = start.Add(time.Second - 1)
	if next, err := s.Clean(t.Context()); err != nil || !next.Equal(start.Add(time.Second)) {
		t.Errorf("before the first: %v, %v", next, err)
	}
	x.holds(LedgerName, "a.ts", "b.ts", "c.ts", "d.ts", "e.ts")
	x.now = start.Add(time.Second)
	if next, err := s.Clean(t.Context()); err != nil || !next.Equal(start.Add(3*time.Second)) {
		t.Errorf("at the first: %v, %v", next, err)
	}
	x.holds(LedgerName, "b.ts", "c.ts", "d.ts", "e.ts")
	if numbers != (Numbers{Next: 8, Disc: 2}) {
		t.Errorf("removed with the numbers %+v", numbers)
	}
	if _, ok := s.Lookup("a.ts"); ok || s.Ours("a.ts") {
		t.Error("what is gone is still served, or known")
	}
	s.o.Removed = func(*Dir, Entry, Numbers) {}
	x.now = start.Add(time.Minute)
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("after the last: %v, %v", next, err)
	}
	x.holds(LedgerName, "e.ts")
	s.Close()
	if got := ours(x.open()); !slices.Equal(got, []string{"e.ts"}) {
		t.Errorf("the next process knows %q", got)
	}
}

// A context that has ended stops it: the files are removed by the next call.
func TestCleanStopsWithItsContext(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts", "b.ts", "c.ts")
	s.Schedule(x.now, "a.ts", "b.ts", "c.ts")
	ctx, cancel := context.WithCancel(t.Context())
	removed := 0
	s.o.Removed = func(*Dir, Entry, Numbers) {
		if removed++; removed == 2 {
			cancel()
		}
	}
	if next, err := s.Clean(ctx); err != nil || !next.IsZero() || removed != 2 {
		t.Errorf("%d removed, next %v, %v", removed, next, err)
	}
}

// Whoever cleans is woken when a date changes, and only then.
func TestADateThatChangesWakes(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	woken := func() bool {
		select {
		case <-s.o.Wake:
			return true
		default:
			return false
		}
	}
	woken() // it was opened
	x.write(s, "a.ts")
	if woken() {
		t.Error("by a file without a date")
	}
	s.KeepIfDue("a.ts")
	s.KeepIfDue("none.ts")
	if woken() {
		t.Error("by a file that was kept already")
	}
	s.Schedule(x.now, "a.ts")
	s.Schedule(x.now.Add(time.Second), "a.ts") // nobody waits for two
	if !woken() {
		t.Error("not by a date")
	}
	s.KeepIfDue("a.ts")
	if !woken() {
		t.Error("not by a date that is gone")
	}
	x.now = x.now.Add(time.Hour)
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("%v, %v", next, err)
	}
	x.holds(LedgerName, "a.ts")
}

// A file that can't be removed is left alone for half a minute, and others go.
func TestAFileThatCantBeRemovedIsTriedAgain(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts", "b.ts")
	s.Schedule(x.now, "a.ts", "b.ts")
	x.failAt("remove", "a.ts")
	next, err := s.Clean(t.Context())
	if !errors.Is(err, errFault) || !next.Equal(x.now.Add(30*time.Second)) {
		t.Errorf("next %v, %v", next, err)
	}
	x.holds(LedgerName, "a.ts")
	if !slices.Equal(x.calls, []string{"removed b.ts"}) {
		t.Errorf("%q", x.calls)
	}
	x.fault = func(string, string) error { return nil }
	x.now = x.now.Add(30 * time.Second)
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("next %v, %v", next, err)
	}
	x.holds()
	// One that somebody else has removed is no error.
	x.write(s, "c.ts")
	s.Schedule(x.now, "c.ts")
	if err := os.Remove(filepath.Join(x.path, "c.ts")); err != nil {
		t.Fatal(err)
	}
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() || !s.Empty() {
		t.Errorf("next %v, %v", next, err)
	}
}

// A directory goes with its last file of ours, unless somebody else has one in it; then
// it is theirs.
func TestDirectoriesGoWithTheirLastFile(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a/b/1.ts", "a/2.ts", "ab.ts", "c/1.ts", "c/d/1.ts")
	if err := s.Mark(entryOf("a/test.next")); err != nil { // no file: holds nothing up
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(x.path, "c/theirs.ts"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	clean := func() {
		t.Helper()
		if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
			t.Errorf("next %v, %v", next, err)
		}
	}
	for dir, want := range map[string]bool{"a": true, "a/b": true, "b": false, "ab.ts": false, "a/2.ts": false, "c": true, "ab": false} {
		if got := s.Occupied(dir); got != want {
			t.Errorf("%s: occupied %t", dir, got)
		}
	}
	s.Schedule(x.now, "a/b/1.ts")
	clean()
	x.holds(LedgerName, "a", "a/2.ts", "ab.ts", "c", "c/1.ts", "c/d", "c/d/1.ts", "c/theirs.ts")
	// A date of its own does not remove a directory that is in use.
	s.Schedule(x.now, "a")
	clean()
	s.Schedule(x.now, "a/2.ts")
	clean()
	x.holds(LedgerName, "ab.ts", "c", "c/1.ts", "c/d", "c/d/1.ts", "c/theirs.ts")
	s.Schedule(x.now, "c/1.ts", "c/d/1.ts", "a/test.next")
	clean()
	x.holds(LedgerName, "ab.ts", "c", "c/theirs.ts")
	if got := ours(s); !slices.Equal(got, []string{"ab.ts"}) {
		t.Errorf("%q", got)
	}
}

// A directory that can't be removed for another reason is tried again.
func TestADirectoryThatCantBeRemovedIsTriedAgain(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a/1.ts")
	x.failAt("remove", "a")
	s.Schedule(x.now, "a/1.ts")
	if next, err := s.Clean(t.Context()); !errors.Is(err, errFault) || !next.Equal(x.now.Add(removeRetry)) {
		t.Errorf("next %v, %v", next, err)
	}
	x.holds(LedgerName, "a")
	x.fault = func(string, string) error { return nil }
	x.now = x.now.Add(removeRetry)
	if _, err := s.Clean(t.Context()); err != nil {
		t.Error(err)
	}
	x.holds()
}

// Release says how long a file would have stayed; with 0 it is forgotten at that time,
// not removed.
func TestFilesThatAreReleased(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts", "b.ts", "c.ts")
	s.Release(x.now.Add(time.Second), 0, "a.ts", "none.ts")
	s.Release(x.now.Add(time.Second), 2*time.Second, "b.ts")
	s.Release(time.Time{}, 3*time.Second, "c.ts")
	keeps := make(map[string]int64)
	s.Each(func(r Entry, _ Numbers) { keeps[r.Name] = r.Keep })
	if keeps["a.ts"] != 0 || keeps["b.ts"] != 2000 || keeps["c.ts"] != 3000 {
		t.Errorf("%v", keeps)
	}
	x.now = x.now.Add(time.Second)
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("next %v, %v", next, err)
	}
	x.holds(LedgerName, "a.ts", "c.ts")
	if got := ours(s); !slices.Equal(got, []string{"c.ts"}) || !slices.Equal(x.calls, []string{"removed b.ts"}) {
		t.Errorf("%q, %q", got, x.calls)
	}
}

// What stands under a file's name now may be somebody else's directory: it stays, and
// that is said.
func TestADirectoryUnderAFilesNameStays(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	if err := os.Remove(filepath.Join(x.path, "a.ts")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(x.path, "a.ts", "theirs"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Schedule(x.now, "a.ts")
	if next, err := s.Clean(t.Context()); err == nil || !next.Equal(x.now.Add(removeRetry)) || len(x.calls) > 0 {
		t.Errorf("next %v, %v; %q", next, err, x.calls)
	}
}
