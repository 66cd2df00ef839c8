package dash

import (
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
)

// A part is a Period: segments whose tracks are coded the same way, without a break.
type part struct {
	id     string
	first  uint64        // media sequence number of its first segment
	start  time.Duration // in the presentation: Period@start
	from   time.Duration // media time of that moment
	tracks [2]track      // by media.Kind

	captions media.Captions // of the pictures
	past     [2]timeline    // by media.Kind: what comes before the window
}

// A track is one of a part.
type track struct {
	timescale   uint32 // 0: there is no such track
	init        string // file name of the initialisation section
	media       pattern
	independent bool // every segment begins with a keyframe
	coding      representation
}

// A pattern is what the files of a track are called: their time stands between the two.
type pattern struct{ before, after string }

// patternOf is the one that f's name follows.
func patternOf(f *packager.File) pattern {
	ext := path.Ext(f.Name)
	return pattern{strings.TrimSuffix(strings.TrimSuffix(f.Name, ext), strconv.FormatUint(f.Start, 10)), ext}
}

// file is the name of the file that begins at tick t.
func (n pattern) file(t uint64) string { return n.before + strconv.FormatUint(t, 10) + n.after }

// uri is the template of such files, as an MPD beside them has it (§5.3.9.4.4).
func (n pattern) uri() string { return uri(n.before) + timeMark + escape(n.after) }

// parsePattern is the opposite, for an MPD in dir; ok is false if uri has not made it.
func parsePattern(dir, uri string) (n pattern, ok bool) {
	before, after, ok := strings.Cut(uri, timeMark)
	n = pattern{unescape(before), unescape(after)}
	ok = ok && n.after != "" && (n.before != "" || before == "")
	n.before = dir + n.before
	return n, ok
}

const timeMark = "$Time$"

// at is where in the presentation media time t is.
func (p *part) at(t time.Duration) time.Duration { return p.start + t - p.from }

// part is the one that goes on; nil: there is none.
func (m *manifest) part() *part {
	if len(m.parts) == 0 {
		return nil
	}
	return &m.parts[len(m.parts)-1]
}

// begin begins a part with s, whose media begins at media time from, at start in the
// presentation. A part ends at the latest where the next one begins (§5.3.2.1).
func (m *manifest) begin(seq uint64, s *packager.Segment, from, start time.Duration) *part {
	if last := m.part(); last != nil && last.first == seq { // nothing is in it
		m.parts = m.parts[:len(m.parts)-1]
	}
	var captions media.Captions // what was declared stays declared
	if last := m.part(); last != nil {
		start = max(start, last.start+time.Millisecond)
		captions = last.captions
	}
	p := part{captions: captions, id: strconv.FormatUint(seq, 10), first: seq, start: max(start, 0), from: from}
	for kind := range s.Files {
		if f := &s.Files[kind]; f.Name != "" {
			p.tracks[kind] = newTrack(media.Kind(kind), f)
		}
	}
	m.parts = append(m.parts, p)
	return m.part()
}

// takes says whether s can go on in p.
func (p *part) takes(s *packager.Segment) bool {
	for kind := range s.Files {
		f, t := &s.Files[kind], &p.tracks[kind]
		switch {
		case f.Name == "" && t.timescale == 0:
		case f.Name == "" || t.timescale != f.Timescale || t.init != f.Init.Name || t.media != patternOf(f):
			return false
		}
	}
	return true
}

func newTrack(kind media.Kind, f *packager.File) track {
	t := track{timescale: f.Timescale, init: f.Init.Name, media: patternOf(f), independent: true}
	t.coding.ID = kindNames[kind]
	if c := f.Track; c != nil {
		t.coding.Codecs = c.CodecString
		if kind == media.Video {
			t.coding.Width, t.coding.Height = c.Width, c.Height
		} else {
			t.coding.SamplingRate = c.SampleRate
			t.coding.Channels = channels(c.Channels)
		}
	}
	return t
}

// accessibility declares captions, whose language is not known.
func accessibility(c media.Captions) (all []urnPair) {
	var channels []string
	if c&media.CaptionsCC1 != 0 {
		channels = append(channels, "CC1=und")
	}
	if c&media.CaptionsCC3 != 0 {
		channels = append(channels, "CC3=und")
	}
	if len(channels) > 0 {
		all = append(all, urnPair{schemeCEA608, strings.Join(channels, ";")})
	}
	if c&media.CaptionsService != 0 {
		all = append(all, urnPair{schemeCEA708, "1=lang:und"})
	}
	return all
}

// captionsOf is the opposite.
func captionsOf(all []urnPair) (c media.Captions) {
	for _, a := range all {
		if a.Scheme == schemeCEA708 {
			c |= media.CaptionsService
		}
		if a.Scheme == schemeCEA608 && strings.Contains(a.Value, "CC1=") {
			c |= media.CaptionsCC1
		}
		if a.Scheme == schemeCEA608 && strings.Contains(a.Value, "CC3=") {
			c |= media.CaptionsCC3
		}
	}
	return c
}

var kindNames = [2]string{media.Video: "video", media.Audio: "audio"}

// channels is the loudspeakers of sound with so many channels, as ISO 23091-3 numbers the
// usual layouts; nil: there is no usual one.
func channels(n int) *urnPair {
	if n == 8 {
		return &urnPair{schemeMPEG, "12"} // 7.1 with two at the back
	}
	if n < 1 || n > 6 {
		return nil
	}
	return &urnPair{schemeMPEG, strconv.Itoa(n)}
}

// Bandwidth is announced with headroom, and anew when a segment needs more: players plan
// with it.
const (
	headroom      = 1.1
	bandwidthStep = 1000 // bits/s
)

// measure notes what segment f of g is like.
func (t *track) measure(f *packager.File, g *segmenter.Segment, independent bool) {
	t.independent = t.independent && independent
	c := &t.coding
	if s := f.Lasts.Seconds(); s > 0 {
		if rate := float64(f.Size) * 8 / s; rate > float64(c.Bandwidth) {
			c.Bandwidth = int64(rate*headroom/bandwidthStep+1) * bandwidthStep
		}
	}
	if v := f.Track; c.FrameRate == "" && v != nil && v.Kind == media.Video && g != nil {
		c.FrameRate = frameRate(v.FrameRate, float64(g.Frames)/g.Duration.Seconds())
	}
}

// frameRate is the rate that headers declare if that is about what is measured, or else the
// usual one that is; empty: none is.
func frameRate(declared, measured float64) string {
	const near = 0.02
	off := func(rate float64) bool { return measured < rate*(1-near) || measured > rate*(1+near) }
	best, rates := "", [...]struct {
		rate float64
		text string
	}{
		{24000. / 1001, "24000/1001"},
		{30000. / 1001, "30000/1001"},
		{60000. / 1001, "60000/1001"},
		{24, "24"},
		{25, "25"},
		{30, "30"},
		{50, "50"},
		{60, "60"},
		{5, "5"},
		{10, "10"},
		{12, "12"},
		{15, "15"},
		{20, "20"},
		{48, "48"},
		{90, "90"},
		{100, "100"},
		{120, "120"},
	}
	for _, r := range rates {
		if d := declared/r.rate - 1; d < 1e-4 && d > -1e-4 && !off(r.rate) {
			return r.text
		}
		if !off(r.rate) {
			best = r.text
		}
	}
	return best
}
