package segstore

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestNamesWithNumbers(t *testing.T) {
	for name, want := range map[string]pattern{
		"cam-12.ts":                 {"cam-", ".ts"},
		"a/1/video-7.m4s":           {"a/1/video-", ".m4s"},
		"cam2.ts":                   {"cam", ".ts"},
		"2.ts":                      {"", ".ts"},
		"cam-12.3.m4s":              {"cam-12.", ".m4s"},
		"cam-.ts":                   {},
		"cam":                       {},
		"12":                        {},
		"":                          {},
		".":                         {},
		"cam-12.":                   {"cam-", "."},
		"cam-\xf0\x9f\x98\x8012.ts": {"cam-\xf0\x9f\x98\x80", ".ts"},
	} {
		p, ok := patternOf(name)
		if !ok {
			p = pattern{}
		}
		if p != want {
			t.Errorf("%q: %v, want %v", name, p, want)
		}
	}
}

// What a stream has left for good is not in the ledger any more, and is found as its own as
// long as it is there.
func TestFilesThatAreLeftAreFound(t *testing.T) {
	x := newTree(t)
	s := x.open()
	for _, name := range []string{"cam-1.ts", "cam-2.ts", "cam-3.ts"} {
		if err := s.Write(entryOf(name), []byte("x"), File{Kind: Segment, MaxAge: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	s.Leave("cam-1.ts", "cam-2.ts", "cam-9.ts", "other-1.ts", "cam.ts")
	found := func(want map[string]bool) {
		t.Helper()
		for name, there := range want {
			f, ok := s.Lookup(name)
			if ok != there || ok && (f.App != "show" || f.Stream != "test" || f.Kind != Segment) {
				t.Errorf("%s: %+v, %v", name, f, ok)
			}
		}
	}
	found(map[string]bool{"cam-1.ts": true, "cam-2.ts": true, "cam-4.ts": false, "other-1.ts": false, "cam-1.m4s": false})
	if f, _ := s.Lookup("cam-1.ts"); f.MaxAge != time.Minute {
		t.Errorf("caches may keep it for %v", f.MaxAge)
	}
	if s.Ours("cam-1.ts") || !s.Ours("cam-3.ts") {
		t.Error("the ledger has what was left, or not the rest")
	}
	if err := os.Remove(filepath.Join(x.path, "cam-1.ts")); err != nil {
		t.Fatal(err)
	}
	found(map[string]bool{"cam-1.ts": false, "cam-2.ts": true})

	// An earlier process left them.
	s.Close()
	s = x.open()
	found(map[string]bool{"cam-2.ts": false})
	s.Left("cam-7.ts", "show", "test", time.Second)
	found(map[string]bool{"cam-2.ts": true, "cam-7.ts": false})

	// The path names another directory, where somebody else's files may have such names.
	if err := os.Rename(x.path, x.path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(x.path, os.DirFS(x.path+".old")); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	found(map[string]bool{"cam-2.ts": false})
}
