package flv

import "github.com/rtmpd/rtmpd/internal/media"

// A picture is the state of the access unit whose messages arrive.
type picture struct {
	open      bool // there is one
	timestamp uint32
	slices    bool // some have come
	key       bool // a message marked it as a keyframe

	sets     media.Sets // those in it that the track does not have
	otherSPS bool       // they have made another track
}

// add takes a message of track 0 and reports whether it is one more of the picture
// that the message before belongs to, and whether it is the first that makes
// it a keyframe. Timestamps alone do not tell: encoders that can't keep up
// send several pictures in one millisecond.
func (c *picture) add(u media.Units, timestamp uint32, key bool) (continues, becomesKey bool) {
	continues = c.open && timestamp == c.timestamp && c.takes(u)
	if !continues {
		*c = picture{open: true, timestamp: timestamp}
	}
	c.slices = c.slices || u.Slices || u.Broken
	becomesKey = key && !c.key
	c.key = c.key || key
	return continues, becomesKey
}

// takes reports whether units u may follow in the same access unit (ITU-T H.264
// §7.4.1.2.3 and §7.4.1.2.4, H.265 §7.4.2.4.4).
func (c *picture) takes(u media.Units) bool {
	switch {
	case u.Broken || !u.Any:
		return false // nothing is known of it, as of other codecs
	case !c.slices:
		return !u.Delimiter
	case u.Leads:
		return false
	}
	return !u.Slices || !u.First
}
