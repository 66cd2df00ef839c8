package segstore

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// What a store says about names: its own, those of others, and none.
func TestWhatIsKnownOfAName(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	if !s.Empty() {
		t.Error("a new directory is not empty")
	}
	x.write(s, "a.ts")
	if err := s.Mark(entryOf("test.next")); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{"theirs.ts": "x", "empty.ts": ""} {
		if err := os.WriteFile(filepath.Join(x.path, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(x.path, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	if s.Empty() {
		t.Error("a directory with a file is empty")
	}
	for name, want := range map[string]struct{ taken, whole, ours, live bool }{
		"a.ts":      {true, true, true, true},
		"test.next": {true, false, true, false},
		"theirs.ts": {true, true, false, false},
		"empty.ts":  {true, false, false, false},
		"dir":       {true, false, false, false},
		"none.ts":   {},
	} {
		_, live := s.Lookup(name)
		got := struct{ taken, whole, ours, live bool }{s.Taken(name), s.Whole(name), s.Ours(name), live}
		if got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
		if _, err := s.Stat(name); errors.Is(err, fs.ErrNotExist) != (name == "none.ts" || name == "test.next") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f, _ := s.Lookup("a.ts"); f.Size != 4 {
		t.Errorf("live: %+v", f)
	}
	names, err := s.List(".")
	slices.Sort(names)
	if want := []string{LedgerName, "a.ts", "dir", "empty.ts", "theirs.ts"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("listed %q, %v", names, err)
	}
	if _, err := s.List("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
}

func TestNamesAreTheLiveOnesThatAreAskedForInOrder(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "c.ts", "aa.ts", "b.ts", "dddd.ts")
	if err := s.Mark(entryOf("e.next")); err != nil {
		t.Fatal(err)
	}
	got := s.Names(func(f File) bool { return f.Size <= 5 })
	if want := []string{"aa.ts", "b.ts", "c.ts"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A limit is the most that is read; links are not followed.
func TestReadingIsBoundedAndFollowsNoLink(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.write(s, "a.ts")
	const text = "bytes of a.ts"
	b, info, err := s.Read("a.ts", int64(len(text)))
	if err != nil || string(b) != text || info.Size() != int64(len(text)) {
		t.Errorf("%q, %v", b, err)
	}
	if _, _, err := s.Read("a.ts", int64(len(text))-1); !errors.Is(err, errTooLarge) {
		t.Errorf("a byte more than the limit: %v", err)
	}
	if err := os.Symlink("a.ts", filepath.Join(x.path, "link.ts")); err != nil {
		t.Fatal(err)
	}
	if b, _, err := s.Read("link.ts", 100); err == nil {
		t.Errorf("a link: %q", b)
	}
	if _, _, err := s.Read("none.ts", 100); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Readers see the old file or the whole new one: after a failure the old one, and
// nothing else.
func TestAWriteThatFailsLeavesWhatWasThere(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"ledger", "create", "write", "rename"} {
		x := newTree(t)
		s := x.open()
		x.write(s, "old.ts")
		x.fault = func(o, n string) error {
			if o == op {
				if op == "write" {
					return ErrTorn
				}
				return errFault
			}
			return nil
		}
		if err := s.Write(entryOf("new.ts"), []byte("new"), File{Size: 3}); err == nil {
			t.Errorf("%s fails: no error", op)
		}
		changed := entryOf("old.ts")
		changed.Seq = 7
		if err := s.Write(changed, []byte("changed"), File{Size: 7}); err == nil {
			t.Errorf("%s fails for a file that is there: no error", op)
		}
		x.fault = func(string, string) error { return nil }
		x.holds(LedgerName, "old.ts")
		if b, _, err := s.Read("old.ts", 100); err != nil || string(b) != "bytes of old.ts" {
			t.Errorf("%s fails: the old file is %q, %v", op, b, err)
		}
		if f, ok := s.Lookup("old.ts"); !ok || f.Size != 6 {
			t.Errorf("%s fails: HTTP serves %+v, %t", op, f, ok)
		}
		if s.Ours("new.ts") || !s.Ours("old.ts") {
			t.Errorf("%s fails: the entries are %q", op, ours(s))
		}
		// So it is for the next process.
		s.Close()
		if got := ours(x.open()); !slices.Equal(got, []string{"old.ts"}) {
			t.Errorf("%s fails: the ledger has %q", op, got)
		}
	}
}

// The error says which file, and why.
func TestAnErrorOfAWriteNamesTheFile(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.failAt("create", ".a.ts.tmp")
	err := s.Write(entryOf("a.ts"), nil, File{})
	if want := "write " + filepath.Join(x.path, "a.ts") + ": no space left"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	x.failAt("ledger", LedgerName)
	if err := s.Write(entryOf("a.ts"), nil, File{}); err == nil || err.Error() != "ledger: no space left" {
		t.Errorf("%v", err)
	}
	x.fault = func(string, string) error { return nil }
	s.Close()
	if err := s.Write(entryOf("a.ts"), nil, File{}); !errors.Is(err, errUnusable) {
		t.Errorf("a directory that is closed: %v", err)
	}
}

// What a crash leaves beside a file goes when it is asked for.
func TestWhatACrashLeftBesideAFileIsRemoved(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.fault = func(op, _ string) error {
		switch op {
		case "write":
			return ErrTorn
		case "remove":
			return errFault // the process is dead
		}
		return nil
	}
	if err := s.Write(entryOf("a/1.ts"), []byte("abcdefgh"), File{}); err == nil {
		t.Fatal("no error")
	}
	x.fault = func(string, string) error { return nil }
	if b, err := os.ReadFile(filepath.Join(x.path, "a/.1.ts.tmp")); string(b) != "abcd" {
		t.Fatalf("%q, %v", b, err)
	}
	s.RemoveTemporary("a/1.ts")
	x.holds(LedgerName, "a")
}

// Directories that are missing are made, and are ours; those that are there are not.
func TestDirectoriesAreMadeAndRemembered(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	if err := os.Mkdir(filepath.Join(x.path, "theirs"), 0o700); err != nil {
		t.Fatal(err)
	}
	x.write(s, "a/b/1.ts", "theirs/c/1.ts", "theirs/2.ts")
	x.holds(LedgerName, "a", "a/b", "a/b/1.ts", "theirs", "theirs/2.ts", "theirs/c", "theirs/c/1.ts")
	s.Close()
	want := []string{"a", "a/b", "a/b/1.ts", "theirs/2.ts", "theirs/c", "theirs/c/1.ts"}
	s = x.open()
	if got := ours(s); !slices.Equal(got, want) {
		t.Errorf("the next process finds %q, want %q", got, want)
	}
	s.Each(func(r Entry, _ Numbers) {
		if r.App != "show" || r.Stream != "test" {
			t.Errorf("%s is of %q/%q", r.Name, r.App, r.Stream)
		}
	})
}

func TestADirectoryThatCantBeMadeIsNotOurs(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	x.failAt("mkdir", "a")
	err := s.Write(entryOf("a/b/1.ts"), nil, File{})
	if err == nil || err.Error() != "make directory a: no space left" {
		t.Errorf("%v", err)
	}
	if !s.Empty() || len(x.ledger()) > 0 {
		t.Errorf("entries %q, ledger %v", ours(s), x.ledger())
	}
	x.failAt("ledger", LedgerName)
	if err := s.Write(entryOf("a/1.ts"), nil, File{}); !errors.Is(err, errFault) {
		t.Errorf("the ledger fails: %v", err)
	}
	x.holds()
}

// Somebody else may make the directory in between, or remove it.
func TestADirectoryThatComesAndGoesMeanwhile(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	dir := filepath.Join(x.path, "a")
	x.fault = func(op, name string) error {
		if op == "mkdir" {
			return os.Mkdir(dir, 0o700)
		}
		return nil
	}
	x.write(s, "a/1.ts")

	creates := 0
	x.fault = func(op, _ string) error {
		if op == "create" {
			if creates++; creates == 2 { // the first one found no directory
				return os.Remove(filepath.Join(x.path, "b"))
			}
		}
		return nil
	}
	x.write(s, "b/1.ts")
	if creates != 3 {
		t.Errorf("tried %d times", creates)
	}
	x.fault = func(op, name string) error {
		if op == "create" {
			_ = os.Remove(filepath.Join(x.path, "c"))
		}
		return nil
	}
	if err := s.Write(entryOf("c/1.ts"), nil, File{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that never stays: %v", err)
	}
}

func TestMistakesAreToldFromTrouble(t *testing.T) {
	t.Parallel()
	for _, err := range []error{syscall.ENOTDIR, syscall.ELOOP, syscall.ENAMETOOLONG, syscall.EINVAL} {
		if !Mistyped(&fs.PathError{Op: "open", Path: "/x", Err: err}) {
			t.Errorf("%v may pass", err)
		}
	}
	for _, err := range []error{nil, syscall.ENOSPC, syscall.EROFS, syscall.ENOENT, syscall.EACCES, errUnusable} {
		if Mistyped(err) {
			t.Errorf("%v is a mistake in the configuration", err)
		}
	}
}

func TestWhichNamesCanBeOurs(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"a.ts": true, "a/b.ts": true, "a..ts": true, "a/b./c": true,
		"": false, ".": false, "..": false, "/a": false, "a/": false, "a//b": false, "../a": false, "a/../b": false,
		".a": false, "a/.b": false, LedgerName: false, "a/.b/c": false,
	} {
		if got := CleanName(name); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
}

func TestWhatHTTPIsToldOfAFile(t *testing.T) {
	t.Parallel()
	r := Entry{Name: "a.ts", App: "show", Stream: "test"}
	mod := time.Unix(0, 0x1234)
	f := r.MediaFile(Segment, 255, mod, time.Minute)
	if f.App != "show" || f.Stream != "test" || f.Kind != Segment || f.Size != 255 || !f.ModTime.Equal(mod) || f.MaxAge != time.Minute || f.ETag != `"ff-1234"` {
		t.Errorf("%+v", f)
	}
	var g Gzipper
	// The checksums are those of XXH64 with seed 0, of "a" and "foobar".
	for text, etag := range map[string]string{"a": `"d24ec4f1a98c6e5b"`, "foobar": `"a2aa05ed9085aaf9"`} {
		f := r.TextFile(Playlist, []byte(text), mod, &g)
		if f.App != "show" || f.Stream != "test" || f.Kind != Playlist || f.Size != int64(len(text)) || !f.ModTime.Equal(mod) || f.ETag != etag || string(f.Body) != text {
			t.Errorf("%+v", f)
		}
		z, err := gzip.NewReader(bytes.NewReader(f.Gzip()))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(z); err != nil || string(b) != text {
			t.Errorf("decompressed %q, %v", b, err)
		}
	}
}

// Whoever finds a new playlist on disk finds it with Lookup too, even before Write has
// returned: it is not served as a file of which nothing is known.
func TestALookUpKnowsEachPlaylistThatIsOnDisk(t *testing.T) {
	t.Parallel()
	x := newTree(t)
	s := x.open()
	path := filepath.Join(x.path, "a.m3u8")
	asked := 0
	x.fault = func(op, name string) error {
		if op != "rename" || name != "a.m3u8" {
			return nil
		}
		asked++
		if _, ok := s.Lookup(name); ok {
			t.Error("found before it is on disk")
		}
		if err := os.WriteFile(path, []byte("new"), 0o644); err != nil { // as the rename does next
			return err
		}
		if f, ok := s.Lookup(name); !ok || string(f.Body) != "new" {
			t.Errorf("on disk: found %v, %q", ok, f.Body)
		}
		if asked == 1 {
			return errFault
		}
		return nil
	}
	live := File{Body: []byte("new")}
	if err := s.Write(entryOf("a.m3u8"), live.Body, live); !errors.Is(err, errFault) {
		t.Fatal(err)
	}
	if _, ok := s.Lookup("a.m3u8"); ok {
		t.Error("found after it could not be written")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(entryOf("a.m3u8"), live.Body, live); err != nil {
		t.Fatal(err)
	}
	s.Schedule(x.now, "a.m3u8")
	x.fault = func(op, name string) error {
		if _, ok := s.Lookup("a.m3u8"); ok {
			t.Errorf("%s %s: still found", op, name)
		}
		return nil
	}
	if _, err := s.Clean(t.Context()); err != nil {
		t.Error(err)
	}
}
