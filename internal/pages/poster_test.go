package pages

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// keyframe is that of a stream for tests.
func keyframe(t *testing.T) *media.Packet {
	t.Helper()
	return mediatest.NewScript(t).Play(time.Second).Packets[0]
}

func TestThePictureIsAnMP4OfTheKeyframe(t *testing.T) {
	h, f := handler(t, defaults(), live("test"))
	f.keyframe = keyframe(t)
	resp, body := ask(t, h, "GET /test.poster.mp4")
	if i := strings.Index(body, "moov"); i < 0 || i > strings.Index(body, "mdat") || !bytes.HasSuffix([]byte(body), f.keyframe.Data) {
		t.Errorf("no moov before the mdat with the keyframe: %q", body[:min(len(body), 100)])
	}
	part, some := ask(t, h, "GET /test.poster.mp4", "Range: bytes=4-7")
	if part.StatusCode != 206 || some != "ftyp" {
		t.Errorf("a range: %d %q", part.StatusCode, some)
	}
	if again, _ := ask(t, h, "GET /test.poster.mp4", "If-None-Match: "+resp.Header.Get("ETag")); again.StatusCode != 304 {
		t.Errorf("the same again: %d", again.StatusCode)
	}
	f.keyframe = nil
	if resp, _ := ask(t, h, "GET /test.poster.mp4"); resp.StatusCode != 404 {
		t.Errorf("without a keyframe: %d", resp.StatusCode)
	}
}

// Of AV1 there is a picture, too, and links have it.
func TestThePictureOfAV1IsAnImage(t *testing.T) {
	h, f := handler(t, defaults(), live("test"))
	f.keyframe = keyframe(t)
	if resp, _ := ask(t, h, "GET /test.poster.avif"); resp.StatusCode != 404 {
		t.Errorf("of H.264: %d", resp.StatusCode)
	}
	s := live("test")
	s.Video = &media.Track{Kind: media.Video, Codec: media.CodecAV1, Width: 640, Height: 360, Config: []byte{0x81, 5, 0x0c, 0, 10, 1, 0}}
	f.set(s)
	f.keyframe = &media.Packet{Track: s.Video, Keyframe: true, Data: []byte("a frame")}
	resp, body := ask(t, h, "GET /test.poster.avif")
	differs(t, "Content-Type", resp.Header.Get("Content-Type"), "image/avif")
	if !strings.HasPrefix(body[4:], "ftypavif") || !strings.HasSuffix(body, "\n\x01\x00a frame") {
		t.Errorf("%d %q", resp.StatusCode, body)
	}
	if _, page := ask(t, h, "GET /test.html"); !strings.Contains(page, `<meta property="og:image" content="https://tv.example/mist/watch/test.poster.avif">`) {
		t.Errorf("the page: %s", page)
	}
}
