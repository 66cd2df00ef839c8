package lint

import (
	"bytes"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/bmff"
	"github.com/rtmpd/rtmpd/internal/media"
)

// isMP4 reports whether b begins with a box that segments begin with.
func isMP4(b []byte) bool {
	return len(b) >= 8 && slices.Contains([]string{"ftyp", "styp", "moof", "moov", "sidx", "prft", "emsg", "free", "mdat", "skip", "uuid"}, string(b[4:8]))
}

// ticksTime converts a timestamp of a track.
func ticksTime(t uint64, scale uint32) time.Duration {
	const most = 1 << 33 // seconds: more than a Duration holds
	s := min(t/uint64(scale), most)
	return time.Duration(s)*time.Second + time.Duration(t%uint64(scale)*uint64(time.Second)/uint64(scale))
}

// offsetTime is ticksTime for an offset.
func offsetTime(t int32, scale uint32) time.Duration {
	return time.Duration(int64(t) * int64(time.Second) / int64(scale))
}

// readFragments reads the fragments in b, a segment or a part, whose tracks are in i.
func readFragments(i *initSection, b []byte) (contents, []fault) {
	c := contents{container: "fMP4"}
	f := &initSection{} // only its faults
	r := bytes.NewReader(b)
	err := eachBox(r, int64(len(b)), func(x bmff.Box) error {
		if x.Kind == "prft" {
			c.clocks++
		}
		if x.Kind != "moof" {
			return nil
		}
		c.chunks++
		tracks, err := bmff.ReadFragment(r, x, func(id uint32) (bmff.Defaults, bool) {
			d, ok := i.movie.DefaultsOf(id)
			if !ok {
				f.fault("fragment-track", "it has a fragment of track %d, which the initialization section does not have", id)
			}
			return d, ok
		})
		if err != nil {
			return err
		}
		for n := range tracks {
			c.fragment(i, f, &tracks[n], b)
		}
		return nil
	})
	switch {
	case err != nil:
		f.fault("fragment", "%v", err)
	case c.chunks == 0:
		f.fault("fragment", "it has no box \"moof\"")
	}
	return c, f.faults
}

// fragment takes what a moof has of a track.
func (c *contents) fragment(i *initSection, f *initSection, t *bmff.TrackFragment, b []byte) {
	at := slices.IndexFunc(i.tracks, func(x initTrack) bool { return x.id == t.Track })
	if at < 0 {
		return
	}
	track := &i.tracks[at]
	if !t.Timed {
		f.fault("fragment-tfdt", "a fragment of track %d has no box \"tfdt\"", t.Track)
	}
	if t.Based {
		f.fault("fragment-base", "a fragment of track %d says where in the file its data are", t.Track)
	}
	if track.kind == media.Data {
		return
	}
	out := c.track(t.Track)
	if out == nil {
		out = &trackContents{id: t.Track, kind: track.kind, codec: track.codec, name: track.name, about: track.about, scale: track.scale}
		c.tracks = append(c.tracks, out)
	}
	begins := ticksTime(t.DTS, track.scale)
	if t.Timed && out.samples > 0 {
		if gap := begins - out.end; gap.Abs() > out.gap.Abs() {
			out.gap = gap
		}
	}
	for n := range t.Samples {
		s := &t.Samples[n]
		dts := ticksTime(s.DTS, track.scale)
		first := out.samples == 0
		out.put(dts, dts+offsetTime(s.CTS, track.scale))
		if track.kind == media.Video {
			out.sample(track, s, b, first)
		}
	}
	out.end = ticksTime(t.End(), track.scale)
}

// sample looks at a picture.
func (t *trackContents) sample(track *initTrack, s *bmff.Sample, b []byte, first bool) {
	if s.Sync {
		t.keys++
		t.beginsKey = t.beginsKey || first
	}
	if track.encrypted || track.nalu == 0 || s.At+int64(s.Size) > int64(len(b)) {
		return
	}
	var u pictureUnits
	for n, err := range media.NALUs(b[s.At:s.At+int64(s.Size)], track.nalu) {
		if err != nil {
			return
		}
		u.add(track.codec, n)
	}
	t.captions = t.captions || u.captions
	t.falseKey = t.falseKey || s.Sync && u.slices && !u.key
}

// openMP4 reads a segment of fragmented MP4.
func (c *segmentChecker) openMP4(s *segment, body []byte) contents {
	if s.init == nil {
		c.fault("map-missing", s, "it is fragmented MP4, and there is no EXT-X-MAP")
		return contents{}
	}
	if c.section == nil {
		return contents{}
	}
	found, faults := readFragments(c.section, body)
	for _, f := range faults {
		c.fault(f.rule, s, "%s", f.says)
	}
	if len(faults) > 0 && found.lead() == nil {
		return contents{}
	}
	for _, t := range found.tracks {
		if t.falseKey {
			c.fault("fragment-sync", s, "a sample of track %d is marked as a sync sample and is no IDR picture", t.id)
		}
		if t.gap.Abs() > decodeTolerance(t) {
			c.fault("decode-time", s, "a fragment of track %d begins %s", t.id, apart(t.gap))
		}
	}
	return found
}

// takeInit reads the initialization section of s.
func (c *segmentChecker) takeInit(s *segment, body []byte) []fault {
	c.faults = nil
	var faults []fault
	c.section, faults = readInit(body)
	for _, f := range faults {
		c.faults = append(c.faults, fault{rule: f.rule, line: s.init.line, text: s.init.uri, says: f.says})
	}
	if c.section != nil {
		for _, t := range c.section.tracks {
			if t.name == "hev1" || len(t.name) > 4 && t.name[:5] == "hev1." {
				c.faults = append(c.faults, fault{rule: "hev1", line: s.init.line, text: s.init.uri, says: "its sample entry is hev1"})
			}
		}
	}
	return c.faults
}

// decodeTolerance is how far a fragment may begin from the end of the one before.
func decodeTolerance(t *trackContents) time.Duration {
	return max(t.frame()/2, 2*time.Millisecond)
}

// apart says where something begins.
func apart(gap time.Duration) string {
	if gap < 0 {
		return seconds(-gap.Round(100*time.Microsecond)) + " before the end of the one before"
	}
	return seconds(gap.Round(100*time.Microsecond)) + " after the end of the one before"
}

// decodeTime compares the end of a track's fragments with the beginning of the next.
// It reports whether it found something.
func (c *segmentChecker) decodeTime(s *segment, before, t *trackContents) bool {
	if before.end == 0 || t.scale == 0 {
		return false
	}
	gap := t.first - before.end
	if gap.Abs() <= max(decodeTolerance(t), decodeTolerance(before)) {
		return false
	}
	c.fault("decode-time", s, "track %d begins %s", t.id, apart(gap))
	return true
}
