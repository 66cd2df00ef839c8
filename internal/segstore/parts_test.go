package segstore

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestNamesOfParts(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		file string
		part int
	}{
		"a/7.3.m4s": {"a/7.m4s", 3}, "a/7.0.m4s": {"a/7.m4s", 0}, "a-7.10.m4s": {"a-7.m4s", 10}, "a.7.999999.m4s": {"a.7.m4s", 999999},
		"a/7.m4s": {"a/7.m4s", -1}, "7.03.m4s": {"7.03.m4s", -1}, "7.00.m4s": {"7.00.m4s", -1}, "7.+3.m4s": {"7.+3.m4s", -1}, "7.-3.m4s": {"7.-3.m4s", -1},
		"7..m4s": {"7..m4s", -1}, "7.x.m4s": {"7.x.m4s", -1}, "7.1000000.m4s": {"7.1000000.m4s", -1}, "7": {"7", -1}, "": {"", -1}, ".m4s": {".m4s", -1},
	} {
		file, part := fileOf(nil, name)
		if part != want.part || part >= 0 && string(file) != want.file {
			t.Errorf("%q: %q, %d", name, file, part)
		}
		if n := (PartName{want.file, want.part}); part >= 0 && (n.String() != name || string(n.Append([]byte("x"), 1)) != "x"+name[1:]) {
			t.Errorf("%q: %q, without its first byte %q", name, n, n.Append(nil, 1))
		}
	}
}

// A part is in memory until its segment is in place, and a range of that then, under the same
// tag. Who asks for the segment itself has it as it grows.
func TestPartsOfASegment(t *testing.T) {
	t.Parallel()
	s, lent, now := new(Dir), new(Lent), time.Unix(1e9, 5)
	p := s.Grow(Entry{Name: "a/7.m4s", App: "show", Stream: "a"}, time.Minute, lent)
	for _, name := range []string{"a/7.0.m4s", "a/7.m4a", "a/7.0.m4a", "a/7", "7.m4s", "a/8.m4s"} {
		if f, ok := s.Lookup(name); ok {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if lent.Had() {
		t.Error("somebody had what is not there")
	}
	growing, ok := s.Lookup("a/7.m4s")
	if !ok || growing.Growing == nil || growing.Kind != Segment || growing.App != "show" || growing.Stream != "a" || growing.MaxAge != time.Minute || !lent.Had() {
		t.Errorf("the segment: %+v, had %v", growing, lent.Had())
	}
	*lent = Lent{}
	p.Add(0, []byte("one"), now)
	p.Add(3, []byte("three"), now.Add(1))
	first, ok := s.Lookup("a/7.0.m4s")
	if !ok || first.Kind != Part || string(first.Body) != "one" || first.Size != 3 || !first.ModTime.Equal(now) || first.MaxAge != time.Minute || first.Lent != lent || !lent.Had() {
		t.Errorf("part 0: %+v", first)
	}
	second, _ := s.Lookup("a/7.1.m4s")
	if string(second.Body) != "three" || second.ETag == first.ETag || second.ETag == "" {
		t.Errorf("part 1: %+v", second)
	}
	if f, ok := s.Lookup("a/7.2.m4s"); ok {
		t.Errorf("part 2: %+v", f)
	}
	pieces, _, _ := growing.Growing.From(t.Context(), 0)
	if len(pieces) != 2 || string(pieces[1]) != "three" {
		t.Errorf("what grows has %q", pieces)
	}

	*lent = Lent{}
	p.End(true)
	p.End(false) // once is for good
	if f, ok := s.Lookup("a/7.m4s"); ok {
		t.Errorf("the segment is on disk, and grows: %+v", f)
	}
	if pieces, whole, _ := growing.Growing.From(t.Context(), 2); len(pieces) != 0 || !whole {
		t.Errorf("the segment ends with %q, whole: %v", pieces, whole)
	}
	f, ok := s.Lookup("a/7.1.m4s")
	if !ok || f.Body != nil || f.Range != (Range{"a/7.m4s", 3}) || f.Size != 5 || f.ETag != second.ETag || !f.ModTime.Equal(second.ModTime) || f.Lent != nil || lent.Had() {
		t.Errorf("part 1 in place: %+v, want the tag %s", f, second.ETag)
	}
	p.Drop()
	if f, ok := s.Lookup("a/7.1.m4s"); ok {
		t.Errorf("dropped, and there: %+v", f)
	}
}

// The files of the pictures and of the sound of a segment may differ in their extension alone, as
// those of DASH do.
func TestPartsOfTwoFilesOfASegment(t *testing.T) {
	t.Parallel()
	s := new(Dir)
	s.Hint(PartName{"cam-0.m4v", 0}, PartName{})
	s.Hint(PartName{"cam-0.m4a", 0}, PartName{})
	for _, name := range []string{"cam-0.0.m4v", "cam-0.0.m4a"} {
		if s.hinted(name) == nil {
			t.Errorf("%s is not announced", name)
		}
	}
	video, audio := s.Grow(Entry{Name: "cam-0.m4v"}, 0, nil), s.Grow(Entry{Name: "cam-0.m4a"}, 0, nil)
	video.Add(0, []byte("pictures"), time.Unix(1e9, 0))
	if s.hinted("cam-0.0.m4v") != nil || s.hinted("cam-0.0.m4a") == nil {
		t.Error("the wrong part came")
	}
	audio.Add(0, []byte("sound"), time.Unix(1e9, 0))
	for name, want := range map[string]string{"cam-0.0.m4v": "pictures", "cam-0.0.m4a": "sound"} {
		if f, ok := s.Lookup(name); !ok || string(f.Body) != want {
			t.Errorf("%s: %q, %v", name, f.Body, ok)
		}
	}
	for _, name := range []string{"cam-0.m4v", "cam-0.m4a"} {
		if f, ok := s.Lookup(name); !ok || f.Growing == nil {
			t.Errorf("%s: %+v, %v", name, f, ok)
		}
	}
	video.Drop()
	if _, ok := s.Lookup("cam-0.m4v"); ok {
		t.Error("the pictures are there")
	}
	if _, ok := s.Lookup("cam-0.m4a"); !ok {
		t.Error("the sound has gone with the pictures")
	}
}

// A segment that could not be written is there no more; its parts, which players know, are
// until they are dropped.
func TestPartsOfASegmentThatIsLost(t *testing.T) {
	t.Parallel()
	s := new(Dir)
	p := s.Grow(Entry{Name: "7.m4s"}, 0, nil)
	growing, _ := s.Lookup("7.m4s")
	p.Add(0, []byte("one"), time.Unix(1e9, 0))
	p.End(false)
	if _, ok := s.Lookup("7.m4s"); ok {
		t.Error("the segment is there")
	}
	if pieces, whole, _ := growing.Growing.From(t.Context(), 1); len(pieces) != 0 || whole {
		t.Errorf("the segment ends with %q, whole: %v", pieces, whole)
	}
	if f, ok := s.Lookup("7.0.m4s"); !ok || string(f.Body) != "one" {
		t.Errorf("its part: %+v, %v", f, ok)
	}
	again := s.Grow(Entry{Name: "7.m4s"}, 0, nil) // the next segment has the number
	again.Add(0, []byte("new"), time.Unix(1e9, 1))
	p.Drop()
	if f, ok := s.Lookup("7.0.m4s"); !ok || string(f.Body) != "new" {
		t.Errorf("the part of the other segment: %+v, %v", f, ok)
	}
}

// A part that was announced is answered once it is there, or will not come.
func TestPartsThatAreAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(Dir)
		type answer struct {
			f  File
			ok bool
		}
		var mu sync.Mutex // of those who are answered at once
		answers := make(map[string]answer)
		ask := func(ctx context.Context, who, name string) {
			go func() {
				f, ok := s.Hinted(ctx, name)
				mu.Lock()
				defer mu.Unlock()
				answers[who] = answer{f, ok}
			}()
			synctest.Wait()
		}
		none, a0, a1, b0 := PartName{}, PartName{"a.m4s", 0}, PartName{"a.m4s", 1}, PartName{"b.m4s", 0}
		ask(t.Context(), "too early", "a.0.m4s")
		s.Hint(a0, none)
		s.Hint(a0, none) // twice is once
		ask(t.Context(), "another part", "a.1.m4s")
		ask(t.Context(), "another file", "a.0.m4a")
		ask(t.Context(), "the segment", "a.m4s")
		for _, who := range []string{"too early", "another part", "another file", "the segment"} {
			if a, ok := answers[who]; !ok || a.ok {
				t.Errorf("%s, which was not announced: %+v, answered %v", who, a, ok)
			}
		}
		clear(answers)
		ask(t.Context(), "first", "a.0.m4s")
		ask(t.Context(), "second", "a.0.m4s")
		gone, cancel := context.WithCancel(t.Context())
		ask(gone, "who has gone", "a.0.m4s")
		cancel()
		synctest.Wait()
		if a, ok := answers["who has gone"]; !ok || a.ok || len(answers) != 1 {
			t.Errorf("answers: %+v", answers)
		}
		p := s.Grow(Entry{Name: "a.m4s"}, 0, nil)
		p.Add(0, []byte("part"), time.Now())
		synctest.Wait()
		for _, who := range []string{"first", "second"} {
			if a := answers[who]; !a.ok || string(a.f.Body) != "part" {
				t.Errorf("%s: %+v", who, a)
			}
		}
		clear(answers)
		s.Hint(a0, a0) // it is there
		ask(t.Context(), "what is there", "a.0.m4s")
		if a, ok := answers["what is there"]; !ok || string(a.f.Body) != "part" {
			t.Errorf("what is there: %+v, answered %v", a, ok)
		}
		s.Hint(a1, a0)
		ask(t.Context(), "of what does not come", "a.1.m4s")
		s.Hint(b0, a1)
		synctest.Wait()
		if a, ok := answers["of what does not come"]; !ok || a.ok {
			t.Errorf("what does not come: %+v, answered %v", a, ok)
		}
		ask(t.Context(), "the other file", "b.0.m4s")
		s.Hint(none, b0)
		synctest.Wait()
		if a, ok := answers["the other file"]; !ok || a.ok || len(s.parts.hints) != 0 {
			t.Errorf("the other file: %+v, answered %v; %d hints", a, ok, len(s.parts.hints))
		}
	})
}
