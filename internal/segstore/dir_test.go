package segstore

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
)

var testKinds = []EntryKind{
	{Name: "playlist", Suffix: ".m3u8"}, {Name: "segment", Suffix: ".ts", Order: 1}, {Name: "mark", Suffix: ".next", Order: 1, Marker: true},
}

// testStore is a store in a fresh directory, at a time of the test's.
func testStore(t testing.TB, now *time.Time) *Dir {
	t.Helper()
	s := New(Options{
		Path: filepath.Join(t.TempDir(), "live"), What: "test path", Ledger: LedgerName, Kinds: testKinds,
		Log: zap.NewNop(), Now: func() time.Time { return *now }, Wake: make(chan struct{}, 1),
		Sweep: func(*Dir) {}, Moving: func(_, _ *Dir) {}, Moved: func(*Dir) {},
		Removed: func(*Dir, Entry, Numbers) {}, InUse: func(string) bool { return false },
	})
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// What was taken over between the look at the clock and the deletion stays.
func TestAFileThatIsTakenOverMeanwhileStays(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	s := testStore(t, &now)
	for _, name := range []string{"test.m3u8", "test-0.ts"} {
		kind := "segment"
		if name == "test.m3u8" {
			kind = "playlist"
		}
		if err := s.Write(Entry{Name: name, Kind: kind, Keep: 1000}, []byte(name), File{}); err != nil {
			t.Fatal(err)
		}
	}
	s.Schedule(now.Add(time.Second), "test.m3u8", "test-0.ts")
	s.Keep("test.m3u8") // by its publisher, who is back
	for _, name := range []string{"test.m3u8", "test-0.ts", "test-99.ts", "nobody"} {
		if err := s.remove(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"test.m3u8", "test-0.ts"} {
		if _, err := os.Stat(filepath.Join(s.o.Path, name)); err != nil {
			t.Error(err)
		}
	}
}

// Files that are due at one time go in the order of their kinds, a directory last;
// a file whose clean-up is off stays, and is forgotten.
func TestFilesGoInTheOrderOfTheirKinds(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	s := testStore(t, &now)
	var gone []string
	s.o.Fault = func(op, name string) error {
		if op == "remove" {
			gone = append(gone, name)
		}
		return nil
	}
	s.disk.fault = s.o.Fault
	for name, kind := range map[string]string{"a/1.ts": "segment", "a/index.m3u8": "playlist"} {
		if err := s.Write(Entry{Name: name, Kind: kind, Keep: 1000}, []byte(name), File{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(Entry{Name: "stays.ts", Kind: "segment"}, []byte("x"), File{}); err != nil {
		t.Fatal(err)
	}
	gone = nil
	s.Schedule(now, "a/1.ts", "a/index.m3u8", "stays.ts")
	if next, err := s.Clean(t.Context()); err != nil || !next.IsZero() {
		t.Errorf("next %v, %v", next, err)
	}
	if want := []string{"a/index.m3u8", "a/1.ts", "a", LedgerName}; !slices.Equal(gone, want) {
		t.Errorf("removed %q, want %q", gone, want)
	}
	if _, err := os.Stat(filepath.Join(s.o.Path, "stays.ts")); err != nil || !s.Empty() {
		t.Errorf("%v, empty %t", err, s.Empty())
	}
}
