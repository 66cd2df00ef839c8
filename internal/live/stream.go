package live

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Stream is one named live stream. Its methods may be called from any
// goroutine; Write from one at a time.
type Stream struct {
	app, name string
	created   time.Time
	maxBytes  int64
	headroom  time.Duration

	metadata atomic.Pointer[Metadata]

	mu     sync.Mutex // guards all below, and the position of every cursor
	ring   ring
	closed bool

	tracks [2]*media.Track // newest of video and audio; nil when absent
	epoch  uint32
	began  uint64 // sequence number of the first packet of this epoch
	// Video in this epoch: whether there is any, when (on the ring's clock)
	// it was last seen, and its newest keyframe's sequence number, which is
	// held as long as it is not below ring.tail.
	video     bool
	videoLast time.Duration
	hasKey    bool
	key       uint64
	// recent is where the newest audioPast begins; kept up only while video
	// is false.
	recent uint64

	prompting prompting

	cursors int       // registered
	waiting []*Cursor // blocked in Next
	pending []*Cursor // without a position until a keyframe comes

	count counters

	woken []*Cursor // scratch of Write
}

// NewStream returns an empty stream; zero fields of o mean the defaults.
func NewStream(app, name string, o Options) *Stream {
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Headroom <= 0 {
		o.Headroom = defaultHeadroom
	}
	return &Stream{
		app: app, name: name, created: time.Now(),
		maxBytes: o.MaxBytes, headroom: o.Headroom,
		ring: newRing(),
	}
}

// note updates the stream's state with the next packet. event: it wakes lazy cursors.
func (s *Stream) note(p *media.Packet) (event bool) {
	if s.ring.head == 0 || p.Epoch != s.epoch {
		event = true
		s.epoch, s.began = p.Epoch, s.ring.head
		s.tracks = [2]*media.Track{}
		s.video, s.hasKey = false, false
		s.recent = s.ring.head
	}
	// Of a multitrack stream only track 0 counts: the others alternate with it and
	// would look like a change at every packet.
	kind := p.Track.Kind
	if kind > media.Audio || p.Track.ID != 0 {
		return event
	}
	if s.tracks[kind] != p.Track {
		s.tracks[kind] = p.Track
		event = true
	}
	if kind == media.Video {
		s.video = true
		s.videoLast = s.ring.clock
		if p.Keyframe {
			s.hasKey, s.key = true, s.ring.head
			event = true
		}
	}
	return event
}

// Write appends p, which must not be changed afterwards, and wakes the cursors
// that wait for it. Its time grows with the number of waiting cursors; it never
// blocks on one, and allocates only to grow. One goroutine writes at a time.
// p.Track must be set. A packet written after Close is dropped.
func (s *Stream) Write(p *media.Packet) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	now := time.Since(s.created)
	s.count.add(p, now)
	s.ring.tick(p)
	if s.video && s.ring.clock-s.videoLast > videoGone {
		s.video, s.hasKey = false, false
		s.tracks[media.Video] = nil
	}
	event := s.note(p)
	seq := s.ring.push(p)
	if len(s.pending) > 0 && (!s.video || s.hasKey && s.key == seq) {
		s.place(seq)
	}
	s.bound()
	s.release()

	s.woken = s.woken[:0]
	for i := 0; i < len(s.waiting); {
		c := s.waiting[i]
		if c.rests(event || c.due(p), now) {
			i++
			continue
		}
		s.stopWaiting(c)
		c.woken = now
		s.woken = append(s.woken, c)
	}
	s.mu.Unlock()

	for i, c := range s.woken {
		c.wake <- struct{}{} // has room: see Cursor.wake
		s.woken[i] = nil
	}
}

// Close ends the stream: cursors read what is left and then get io.EOF.
func (s *Stream) Close() {
	s.mu.Lock()
	s.closed = true
	waiting := s.waiting
	s.waiting = nil
	for _, c := range waiting {
		c.waiting = -1
	}
	s.prompting.stop()
	s.mu.Unlock()
	for _, c := range waiting {
		c.wake <- struct{}{}
	}
}

// Tracks returns the tracks of the newest packets of the present publisher:
// video, audio; nil when absent.
func (s *Stream) Tracks() (video, audio *media.Track) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tracks[media.Video], s.tracks[media.Audio]
}

// keyHeld reports whether the newest keyframe is still in the ring.
func (s *Stream) keyHeld() bool { return s.hasKey && s.key >= s.ring.tail }

// place puts every cursor that waits for a keyframe at seq. It does so at once, and
// not when the cursor reads next, so that the ring holds the keyframe for it.
func (s *Stream) place(seq uint64) {
	for i, c := range s.pending {
		c.pending = -1
		c.skip(seq)
		s.hold(c, seq)
		s.pending[i] = nil
	}
	s.pending = s.pending[:0]
}

// keepFrom returns the first packet that is held even without a cursor.
func (s *Stream) keepFrom() uint64 {
	switch {
	case s.keyHeld():
		return s.key
	case s.video:
		return s.ring.head // no keyframe: a new cursor could not decode it
	}
	s.recent = max(s.recent, s.ring.tail)
	for s.recent < s.ring.head && s.ring.clock-s.ring.at(s.recent).when > audioPast {
		s.recent++
	}
	return s.recent
}

// bound frees what exceeds the limits, even if cursors have not read it: such a cursor
// is lapped and finds out when it reads.
func (s *Stream) bound() {
	for s.ring.bytes > s.maxBytes && s.ring.tail+1 < s.ring.head {
		s.ring.drop()
	}
	keep := s.keepFrom()
	for s.ring.tail < keep && s.ring.clock-s.ring.at(s.ring.tail).when > s.headroom {
		s.ring.drop()
	}
}

// release frees packets that no cursor and no new reader needs.
func (s *Stream) release() {
	for keep := s.keepFrom(); s.ring.tail < keep && s.ring.at(s.ring.tail).cursors == 0; {
		s.ring.drop()
	}
}
