package lint

import "time"

// bitrates measures a playlist's segments (RFC 8216 §4.1). The peak bit rate is that of
// the contiguous segments with the highest, whose duration is between 0.5 and 1.5 target
// durations.
type bitrates struct {
	window   []sized // the newest segments without a gap
	segments int
	bytes    int64
	duration time.Duration
	peak     float64 // bits in a second
}

type sized struct {
	bytes    int
	duration time.Duration
}

const maxWindow = 100

// put takes the next segment.
func (b *bitrates) put(bytes int, d, target time.Duration) {
	b.segments++
	b.bytes += int64(bytes)
	b.duration += d
	b.window = append(b.window, sized{bytes, d})
	if len(b.window) > maxWindow {
		b.window = b.window[1:]
	}
	bytes, d = 0, 0
	for i := len(b.window) - 1; i >= 0; i-- {
		bytes += b.window[i].bytes
		if d += b.window[i].duration; d > target+target/2 {
			return
		}
		if d >= target/2 && d > 0 {
			b.peak = max(b.peak, float64(bytes)*8/d.Seconds())
		}
	}
}

// average is the average bit rate.
func (b *bitrates) average() float64 {
	if b.duration <= 0 {
		return 0
	}
	return float64(b.bytes) * 8 / b.duration.Seconds()
}
