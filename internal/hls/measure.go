package hls

import (
	"math"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// measured are measured values of a stream's segments. They change in steps, so that the
// multivariant playlist is not written again with every segment.
type measured struct {
	files     [2]bitrate // by media.Kind; MPEG-TS has all media in the first
	codecs    string     // RFC 6381, of all media
	sound     *media.Track
	captions  media.Captions // that came so far
	frameRate float64
	width     int
	height    int

	video     *media.Track
	frames    int // of video
	frameTime time.Duration
}

// A bitrate is that of the files of one kind, in bits/s.
type bitrate struct {
	peak    int64 // the highest so far
	average int64
	total   sum
	recent  []sum // the newest files, that last 1.5 target durations at most
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

	maxRecent = 100 // files
)

// add adds a file of so many bytes.
func (r *bitrate) add(size int, d time.Duration, target int) {
	bits := int64(size) * 8
	r.total.add(bits, d)
	r.recent = append(r.recent, sum{bits, d})
	// RFC 8216 §4.1: the peak is over any contiguous segments that last between
	// 0.5 and 1.5 target durations.
	half := time.Duration(target) * time.Second / 2
	var last sum
	for i := len(r.recent) - 1; i >= 0; i-- {
		last.add(r.recent[i].bits, r.recent[i].duration)
		if last.duration > 3*half || len(r.recent)-i > maxRecent {
			r.recent = slices.Delete(r.recent, 0, i+1)
			break
		}
		if last.duration >= half || r.peak == 0 {
			r.peak = max(r.peak, last.rate())
		}
	}
	if avg := r.total.rate(); off(float64(avg), float64(r.average)) > averageStep {
		r.average = avg
	}
	r.average = min(r.average, r.peak)
}

// bandwidth is the BANDWIDTH of all media together: the sum of peaks.
func (m *measured) bandwidth() int64 { return m.files[0].peak + m.files[1].peak }

func (m *measured) average() int64 { return m.files[0].average + m.files[1].average }

// measure adds a segment.
func (m *measured) measure(s *packager.Segment, g *segmenter.Segment, target int) {
	for kind := range s.Files {
		if f := &s.Files[kind]; f.Size > 0 {
			// As EXTINF has it, in whole milliseconds: who divides by that has no more.
			d := min(f.Lasts, limitFor(target)).Truncate(time.Millisecond)
			m.files[kind].add(f.Size, max(d, time.Millisecond), target)
		}
	}
	if c := codecsOf(g.Tracks[:]...); c != "" {
		m.codecs = c
	}
	m.captions |= g.Captions
	if a := g.Tracks[media.Audio]; a != nil {
		m.sound = a
	}
	if v := g.Tracks[media.Video]; v != nil && g.Frames > 0 {
		m.measureVideo(v, g)
	}
}

// codecsOf are the RFC 6381 names of tracks, some of which may be nil; empty when one is
// unknown.
func codecsOf(tracks ...*media.Track) string {
	var s string
	for _, t := range tracks {
		if t == nil {
			continue
		}
		if t.CodecString == "" {
			return ""
		}
		if s != "" {
			s += ","
		}
		s += t.CodecString
	}
	return s
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
