// Package live is the hub: a stream is its recent past, a ring of immutable
// packets, and a subscriber is a cursor into it.
package live

import (
	"context"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Start says where a new cursor begins.
type Start uint8

// Where a cursor begins.
const (
	FromKeyframe Start = iota // at the newest keyframe still held (audio-only: the newest packet)
	FromNext                  // at the next packet to be written
	FromOldest                // at the oldest packet still held
)

// Options bounds what a stream remembers.
type Options struct {
	// MaxBytes bounds the newest GOP, and what is kept for lagging cursors
	// beyond it. Default 16 MiB.
	MaxBytes int64
	// Headroom is how much media time a lagging cursor may be behind before
	// it is lapped. Default 10 s.
	Headroom int64 // nanoseconds (time.Duration)
}

// Stream is one named live stream.
type Stream struct{ todo int }

// NewStream makes an empty stream.
func NewStream(app, name string, o Options) *Stream { panic("stub") }

// Write appends a packet and wakes waiting cursors. It is O(cursors waiting),
// never blocks on a reader and allocates nothing. One goroutine writes at a time.
func (s *Stream) Write(p *media.Packet) { panic("stub") }

// Close ends the stream: cursors drain what is left and then get io.EOF.
func (s *Stream) Close() { panic("stub") }

// Tracks returns the tracks of the newest packets: video, audio; nil when absent.
func (s *Stream) Tracks() (video, audio *media.Track) { panic("stub") }

// Cursor subscribes. lazy cursors (packagers) are woken only by a keyframe, a
// change of track or epoch, the end, or a backlog of 32 packets.
func (s *Stream) Cursor(start Start, lazy bool) *Cursor { panic("stub") }

// Cursor reads one stream at its own pace. It belongs to a single goroutine.
type Cursor struct{ todo int }

// Next fills buf with the packets after the last one returned and reports how
// many it wrote; it blocks until there is at least one. See the design document.
func (c *Cursor) Next(ctx context.Context, buf []*media.Packet) (n int, skipped uint64, err error) {
	panic("stub")
}

// Close unsubscribes; what only this cursor held back is freed.
func (c *Cursor) Close() { panic("stub") }
