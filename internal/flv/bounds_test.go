package flv

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A body of one message may hold millions of parts. It is refused before
// anything is looked up for each.
func TestTracksOfABodyAreBounded(t *testing.T) {
	t.Parallel()
	parts := func(head string, n int, part func(i int) string) []byte {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			b.WriteString(part(i))
		}
		return unhex(b.String())
	}
	many := func(i int) string { return fmt.Sprintf("%02x 000001 aa", i) }
	for _, c := range []struct {
		name  string
		audio bool
		body  []byte
		want  error
	}{
		{"64 tracks of headers", false, parts("96 10"+fourAVC, 64, func(i int) string { return fmt.Sprintf("%02x 000001 aa", i+1) }), nil},
		{"65 tracks of headers", false, parts("96 10"+fourAVC, 65, func(i int) string { return fmt.Sprintf("%02x 000001 aa", i+1) }), ErrUnsupported},
		{"65 tracks of frames", false, parts("96 11"+fourAVC, 65, many), ErrUnsupported},
		{"65 tracks of many codecs", false, parts("96 20", 65, func(i int) string { return fourAVC + many(i) }), ErrUnsupported},
		{"65 tracks of audio", true, parts("95 10"+fourOpus, 65, many), ErrUnsupported},
		{"one track twice", false, parts("96 10"+fourAVC, 2, func(int) string { return "03 000001 aa" }), ErrMalformed},
		{"one track of frames twice", false, parts("96 11"+fourAVC, 2, func(int) string { return "03 000001 aa" }), ErrMalformed},
		{"one track of audio twice", true, parts("95 11"+fourOpus, 2, func(int) string { return "03 000001 aa" }), ErrMalformed},
	} {
		d := NewDemuxer(0, 0)
		take := d.Video
		if c.audio {
			take = d.Audio
		}
		if _, err := take(0, c.body); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

// Ten megabytes of parts, looked up in a header of sixty thousand, took minutes.
func TestPartsAreNotLookedUpOneByOne(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	start := time.Now()
	header := append(unhex("96 10"+fourAVC), bytes.Repeat(unhex("01 000000"), 60000)...)
	frames := append(unhex("96 11"+fourAVC), bytes.Repeat(unhex("02 000000"), 2_400_000)...)
	for range 3 {
		if _, err := d.Video(0, header); err == nil {
			t.Error("a header of 60000 parts is taken")
		}
		if _, err := d.Video(0, frames); err == nil {
			t.Error("a body of 2400000 parts is taken")
		}
	}
	// The headers of 64 tracks, again and again, each time with other bytes.
	for i := range 2000 {
		var body []byte
		for id := range 64 {
			body = append(body, byte(id+1), 0, 0, 2, byte(i>>8), byte(i))
		}
		if _, err := d.Video(0, append(unhex("96 10"+fourAVC), body...)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestMetadataIsBounded(t *testing.T) {
	t.Parallel()
	meta := func(n int) []byte {
		b := append(script("@setDataFrame"), script("onMetaData")...)
		b = append(b, 3)
		b = append(append(b, 0, 5), "width\x00\x40\x84\x00\x00\x00\x00\x00\x00\x00\x00\x09"...)
		return append(b, bytes.Repeat([]byte{5}, n-(len(b)-len(script("@setDataFrame"))))...)
	}
	if m, ok, err := ParseMetadata(meta(MaxMetadata)); !ok || err != nil || m.Width != 640 || len(m.Raw) != MaxMetadata {
		t.Errorf("64 KiB: %t, %v, %d bytes of width %d", ok, err, len(m.Raw), m.Width)
	}
	if m, ok, err := ParseMetadata(meta(MaxMetadata + 1)); ok || !errors.Is(err, ErrUnsupported) || m.Raw != nil {
		t.Errorf("64 KiB and a byte: %t, %v", ok, err)
	}
}

// A data message begins with its name. What begins with ten megabytes of other
// values is not decoded to find out that it has none.
func TestNamelessDataIsNotDecoded(t *testing.T) {
	body := append([]byte{10, 0, 0x95, 0, 0}, bytes.Repeat([]byte{5}, 9<<20)...) // a strict array of nulls
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := NewDemuxer(0, 0).Data(0, body); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
	if _, ok, err := ParseMetadata(body); ok || err == nil {
		t.Errorf("got %t, %v", ok, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated", n)
	}
}

// script is an AMF0 string.
func script(s string) []byte {
	return append([]byte{2, byte(len(s) >> 8), byte(len(s))}, s...)
}
