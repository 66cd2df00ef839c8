package lint

import (
	"slices"
)

// isMP4 reports whether b begins with a box that segments begin with.
func isMP4(b []byte) bool {
	return len(b) >= 8 && slices.Contains([]string{"ftyp", "styp", "moof", "moov", "sidx", "prft", "emsg", "free", "mdat"}, string(b[4:8]))
}

// openMP4 reads a segment of fragmented MP4.
func (c *segmentChecker) openMP4(_ *mediaPlaylist, s *segment, _ []byte) contents {
	if s.init == nil {
		c.fault("map-missing", s, "it is fragmented MP4, and there is no EXT-X-MAP")
	}
	return contents{}
}

// decodeTime compares the end of a track's fragment with the beginning of the next.
func (c *segmentChecker) decodeTime(*segment, *trackContents, *trackContents) {}
