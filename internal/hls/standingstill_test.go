package hls

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A fragment that the sound began begins with the pictures since the keyframe if its
// own first one comes 400 ms after the newest of them.
func TestHowLongAPictureMustStandToBeShownAgain(t *testing.T) {
	t.Parallel()
	for next, want := range map[int]int{4600: 56 + 1, 4599: 1} {
		b := newBench(t)
		s := mediatest.NewScript(t).Both(0, 2000, 2000).Both(2000, 4201, 20000).Sounds(4220, next)
		s.Pictures(next, next+1, 40, 20000)
		s.Packets[len(s.Packets)-1].Keyframe = false
		b.run(b.packager("test", testConfig(b.dir)), s.Packets, eof)
		n := 0
		for _, p := range pesPackets(t, b.read("test-2.ts")) {
			if p.kind == media.Video {
				n++
			}
		}
		if n != want {
			t.Errorf("a picture that stands for %d ms: %d pictures, want %d", next-4200, n, want)
		}
	}
}
