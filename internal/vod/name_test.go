package vod

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
)

func TestNamesThatAreNoFiles(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"a": true, "a/b": true, "ä/ü.mp4": true, "a b": true, "a..b": true, strings.Repeat("a", 255): true, "~": true,
		"": false, "/": false, "/a": false, "a/": false, "a//b": false, ".": false, "..": false, "a/../b": false, ".a": false, "a/.b": false,
		"a\x1fb": false, "a\x7fb": false, "a\\b": false, "a\x00": false, "\xff": false, strings.Repeat("a", 256): false,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		} else if err != nil && len(name) > 1 && strings.Contains(err.Error(), name) {
			t.Errorf("the error holds the name: %v", err)
		}
	}
}

// Which files a name may mean, the likeliest first.
func TestWhichFilesANameMayMean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		prefix Format
		want   string
	}{
		{"film", "", "film.flv as flv, film.mp4 as mp4, film as flv"},
		{"film", FLV, "film.flv as flv, film.mp4 as mp4, film as flv"},
		{"film", MP4, "film.mp4 as mp4, film as mp4, film.flv as flv"},
		{"film.flv", "", "film.flv as flv"},
		{"film.FLV", "", "film.FLV as flv"},
		{"film.flv", MP4, "film.flv as mp4"},
		{"film.mp4", "", "film.mp4 as mp4"},
		{"film.m4v", "", "film.m4v as mp4"},
		{"film.m4a", "", "film.m4a as mp4"},
		{"film.mov", "", "film.mov as mp4"},
		{"film.mp4", FLV, "film.mp4 as mp4"},
		{"film.mkv", "", "film.mkv.flv as flv, film.mkv.mp4 as mp4, film.mkv as flv"},
	} {
		var got []string
		for _, x := range candidates(c.name, c.prefix) {
			got = append(got, fmt.Sprintf("%s as %s", x.name, x.format))
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%q behind %q: %s, want %s", c.name, c.prefix, s, c.want)
		}
	}
}

// Files are looked for in the order of the sources. What can't be opened for another
// reason than that it is not there is said if no other source has it.
func TestInWhichSourceAFileIsLookedFor(t *testing.T) {
	t.Parallel()
	film, err := os.ReadFile("testdata/h264.flv")
	if err != nil {
		t.Fatal(err)
	}
	one, two := t.TempDir(), t.TempDir()
	put := func(dir, name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(one, "both.flv", film)
	put(two, "both.flv", film[:len(film)/2])
	put(two, "second.flv", film)
	put(one, "broken.flv", []byte("no film at all"))
	put(two, "broken.flv", film)
	put(one, "plain", film)
	if err := os.Mkdir(filepath.Join(one, "dir.flv"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(one, "pipe.flv"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("both.flv", filepath.Join(one, "link.flv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(two, "second.flv"), filepath.Join(one, "away.flv")); err != nil {
		t.Fatal(err)
	}
	l := Library{Sources: []string{one, two, filepath.Join(two, "none")}}
	for _, c := range []struct {
		name, path string
		frames     int
		found      bool
		why        string
	}{
		{"both", "both.flv", 30, true, ""},
		{"both.flv", "both.flv", 30, true, ""},
		{"second", "second.flv", 30, true, ""},
		{"plain", "plain", 30, true, ""},
		{"link", "link.flv", 30, true, ""},
		{"broken", "broken.flv", 0, true, "broken.flv can't be played: flv: not an FLV file"},
		{"nothing", "", 0, false, "video on demand stream not found"},
		{"dir.flv", "", 0, false, "video on demand stream not found"},
		{"both.flv/x", "", 0, false, "video on demand stream not found"},
		{strings.Repeat("x", 253), "", 0, false, "video on demand stream not found"},
		{"pipe", "", 0, false, "video on demand stream not found: pipe.flv is no regular file"},
		{"away", "", 0, false, "video on demand stream not found: openat away.flv: path escapes from parent"},
		{".flv", "", 0, false, "video on demand stream not found: a part of the file name is empty or starts with a dot"},
	} {
		if has := l.Has(Request{Name: c.name}); has != c.found {
			t.Errorf("%.20q: the library has it %t", c.name, has)
		}
		f, path, err := l.Open(context.Background(), Request{Name: c.name})
		if path != c.path {
			t.Errorf("%.20q: %q is opened, want %q", c.name, path, c.path)
		}
		if c.frames == 0 {
			if err == nil || !strings.HasPrefix(err.Error(), c.why) || errors.Is(err, ErrNotFound) != (c.path == "") || c.path == "" && err.Error() != c.why {
				t.Errorf("%.20q: %v, want %s", c.name, err, c.why)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if n := len(frames(t, f, flv.TagVideo)); n != c.frames {
			t.Errorf("%s: %d frames, want %d", c.name, n, c.frames)
		}
		f.Close()
	}
}

// A file of a configuration is opened by its path.
func TestAFileOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"testdata/h264.flv": "", "testdata/sound.m4a": "", "testdata/none.flv": "no such file", "testdata": "is a directory", "none/x.flv": "no such file", "flvseek_test.go": "not an FLV file",
	} {
		f, err := OpenFile(name)
		if err == nil {
			f.Close()
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	for source, ok := range map[string]bool{"testdata": true, "none": false, "flvseek_test.go": false, "http://127.0.0.1/x": true, "https://127.0.0.1/x": true, "httpx": false} {
		if err := CheckSource(source); (err == nil) != ok {
			t.Errorf("%s: %v", source, err)
		}
	}
	kept := Library{Sources: []string{"http://127.0.0.1/x"}, LocalPath: "testdata"}
	if !kept.Has(Request{Name: "h264"}) || kept.Has(Request{Name: "none"}) {
		t.Error("what was fetched is not known")
	}
	kept.LocalPath = ""
	if kept.Has(Request{Name: "h264"}) {
		t.Error("nothing is kept, and it is known")
	}
}
