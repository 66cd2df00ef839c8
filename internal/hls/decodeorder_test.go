package hls

import (
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Whatever the composition times, a picture is shown when its publisher says.
func TestNegativeCompositionTimes(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]func(i int) int32{
		"none":                                   func(int) int32 { return 0 },
		"one frame":                              func(int) int32 { return 40 },
		"as much as there is reordering":         func(int) int32 { return 80 },
		"more":                                   func(int) int32 { return 500 },
		"one millisecond":                        func(int) int32 { return 81 },
		"from the second fragment on":            func(i int) int32 { return int32(i / 50 * 40) },
		"more with every group":                  func(i int) int32 { return int32(i / 25 * 40) },
		"of the first pictures, then no more":    func(i int) int32 { return int32(max(0, 80-i)) },
		"more than any encoder has reason to do": func(int) int32 { return 1600 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tags := flvTags(t, "testdata/slices.flv")
			i := 0
			var want []int64
			for n, x := range tags {
				if x.Type != flv.TagVideo || x.Body[1] != 1 {
					continue
				}
				b := slices.Clone(x.Body)
				cts := (int32(b[2])<<24|int32(b[3])<<16|int32(b[4])<<8)>>8 - by(i)
				b[2], b[3], b[4] = byte(cts>>16), byte(cts>>8), byte(cts)
				tags[n].Body = b
				want = append(want, (int64(x.Timestamp)+int64(cts))*90+153000)
				i++
			}
			_, ts := published(t, tags)
			pts, dts := mediatest.PictureTimes(ts)
			// The clock of a stream begins with its first packet.
			first := int64(tags[0].Timestamp) * 90
			for _, x := range tags {
				if x.Type == flv.TagAudio && x.Body[1] == 1 || x.Type == flv.TagVideo && x.Body[1] == 1 {
					first = int64(x.Timestamp) * 90
					break
				}
			}
			for i := range want {
				want[i] -= first
			}
			if !slices.Equal(pts, want) {
				t.Errorf("PTS: got\n%v, want\n%v", pts, want)
			}
			for i := range dts {
				if dts[i] > pts[i] || i > 0 && dts[i] <= dts[i-1] {
					t.Fatalf("picture %d: DTS %d after %d, PTS %d", i, dts[i], dts[max(i-1, 0)], pts[i])
				}
			}
		})
	}
}
