package mp4

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A recordedTrack is one track of a recording. Times are in its ticks; those of
// the waiting samples count from its first packet.
type recordedTrack struct {
	Track
	first   time.Duration // DTS of the first packet
	shift   int64         // from there to the DTS of the file
	lead    int64         // composition offset of the first packet
	grid    int64         // audio: where the next frame is, by its samples; else the DTS of the newest
	last    int64         // DTS of the newest
	usual   int64         // duration of the newest whose duration is known
	waiting []waiting     // not in the file
	index   index
	start   int64 // DTS of the first sample in the file
	end     int64 // DTS where the last one in the file ends
}

// A waiting sample is not in the file yet: its duration is known when the next
// one comes.
type waiting struct {
	data   []byte
	came   time.Duration // DTS of its packet
	dts    int64
	offset int64
	sync   bool
}

// take puts p behind the waiting samples.
func (t *recordedTrack) take(p *media.Packet) {
	scale := int64(Timescale(t.Media))
	at := Ticks(p.DTS-t.first, scale)
	if p.Track.Kind == media.Audio {
		if n := FrameSamples(p.Track, p.Data); n > 0 {
			if drift := at - t.grid; drift > -Ticks(maxDrift, scale) && drift < Ticks(maxDrift, scale) {
				at = t.grid
			}
			at = max(at, t.last)
			t.grid = at + n
		}
	}
	if at < t.last {
		at = t.last
	}
	if n := len(t.waiting); n > 0 && at > t.last {
		t.usual = at - t.last
	}
	t.last = at
	t.waiting = append(t.waiting, waiting{data: p.Data, came: p.DTS, dts: at, offset: Ticks(p.CTS, scale), sync: p.Keyframe || p.Track.Kind == media.Audio})
}

// Ticks is d in a timescale, rounded.
func Ticks(d time.Duration, scale int64) int64 {
	whole, rest := int64(d/time.Second), int64(d%time.Second)
	rest *= scale
	if rest < 0 {
		return whole*scale + (rest-int64(time.Second)/2)/int64(time.Second)
	}
	return whole*scale + (rest+int64(time.Second)/2)/int64(time.Second)
}

// Time is the time of a tick in a timescale.
func Time(tick, scale int64) time.Duration {
	return time.Duration(tick/scale)*time.Second + time.Duration(tick%scale)*time.Second/time.Duration(scale)
}

// durationOf is that of the waiting sample j: until the next one; of the last of
// all what is usual for it; of one that lasts so far.
func (t *recordedTrack) durationOf(j int, end bool, now time.Duration) int64 {
	w := &t.waiting[j]
	switch {
	case j+1 < len(t.waiting):
		return min(t.waiting[j+1].dts-w.dts, math.MaxUint32)
	case !end:
		return min(max(Ticks(now-w.came, int64(Timescale(t.Media))), 1), math.MaxUint32)
	}
	if n := FrameSamples(t.Media, w.data); n > 0 && t.Media.Kind == media.Audio {
		return n
	}
	if t.usual > 0 {
		return t.usual
	}
	if t.Media.FrameRate > 0 {
		return max(int64(videoTimescale/t.Media.FrameRate), 1)
	}
	return int64(Timescale(t.Media)) / 25
}

func clamp32(v int64) int32 { return int32(min(max(v, math.MinInt32), math.MaxInt32)) }
