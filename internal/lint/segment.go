package lint

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A segmentChecker holds the segments of one playlist against what the playlist says of
// them and against each other. It takes them in their order.
type segmentChecker struct {
	ts mpegts.Reader

	last     *segment // the one before; nil: there is none, or it was not read
	contents contents // its
	drift    time.Duration

	// What all segments so far were.
	read, independent int // segments with a picture; those that begin with a keyframe
	width, height     int // the largest picture
	frameRate         float64
	captions          bool
	names             []string // codecs, each once

	sizes   bitrates
	history []placed // the newest segments

	section *initSection // of the segment's EXT-X-MAP

	faults []fault
}

// placed is where a segment stands, for comparison with other renditions.
type placed struct {
	number, discontinuity uint64
	start                 time.Duration // the smallest PTS
	wrap                  time.Duration
	date                  time.Time
}

const maxHistory = 200

// lose has the next segment stand alone: one was left out.
func (c *segmentChecker) lose() {
	c.last = nil
	c.sizes.window = nil
}

func (c *segmentChecker) fault(rule string, s *segment, format string, args ...any) {
	c.faults = append(c.faults, fault{rule: rule, line: s.line, text: s.uri, says: fmt.Sprintf("segment %d: ", s.number) + fmt.Sprintf(format, args...)})
}

// check takes the body of s, of a playlist.
func (c *segmentChecker) check(of facts, s *segment, body []byte) []fault {
	c.faults = nil
	if c.last != nil && (c.last.number+1 != s.number || s.breaks) {
		c.last = nil
	}
	if c.last == nil {
		c.ts.Forget()
		c.drift = 0
	}
	c.sizes.put(len(body), s.duration, of.target)
	c.bitrate(s, len(body))
	found := c.open(s, body)
	if found.container == "" {
		c.last = nil
		return c.faults
	}
	c.tracks(of, s, &found)
	c.compare(of, s, &found)
	c.note(s, &found)
	c.last, c.contents = s, found
	return c.faults
}

// bitrate is about EXT-X-BITRATE.
func (c *segmentChecker) bitrate(s *segment, size int) {
	if s.bitrate == 0 || s.duration <= 0 {
		return
	}
	rate := float64(size) * 8 / 1000 / s.duration.Seconds()
	if said := float64(s.bitrate); said < rate*0.9 || said > rate*1.1 {
		c.fault("bitrate", s, "EXT-X-BITRATE is %d, the segment has %.0f kbit/s", s.bitrate, rate)
	}
}

// open reads a body of any format.
func (c *segmentChecker) open(s *segment, body []byte) contents {
	switch {
	case len(body) == 0:
		c.fault("segment-empty", s, "it is empty")
	case body[0] == 0x47 || len(body) > 4*188 && bytes.Count(body[:4*188], []byte{0x47}) > 3 && !isMP4(body):
		found, summary := readTS(&c.ts, body)
		c.transport(s, &summary, found.lead() != nil)
		if summary.PAT < 0 || summary.PMT < 0 {
			return contents{}
		}
		return found
	case isMP4(body):
		return c.openMP4(s, body)
	case bytes.HasPrefix(body, []byte("ID3")):
		return c.packedAudio(s, body)
	case bytes.HasPrefix(bytes.TrimPrefix(body, []byte("\ufeff")), []byte("WEBVTT")):
		return c.webVTT(s, body)
	case media.IsADTS(body) || body[0] == 0xff && len(body) > 1 && body[1]&0xe0 == 0xe0:
		c.fault("packed-audio", s, "it does not begin with an ID3 tag that has the timestamp")
	default:
		c.fault("segment-format", s, "it is neither MPEG-TS, fragmented MP4, packed audio nor WebVTT, it begins with % x", body[:min(len(body), 8)])
	}
	return contents{}
}

// transport is about the packets of MPEG-TS (RFC 8216 §3.2).
func (c *segmentChecker) transport(s *segment, ts *mpegts.Summary, holds bool) {
	if ts.Lost > 0 {
		c.fault("ts-sync", s, "%d bytes are no part of a packet", ts.Lost)
	}
	if ts.BadCRC > 0 {
		c.fault("ts-crc", s, "%d tables have a wrong CRC", ts.BadCRC)
	}
	switch {
	case s.init != nil:
	case ts.PAT < 0 || ts.PMT < 0:
		c.fault("ts-tables", s, "it has no %s", map[bool]string{true: "PAT", false: "PMT"}[ts.PAT < 0])
	case ts.PAT > 1 || ts.PMT > 1:
		c.fault("ts-tables-first", s, "the first PAT is packet number %d, the first PMT number %d", ts.PAT+1, ts.PMT+1)
	}
	if ts.Programs > 1 {
		c.fault("ts-program", s, "it has %d programs", ts.Programs)
	}
	if len(ts.Jumps) > 0 { // one tells it
		j := ts.Jumps[0]
		if j.First {
			c.fault("ts-continuity-segment", s, "%s begins with continuity counter %d, after the segment before it is %d", pidName(ts, j.PID), j.Got, j.Want)
		} else {
			c.fault("ts-continuity", s, "packet %d, of %s, has continuity counter %d, not %d", j.Packet, pidName(ts, j.PID), j.Got, j.Want)
		}
	}
	if !ts.Clock && holds {
		c.fault("ts-clock", s, "it has no program clock reference")
	}
}

// pidName is what the packets of a PID carry.
func pidName(ts *mpegts.Summary, pid uint16) string {
	switch {
	case pid == 0:
		return "the PAT"
	case pid == ts.Map:
		return "the PMT"
	}
	return fmt.Sprintf("PID %d", pid)
}

// tracks is about what one segment holds.
func (c *segmentChecker) tracks(of facts, s *segment, found *contents) {
	if found.lead() == nil && found.container != "WebVTT" {
		c.fault("segment-silent", s, "it holds neither picture nor sound")
		return
	}
	for _, t := range found.tracks {
		if t.back {
			c.fault("timestamps-back", s, "the timestamps of track %d go back within the segment", t.id)
		}
	}
	v := found.video()
	if v == nil {
		return
	}
	if v.codec == media.CodecHEVC && found.container == "MPEG-TS" {
		c.fault("hevc-ts", s, "H.265 in MPEG-TS")
	}
	switch {
	case of.independent && !v.beginsKey:
		c.fault("independent-segments", s, "EXT-X-INDEPENDENT-SEGMENTS stands in the playlist, and the picture does not begin with a keyframe")
	case v.keys == 0:
		c.fault("segment-keyframe", s, "it has no keyframe")
	}
}

// note remembers what is compared with the multivariant playlist.
func (c *segmentChecker) note(s *segment, found *contents) {
	if t := found.lead(); t != nil {
		c.history = append(c.history, placed{s.number, s.discontinuity, t.start, t.wrap, s.date})
		if len(c.history) > maxHistory {
			c.history = c.history[1:]
		}
	}
	for _, t := range found.tracks {
		if t.samples == 0 {
			continue
		}
		if t.name != "" && !slices.Contains(c.names, t.name) && len(c.names) < maxAttributes {
			c.names = append(c.names, t.name)
		}
		if t.about != nil && t.about.Width*t.about.Height > c.width*c.height {
			c.width, c.height = t.about.Width, t.about.Height
		}
		c.captions = c.captions || t.captions
	}
	v := found.video()
	if v == nil {
		return
	}
	c.read++
	if v.beginsKey {
		c.independent++
	}
	if frame := v.frame(); frame > 0 && v.samples > 10 {
		c.frameRate = max(c.frameRate, float64(time.Second)/float64(frame))
	}
}

// compare holds a segment against the one before.
func (c *segmentChecker) compare(of facts, s *segment, found *contents) {
	if c.last == nil {
		return
	}
	before := &c.contents
	c.changes(s, before, found)
	for _, t := range found.tracks {
		b := before.track(t.id)
		if b == nil || b.samples == 0 || t.samples == 0 {
			continue
		}
		if step := t.after(t.first, b.last); step <= 0 {
			c.fault("timestamps-back", s, "track %d begins %s before the last timestamp of the segment before", t.id, seconds(-step.Round(time.Millisecond)))
			c.drift = 0
			return
		}
		if c.decodeTime(s, b, t) {
			return
		}
	}
	t := found.lead()
	b := before.lead()
	if t == nil || b == nil || t.id != b.id {
		return
	}
	c.length(of, s, t.after(t.start, b.start), max(t.frame(), b.frame()))
}

// changes is about other tracks than before (RFC 8216 §4.3.2.3).
func (c *segmentChecker) changes(s *segment, before, found *contents) {
	if before.container != found.container {
		c.fault("discontinuity-missing", s, "it is %s, the segment before was %s", found.container, before.container)
		return
	}
	for _, t := range found.tracks {
		b := before.track(t.id)
		switch {
		case b == nil:
			c.fault("discontinuity-missing", s, "track %d (%s) is new", t.id, t.name)
			return
		case b.codec != t.codec:
			c.fault("discontinuity-missing", s, "track %d is %s, it was %s", t.id, t.name, b.name)
			return
		case b.about != nil && t.about != nil && (b.about.Width != t.about.Width || b.about.Height != t.about.Height):
			c.fault("discontinuity-encoding", s, "the picture is %dx%d, it was %dx%d", t.about.Width, t.about.Height, b.about.Width, b.about.Height)
		case b.about != nil && t.about != nil && (b.about.SampleRate != t.about.SampleRate || b.about.Channels != t.about.Channels):
			c.fault("discontinuity-encoding", s, "the sound has %d Hz and %d channels, it had %d Hz and %d", t.about.SampleRate, t.about.Channels, b.about.SampleRate, b.about.Channels)
		}
	}
	for _, b := range before.tracks {
		if found.track(b.id) == nil {
			c.fault("discontinuity-missing", s, "track %d (%s) is gone", b.id, b.name)
			return
		}
	}
}

// How far EXTINF may be from the media before a viewer could notice.
const (
	infTolerance   = 100 * time.Millisecond
	driftTolerance = 300 * time.Millisecond
	jumpTolerance  = time.Second
)

// length compares EXTINF of the segment before with the media, which lasts until s
// begins.
func (c *segmentChecker) length(of facts, s *segment, lasts, frame time.Duration) {
	b := c.last
	diff := lasts - b.duration
	tolerance := max(infTolerance, frame+frame/2)
	switch {
	case diff > max(jumpTolerance, b.duration/2) && lasts.Round(time.Second) > of.target:
		c.fault("timestamps-jump", s, "it begins %s after the segment before, whose EXTINF is %s", seconds(lasts.Round(time.Millisecond)), seconds(b.duration))
		c.drift = 0
		return
	case of.target > 0 && (lasts-frame/2).Round(time.Second) > of.target && b.duration.Round(time.Second) <= of.target:
		c.fault("segment-long", b, "its media last %s, EXT-X-TARGETDURATION is %s", seconds(lasts.Round(time.Millisecond)), seconds(of.target))
	case diff.Abs() > tolerance:
		c.fault("extinf-media", b, "EXTINF is %s, its media last %s", seconds(b.duration), seconds(lasts.Round(time.Millisecond)))
	}
	if c.drift += diff; c.drift.Abs() > max(driftTolerance, tolerance) && diff.Abs() <= tolerance {
		c.fault("extinf-drift", s, "the sum of EXTINF is %s off the media by now", seconds(c.drift.Abs().Round(10*time.Millisecond)))
		c.drift = 0
	}
}
