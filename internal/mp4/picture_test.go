package mp4

import (
	"bytes"
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// boxesOf returns the names of the boxes at the top, and checks that they fill b.
func boxesOf(t *testing.T, b []byte) (names string) {
	t.Helper()
	for len(b) > 0 {
		n := int(be.Uint32(b))
		if n < boxHeader || n > len(b) {
			t.Fatalf("a box of %d bytes of %d", n, len(b))
		}
		names += string(b[4:8]) + " "
		b = b[n:]
	}
	return names
}

// The sample table of a picture leads to its data, which is the last in the file; what
// was in the buffer before stays.
func TestAPictureIsFoundWhereItsTablesSay(t *testing.T) {
	data := []byte("the keyframe")
	b, err := AppendPicture([]byte("before"), mediatest.Track(t, media.CodecH264, mediatest.AVCHigh1080), data)
	if err != nil {
		t.Fatal(err)
	}
	file, ok := bytes.CutPrefix(b, []byte("before"))
	if got := boxesOf(t, file); !ok || got != "ftyp moov mdat " {
		t.Errorf("boxes %q", got)
	}
	i := bytes.Index(file, []byte("stco"))
	at := int(be.Uint32(file[i+12:]))
	if got := string(file[at:]); be.Uint32(file[i+8:]) != 1 || got != string(data) {
		t.Errorf("at %d there is %q", at, got)
	}
	if i := bytes.Index(file, []byte("stsz")); int(be.Uint32(file[i+8:])) != len(data) {
		t.Errorf("its size is %d", be.Uint32(file[i+8:]))
	}
	if b, err := AppendPicture([]byte("before"), &media.Track{Kind: media.Video, Codec: media.CodecVP8}, data); err == nil || string(b) != "before" {
		t.Errorf("of a codec that MP4 has no place for: %q, %v", b, err)
	}
}

func TestAnAVIFIsFoundWhereItsTablesSay(t *testing.T) {
	track := &media.Track{Kind: media.Video, Codec: media.CodecAV1, Width: 640, Height: 360, Config: []byte{0x81, 5, 0x4c, 0, 10, 1, 0}}
	b, err := AppendAVIF([]byte("before"), track, []byte("frame"))
	if err != nil {
		t.Fatal(err)
	}
	file := b[len("before"):]
	if got := boxesOf(t, file); got != "ftyp meta mdat " {
		t.Errorf("boxes %q", got)
	}
	i := bytes.Index(file, []byte("iloc")) + 4 + 4 + 2 + 2 + 6
	at, n := int(be.Uint32(file[i:])), int(be.Uint32(file[i+4:]))
	if got := string(file[at : at+n]); got != "\n\x01\x00frame" || at+n != len(file) {
		t.Errorf("%d bytes at %d: %q", n, at, got) // the sequence header of the track comes first
	}
	for name, bad := range map[string]*media.Track{
		"another codec": mediatest.Track(t, media.CodecH264, mediatest.AVCHigh1080),
		"no header":     {Kind: media.Video, Codec: media.CodecAV1, Width: 640, Height: 360},
		"no size":       {Kind: media.Video, Codec: media.CodecAV1, Config: track.Config},
	} {
		if b, err := AppendAVIF([]byte("before"), bad, []byte("frame")); err == nil || string(b) != "before" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}
