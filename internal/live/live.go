// Package live is the hub: a stream is its recent past, a ring of immutable
// packets, and a subscriber is a cursor into it.
//
// The ring holds the packets from the newest video keyframe on (a stream
// without video: the newest two seconds) and what a cursor has still to read.
// There is no queue per reader and no GOP cache beside it: a late joiner is a
// cursor that starts at the keyframe, a reader that fell too far behind is a
// cursor that is moved there.
package live

import "time"

// Start says where a new cursor begins.
type Start uint8

// Where a cursor begins.
const (
	// FromKeyframe is the newest keyframe still held, else the next one to be
	// written. In a stream without video it is the newest packet held, else the
	// next one, so that a cursor made before the first packet misses nothing.
	FromKeyframe Start = iota
	FromNext           // at the next packet to be written
	FromOldest         // at the oldest packet still held
)

// Options bounds what a stream keeps in memory.
type Options struct {
	// MaxBytes bounds all that the ring holds: the newest GOP and what
	// lagging cursors have not read, headers included. Default 16 MiB.
	MaxBytes int64
	// Headroom is how much media time before the newest keyframe is kept for
	// a lagging cursor; behind that it is lapped. A cursor is never lapped
	// while the ring holds its packets anyway. Default 10 s.
	Headroom time.Duration
}

const (
	defaultMaxBytes = 16 << 20
	defaultHeadroom = 10 * time.Second

	// audioPast is what a stream without video keeps for those who join.
	audioPast = 2 * time.Second
	// videoGone is how long the video may be silent while other media go on
	// before the stream counts as one without video: else its last GOP would
	// be kept, and new readers would wait for its next keyframe, for ever.
	videoGone = 30 * time.Second
	// maxStep bounds what one packet adds to the ring's media clock: a
	// publisher's timestamps may jump by hours, which must not lap cursors.
	maxStep = time.Second
	// lazyBacklog is how many unread packets wake a lazy cursor.
	lazyBacklog = 32
	// lazyTime is how old the oldest unread packet wakes one: still pictures
	// come seconds apart.
	lazyTime = time.Second
)
