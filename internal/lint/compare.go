package lint

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// compare holds the playlists of a presentation against each other and the multivariant
// playlist against what was measured (RFC 8216 §6.2.4, §4.3.4.2). All followers have
// ended.
func (v *presentation) compare() {
	t := v.p.text
	m := v.p.multivariant
	var first *follower
	for _, uri := range v.uris() {
		f := v.followers[uri]
		if f == nil || f.last == nil {
			continue
		}
		if first == nil {
			first = f
			continue
		}
		comparePlaylists(first, f)
		compareTimes(first, f)
	}
	for _, w := range m.variants {
		f := v.followers[w.uri]
		if f == nil || f.last == nil {
			continue
		}
		if w.iFrames {
			if !f.last.iFrames {
				t.fault("variant-iframes", w.line, "the playlist has no EXT-X-I-FRAMES-ONLY")
			}
			continue
		}
		if m.independent && f.last.independentLine > 0 {
			f.add(fault{rule: "independent-twice", line: f.last.independentLine, says: "the multivariant playlist has it already"})
		}
		v.compareRate(t, w, f)
		v.compareMedia(t, w, f)
	}
	v.add(v.p.take()...)
}

// audio are the followers of the renditions in the variant's AUDIO group.
func (v *presentation) audio(w *variant) (out []*follower) {
	for i := range v.p.multivariant.renditions {
		r := &v.p.multivariant.renditions[i]
		if r.kind == "AUDIO" && r.group == w.attrs["AUDIO"] && r.uri != "" && r.uri != w.uri {
			if f := v.followers[r.uri]; f != nil && f.last != nil {
				out = append(out, f)
			}
		}
	}
	return out
}

// minMeasured is how many segments have to be there for a bit rate.
const minMeasured = 3

// compareRate is about BANDWIDTH and AVERAGE-BANDWIDTH.
func (v *presentation) compareRate(t *text, w *variant, f *follower) {
	if f.segs.sizes.segments < minMeasured || w.bandwidth == 0 {
		return
	}
	peak, average := f.segs.sizes.peak, f.segs.sizes.average()
	complete := f.last.ended && f.segs.sizes.segments == len(f.last.segments) && f.last.sequence == 0
	var most, mostAverage float64
	audio := v.audio(w)
	for _, a := range audio {
		most, mostAverage = max(most, a.segs.sizes.peak), max(mostAverage, a.segs.sizes.average())
		complete = complete && a.last.ended && a.segs.sizes.segments == len(a.last.segments)
	}
	peak, average = peak+most, average+mostAverage
	if said := float64(w.bandwidth); peak > said {
		rule := "bandwidth-live"
		if complete || len(audio) > 0 {
			rule = "bandwidth"
		}
		t.fault(rule, w.line, "the measured peak is %.0f, BANDWIDTH is %d", peak, w.bandwidth)
	}
	if said := float64(w.average); w.average > 0 && average > said*1.1 {
		rule := "average-live"
		if complete {
			rule = "average"
		}
		t.fault(rule, w.line, "the measured average is %.0f, AVERAGE-BANDWIDTH is %d", average, w.average)
	}
}

// compareMedia is about CODECS, RESOLUTION, FRAME-RATE and CLOSED-CAPTIONS.
func (v *presentation) compareMedia(t *text, w *variant, f *follower) {
	names := slices.Clone(f.segs.names)
	for _, a := range v.audio(w) {
		names = append(names, a.segs.names...)
	}
	if len(w.codecs) > 0 {
		compareCodecs(t, w, names, f.segs.sizes.segments >= minMeasured)
	}
	c := &f.segs
	if c.width > 0 && w.width > 0 && (uint64(c.width) != w.width || uint64(c.height) != w.height) {
		t.fault("resolution", w.line, "the picture is %dx%d, RESOLUTION is %dx%d", c.width, c.height, w.width, w.height)
	}
	if c.frameRate > 0 && w.frameRate > 0 && (c.frameRate > w.frameRate*1.15 || c.frameRate < w.frameRate*0.5) {
		t.fault("frame-rate", w.line, "the picture has %.3f frames a second, FRAME-RATE is %.3f", c.frameRate, w.frameRate)
	}
	if c.frameRate > 30.5 && w.frameRate == 0 {
		t.fault("frame-rate-high", w.line, "the picture has %.1f frames a second, and there is no FRAME-RATE", c.frameRate)
	}
	if c.captions && w.attrs["CLOSED-CAPTIONS"] == "NONE" {
		t.fault("captions", w.line, "CLOSED-CAPTIONS is NONE, and the picture has closed captions")
	}
}

// compareCodecs holds CODECS against what is in the segments.
func compareCodecs(t *text, w *variant, names []string, enough bool) {
	for _, name := range names {
		kind := codecFamily(name)
		i := slices.IndexFunc(w.codecs, func(c string) bool { return codecFamily(c) == kind })
		switch {
		case i < 0:
			t.fault("codecs", w.line, "%s is in the segments, CODECS is %s", name, quote(w.attrs["CODECS"]))
		case strings.Contains(name, ".") && !codecCovers(w.codecs[i], name):
			t.fault("codecs-profile", w.line, "%s is in the segments, CODECS has %s", name, w.codecs[i])
		}
	}
	if !enough {
		return
	}
	for _, c := range w.codecs {
		kind := codecFamily(c)
		if kind != "text" && !slices.ContainsFunc(names, func(n string) bool { return codecFamily(n) == kind }) {
			t.fault("codecs-absent", w.line, "%s is in CODECS and not in the segments", c)
		}
	}
}

// codecFamily is what two names of RFC 6381 have in common when one decoder does for both.
func codecFamily(name string) string {
	four, rest, _ := strings.Cut(name, ".")
	switch four {
	case "avc1", "avc3":
		return "avc"
	case "hvc1", "hev1", "dvh1", "dvhe":
		return "hevc"
	case "mp4a":
		switch {
		case strings.HasPrefix(rest, "40.34"), strings.HasPrefix(rest, "6b"), strings.HasPrefix(rest, "69"), strings.HasPrefix(rest, "6B"):
			return "mp3"
		case strings.HasPrefix(rest, "a5"), strings.HasPrefix(rest, "A5"):
			return "ac-3"
		case strings.HasPrefix(rest, "a6"), strings.HasPrefix(rest, "A6"):
			return "ec-3"
		}
		return "aac"
	case "stpp", "wvtt":
		return "text"
	case "Opus", "opus":
		return "opus"
	case "fLaC", "flac":
		return "flac"
	}
	return four
}

// codecCovers reports whether a decoder for said plays what is there: the same profile,
// and at least its level.
func codecCovers(said, is string) bool {
	if codecFamily(said) != "avc" || len(said) != 11 || len(is) != 11 {
		return codecFamily(said) != "avc" || said == is
	}
	said, is = strings.ToLower(said[5:]), strings.ToLower(is[5:])
	return said[:2] == is[:2] && said[4:] >= is[4:]
}

// comparePlaylists: what all playlists of a presentation share (rfc8216bis §6.2.4).
func comparePlaylists(a, b *follower) {
	x, y := a.last, b.last
	differ := func(line int, what string) {
		b.add(fault{rule: "variant-differs", line: line, says: fmt.Sprintf("%s is not that of %s", what, clip(a.url.Redacted()))})
	}
	if x.iFrames || y.iFrames {
		return
	}
	if x.target != y.target {
		differ(y.targetLine, "EXT-X-TARGETDURATION")
	}
	if x.kind != y.kind {
		differ(y.kindLine, "EXT-X-PLAYLIST-TYPE")
	}
	c, d := x.control, y.control
	c.line, d.line = 0, 0
	if c != d {
		differ(y.control.line, "EXT-X-SERVER-CONTROL")
	}
	if len(x.segments) > 0 && len(y.segments) > 0 && hasDates(x) != hasDates(y) {
		b.add(fault{rule: "variant-dates", says: fmt.Sprintf("either this playlist or %s has EXT-X-PROGRAM-DATE-TIME, not both", clip(a.url.Redacted()))})
	}
}

func hasDates(m *mediaPlaylist) bool {
	return slices.ContainsFunc(m.segments, func(s *segment) bool { return !s.date.IsZero() })
}

// How far two playlists may be from each other.
const (
	sameMoment    = 100 * time.Millisecond
	dateTolerance = 500 * time.Millisecond
)

// compareTimes: the same content has the same timestamps, dates and discontinuity
// sequence numbers.
func compareTimes(a, b *follower) {
	for i := range a.segs.history {
		x := &a.segs.history[i]
		y, known := sameContent(x, b.segs.history)
		if !known {
			return
		}
		if y == nil {
			continue
		}
		if x.discontinuity != y.discontinuity {
			b.add(fault{rule: "variant-discontinuity", says: fmt.Sprintf("segment %d has the discontinuity sequence number %d; in %s it is %d",
				y.number, y.discontinuity, clip(a.url.Redacted()), x.discontinuity)})
			return
		}
		if !x.date.IsZero() && !y.date.IsZero() && (x.date.Sub(y.date)-(x.start-y.start)).Abs() > dateTolerance {
			b.add(fault{rule: "variant-times", says: fmt.Sprintf("at the timestamp of segment %d the date is %s apart from %s",
				y.number, seconds(x.date.Sub(y.date).Abs().Round(time.Millisecond)), clip(a.url.Redacted()))})
			return
		}
	}
}

// sameContent is the segment of another playlist that has the content of x: of several that
// begin at about the same moment, because one is very short, the nearest. known: their
// timestamps can be compared.
func sameContent(x *placed, others []placed) (found *placed, known bool) {
	for i := range others {
		y := &others[i]
		if x.wrap != y.wrap {
			return nil, false
		}
		dated := !x.date.IsZero() && !y.date.IsZero()
		if (x.start-y.start).Abs() > sameMoment || x.number != y.number && !(dated && x.date.Sub(y.date).Abs() < 5*time.Second) {
			continue // other content; timestamps may have begun again
		}
		if found == nil || (x.start-y.start).Abs() < (x.start-found.start).Abs() {
			found = y
		}
	}
	return found, true
}
