package hls

import (
	"math"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// measured are measured values of a rendition's fragments. They change in steps, so that
// the multivariant playlist is not written again with every fragment.
type measured struct {
	bandwidth int64 // bits/s, the highest so far
	average   int64 // bits/s
	codecs    string
	frameRate float64
	width     int
	height    int

	total, recent sum // recent: the newest fragments, until they last long enough for a peak
	video         *media.Track
	frames        int // of video
	frameTime     time.Duration
}

type sum struct {
	bits     int64
	duration time.Duration
}

func (s *sum) add(bits int64, d time.Duration) { s.bits, s.duration = s.bits+bits, s.duration+d }
func (s *sum) rate() int64                     { return int64(math.Ceil(float64(s.bits) / s.duration.Seconds())) }

const (
	averageStep   = 0.05 // AVERAGE-BANDWIDTH is republished when it is this far off
	frameRateStep = 0.01
)

// measure adds a fragment of size bytes.
func (m *measured) measure(g *segmenter.Segment, size, target int) {
	bits := int64(size) * 8
	m.total.add(bits, g.Duration)
	m.recent.add(bits, g.Duration)
	// RFC 8216 §4.1: the peak is over contiguous fragments that last between
	// 0.5 and 1.5 target durations.
	if m.recent.duration >= time.Duration(target)*time.Second/2 || m.bandwidth == 0 {
		m.bandwidth = max(m.bandwidth, m.recent.rate())
		m.recent = sum{}
	}
	if avg := m.total.rate(); off(float64(avg), float64(m.average)) > averageStep {
		m.average = avg
	}
	m.average = min(m.average, m.bandwidth)
	if c := codecsOf(g.Tracks); c != "" {
		m.codecs = c
	}
	if v := g.Tracks[media.Video]; v != nil && g.Frames > 0 {
		m.measureVideo(v, g)
	}
}

func (m *measured) measureVideo(v *media.Track, g *segmenter.Segment) {
	if v != m.video {
		m.video, m.frames, m.frameTime = v, 0, 0
		m.width, m.height = v.Width, v.Height
	}
	m.frames += g.Frames
	m.frameTime += g.Duration
	rate := float64(m.frames) / m.frameTime.Seconds()
	if off(rate, v.FrameRate) < 2*frameRateStep {
		rate = v.FrameRate // the rate in the headers is right
	} else {
		rate = usual(rate)
	}
	if off(rate, m.frameRate) > frameRateStep {
		m.frameRate = rate
	}
}

// off is the difference of a and b as a part of b.
func off(a, b float64) float64 {
	if b == 0 {
		return math.Inf(1)
	}
	return math.Abs(a-b) / b
}

// usual rounds a measured frame rate to a common one that is close.
func usual(rate float64) float64 {
	best := math.Round(rate*1000) / 1000
	nearest := frameRateStep
	for _, r := range [...]float64{10, 12, 15, 20, 24000.0 / 1001, 24, 25, 30000.0 / 1001, 30, 48, 50, 60000.0 / 1001, 60, 100, 120} {
		if d := off(rate, r); d < nearest {
			best, nearest = r, d
		}
	}
	return best
}
