package vod

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
)

// A countedFile counts how often it is read.
type countedFile struct {
	*bytes.Reader
	reads int
}

func (c *countedFile) ReadAt(p []byte, off int64) (int, error) {
	c.reads++
	return c.Reader.ReadAt(p, off)
}

func (c *countedFile) Close() error { return nil }

// header is an AVC sequence header that says which it is; picture and sound are bodies.
func header(n byte) []byte { return []byte{0x17, 0, 0, 0, 0, n, n, n} }

func picture(key bool) []byte {
	if key {
		return append([]byte{0x17, 1, 0, 0, 0}, make([]byte, 200)...)
	}
	return append([]byte{0x27, 1, 0, 0, 0}, make([]byte, 100)...)
}

// recorded is a recording of some seconds at 25 frames/s with a keyframe a second, in
// which the encoder's header is another one from half of it on.
func recorded(t *testing.T, seconds int, finish bool) []byte {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "x.flv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec := flv.NewRecording(f, seconds)
	for i := range seconds * 25 {
		at := uint32(i * 40)
		if half := seconds * 25 / 2; i == 0 || i == half/25*25 {
			if err := rec.WriteTag(flv.FileTag{Type: flv.TagVideo, Timestamp: at, Body: header(byte(min(i, 1)))}, false); err != nil {
				t.Fatal(err)
			}
		}
		if err := rec.WriteTag(flv.FileTag{Type: flv.TagVideo, Timestamp: at, Body: picture(i%25 == 0)}, i%25 == 0); err != nil {
			t.Fatal(err)
		}
		if err := rec.WriteTag(flv.FileTag{Type: flv.TagAudio, Timestamp: at, Body: []byte{0xaf, 1, 2, 3}}, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := rec.Flush(); err != nil {
		t.Fatal(err)
	}
	if finish {
		if err := rec.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A seek reads little where the file has an index, and finds its keyframe and the
// header in force without one, too.
func TestSeekInARecording(t *testing.T) {
	const seconds = 600
	for _, finished := range []bool{true, false} {
		c := &countedFile{Reader: bytes.NewReader(recorded(t, seconds, finished))}
		f, err := read(c, FLV, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := f.Duration(); d != 599960 {
			t.Errorf("finished %t: it lasts %d ms", finished, d)
		}
		for _, to := range []uint32{450500, 100, 599999, 299999, 300000, 300500, 7000} {
			c.reads = 0
			if err := f.Seek(context.Background(), to); err != nil {
				t.Fatal(err)
			}
			if finished && c.reads > 1300 { // two for each keyframe, once

				t.Errorf("a seek to %d reads %d times", to, c.reads)
			}
			tag, err := f.Next()
			if want := min(to/1000*1000, 599000); err != nil || tag.Timestamp != want || kindOf(tag.Type, tag.Body) != isKeyframe {
				t.Errorf("finished %t: a seek to %d goes to %d, want %d; %v", finished, to, tag.Timestamp, want, err)
			}
			want := header(0)
			if to >= 300000 {
				want = header(1)
			}
			h := f.Headers()
			if len(h) != 1 || !bytes.Equal(h[0].Body, want) {
				t.Errorf("finished %t: at %d the headers are %x, want %x", finished, to, h, want)
			}
		}
	}
}

// An index that is that of another file does no harm.
func TestAnIndexThatIsWrong(t *testing.T) {
	b := recorded(t, 20, true)
	i := bytes.Index(b, []byte("filepositions"))
	for j := i + 13 + 5; j < i+13+5+9*20; j += 9 { // the numbers behind their markers
		b[j+6] ^= 0x55
	}
	f, err := read(memFile{bytes.NewReader(b)}, FLV, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []uint32{15500, 3000, 19999} {
		if err := f.Seek(context.Background(), to); err != nil {
			t.Fatal(err)
		}
		if tag, err := f.Next(); err != nil || tag.Timestamp != to/1000*1000 {
			t.Errorf("a seek to %d goes to %d, %v", to, tag.Timestamp, err)
		}
	}
}

// A recording that grows is played up to its last whole tag, and on when there is more.
func TestAnFLVFileThatGrows(t *testing.T) {
	whole := recorded(t, 10, false)
	path := filepath.Join(t.TempDir(), "x.flv")
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	f, _, err := (&Library{Sources: []string{filepath.Dir(path)}}).Open(context.Background(), Request{Name: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	for ; err == nil; n++ {
		_, err = f.Next()
	}
	if !errors.Is(err, io.EOF) || n < 200 || n > 300 {
		t.Errorf("%d tags, then %v", n, err)
	}
}

// A player costs nothing for each message.
func TestNextDoesNotAllocate(t *testing.T) {
	for _, name := range []string{"h264.flv", "h264.mp4"} {
		f := openTest(t, name)
		for range 20 {
			if _, err := f.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if n := testing.AllocsPerRun(20, func() {
			if _, err := f.Next(); err != nil {
				t.Fatal(err)
			}
		}); n > 1 {
			t.Errorf("%s: %v allocations for a message", name, n)
		}
	}
}
