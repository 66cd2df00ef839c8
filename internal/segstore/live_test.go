package segstore

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

// Whatever little is kept of a file, Lookup returns what it was given.
func TestALiveFileComesBackAsItWas(t *testing.T) {
	t.Parallel()
	e := Entry{Name: "a.ts", App: "show", Stream: "test"}
	now := time.Unix(1e9, 123456789)
	segment := e.MediaFile(Segment, 1234, now, time.Minute)
	text := e.TextFile(Playlist, []byte("#EXTM3U\n"), now, new(Gzipper))
	text.Low = new(Low)
	other := segment
	other.Stream = "other"
	kept := func(change func(*File)) File {
		f := segment
		change(&f)
		return f
	}
	for name, f := range map[string]File{
		"a segment": segment, "a playlist": text, "one of another stream": other, "nothing is known": {}, "no date": {App: "show", Stream: "test", Size: 3},
		"its directory": kept(func(f *File) { f.Dir = "/x" }), "a target": kept(func(f *File) { f.Target = time.Second }),
		"a range": kept(func(f *File) { f.Range = Range{"b.m4s", 7} }), "growing": kept(func(f *File) { f.Growing = new(Growing) }), "lent": kept(func(f *File) { f.Lent = new(Lent) }),
	} {
		l := liveOf(f, &e)
		got := l.file(&e)
		if !got.ModTime.Equal(f.ModTime) {
			t.Errorf("%s: %v, want %v", name, got.ModTime, f.ModTime)
		}
		got.ModTime = f.ModTime
		if (got.Gzip == nil) != (f.Gzip == nil) || f.Gzip != nil && !bytes.Equal(got.Gzip(), f.Gzip()) {
			t.Errorf("%s: compressed it is another", name)
		}
		got.Gzip, f.Gzip = nil, nil
		if !reflect.DeepEqual(got, f) {
			t.Errorf("%s: %+v, want %+v", name, got, f)
		}
	}
	if l := liveOf(segment, &e); l.text != nil {
		t.Error("of a segment too much is kept")
	}
}
