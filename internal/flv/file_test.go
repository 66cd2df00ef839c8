package flv

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestWriterRepeatsWhatTheReaderRead(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"h264aac.flv", "hevc.flv", "mp3.flv"} {
		want, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		w, err := NewWriter(&got, true, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range readFile(t, name) {
			if err := w.WriteTag(tag); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: %d bytes written, want the %d read", name, got.Len(), len(want))
		}
	}
}

func TestWriterPutsAllOfATimestampInItsPlace(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w, err := NewWriter(&b, false, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteTag(FileTag{Type: TagAudio, Timestamp: 0x81020304, Body: []byte{0xaf}}); err != nil {
		t.Fatal(err)
	}
	want := unhex("464c56 01 04 00000009 00000000  08 000001 020304 81 000000 af 0000000c")
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got %x, want %x", b.Bytes(), want)
	}
	r, err := NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if tag, err := r.Next(); err != nil || tag.Timestamp != 0x81020304 || !r.HasAudio || r.HasVideo {
		t.Errorf("got %+v, %v, audio %v, video %v", tag, err, r.HasAudio, r.HasVideo)
	}
	if err := w.WriteTag(FileTag{Body: make([]byte, 1<<24)}); err == nil {
		t.Error("a tag of 16 MiB: got no error")
	}
}

func TestReaderEndsWhereTheFileDoes(t *testing.T) {
	t.Parallel()
	const head = "464c56 01 05 00000009 00000000"
	big := "09 011170 000000 00 000000" // 70000 bytes
	for _, c := range []struct {
		name string
		in   string
		tags int
		want error  // after the tags, by errors.Is
		text string // or by text
	}{
		{"no tags", head, 0, io.EOF, ""},
		{"the last tag lacks its size behind it", head + "08 000001 000000 00 000000 af", 1, io.EOF, ""},
		{"a wrong size behind a tag is passed over", head + "08 000001 000000 00 000000 af ffffffff 08 000000 000000 00 000000 0000000b", 2, io.EOF, ""},
		{"a longer file header", "464c56 01 05 0000000b eeee 00000000 08 000000 000000 00 000000 0000000b", 1, io.EOF, ""},
		{"cut off in a tag header", head + "08 0000", 0, io.ErrUnexpectedEOF, ""},
		{"cut off before the body", head + "08 000004 000000 00 000000", 0, io.ErrUnexpectedEOF, ""},
		{"cut off in the body", head + "08 000004 000000 00 000000 af01", 0, io.ErrUnexpectedEOF, ""},
		{"cut off in a large body", head + big + strings.Repeat("00", 100), 0, io.ErrUnexpectedEOF, ""},
		{"a large body", head + big + strings.Repeat("00", 70000), 1, io.EOF, ""},
		{"a tag larger than any message", head + "09 ffffff 000000 00 000000", 0, nil, "16777215 bytes"},
		{"an encrypted tag", head + "29 000001 000000 00 000000 00", 0, nil, "encrypted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := NewReader(bytes.NewReader(unhex(c.in)))
			if err != nil {
				t.Fatal(err)
			}
			for i := range c.tags {
				if _, err := r.Next(); err != nil {
					t.Fatalf("tag %d: %v", i, err)
				}
			}
			_, err = r.Next()
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v %s", err, c.want, c.text)
			}
		})
	}
	for _, in := range []string{"", "464c56", "464c56 02 05 00000009 00000000", "000000 01 05 00000009", "464c56 01 05 00000008", "464c56 01 05 ffffffff"} {
		if _, err := NewReader(bytes.NewReader(unhex(in))); err == nil {
			t.Errorf("file header %q: got no error", in)
		}
	}
}
