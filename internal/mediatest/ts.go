package mediatest

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mpegts"
)

var marker = regexp.MustCompile(`<[VA](\d{7})>`)

// pidVideo is the PID of the picture in what rtmpd writes.
const pidVideo = 0x100

// Markers are the serial numbers of the packets in a fragment, per kind.
func Markers(t testing.TB, ts []byte) (video, audio []int) {
	t.Helper()
	var r mpegts.Reader
	s := r.Read(ts, func(p *mpegts.PES) {
		for _, m := range marker.FindAllSubmatch(p.Data, -1) {
			n, err := strconv.Atoi(string(m[1]))
			if err != nil {
				t.Fatal(err)
			}
			if m[0][1] == 'V' {
				video = append(video, n)
			} else {
				audio = append(audio, n)
			}
		}
	})
	if s.Packets == 0 || s.Lost > 0 {
		t.Fatalf("fragment of %d bytes is no whole number of TS packets", len(ts))
	}
	return video, audio
}

// DecodeTimes are the DTS of a fragment's PES packets (PTS where that is all
// there is) in order, by PID.
func DecodeTimes(ts []byte) map[int][]time.Duration {
	times := make(map[int][]time.Duration)
	var r mpegts.Reader
	r.Read(ts, func(p *mpegts.PES) {
		times[int(p.PID)] = append(times[int(p.PID)], time.Duration(p.DTS)*time.Second/90000)
	})
	return times
}

// PictureTimes are PTS and DTS of a transport stream's pictures, in ticks.
func PictureTimes(ts []byte) (pts, dts []int64) {
	var r mpegts.Reader
	r.Read(ts, func(p *mpegts.PES) {
		if p.PID == pidVideo {
			pts, dts = append(pts, p.PTS), append(dts, p.DTS)
		}
	})
	return pts, dts
}
