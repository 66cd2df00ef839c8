package fanout

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// Bounds of a log.
const (
	segmentSize  = 4 << 20 // a segment ends at the latest here
	segmentTurn  = 1 << 20 // or at the first keyframe after this many bytes
	segmentTime  = 2 * time.Second
	maxSegments  = 16
	maxLogBytes  = 24 << 20 // of all logs of a fan: what players may be behind of one publisher
	markBytes    = 32       // of memory for each message, beside its bytes
	joinMaxBytes = 8 << 20  // a joiner starts at most this far back
	joinMaxTime  = 5 * time.Second
)

// A wireLog is a stream as its players receive it: every message encoded once.
// All of it is under the fan's lock, apart from what segments publish
// themselves.
type wireLog struct {
	kind      kind
	chunkSize int
	cursor    *live.Cursor // nil while there is no stream

	segs  []*segment // oldest first; the log holds each
	bytes int64      // of memory used by segs
	total *int64     // of all logs of the fan
	first prefix     // the newest one that was encoded

	told  told   // what the log has last written
	epoch uint32 // of the newest packet read
	// backlog is what was read of the stream already and is to be written
	// before what the cursor has next.
	backlog []*media.Packet

	start    start // newest place where a decoder can begin
	hasStart bool
	ended    bool // the stream has been read to its end

	players int
}

// here is the end of the log as a place to begin, for players that do not wait
// for a keyframe.
func (l *wireLog) here(at time.Duration) (start, bool) {
	seg := l.tail()
	if seg == nil {
		return start{}, false
	}
	return start{seg: seg, off: seg.written.Load(), at: at, told: l.told}, true
}

// A start is a place where a decoder can begin, and the headers it needs there.
type start struct {
	seg    *segment
	off    int64
	at     time.Duration
	told   told
	behind int64 // bytes written since
}

func (l *wireLog) tail() *segment {
	if len(l.segs) == 0 {
		return nil
	}
	return l.segs[len(l.segs)-1]
}

// append encodes one message. begins says that a decoder can start with it.
// dropped are the segments that the bounds of the log pushed out.
func (l *wireLog) append(m rtmp.Message, at time.Duration, begins bool) (dropped []*segment) {
	need := rtmp.EncodedSize(len(m.Payload), l.chunkSize)
	seg := l.tail()
	if seg == nil || l.turn(seg, need, at, begins || l.told.media[media.Video].track == nil) {
		seg, dropped = l.addSegment(max(segmentSize, need), at)
	}
	off := seg.written.Load()
	out := rtmp.AppendMessage(seg.mem[off:off:len(seg.mem)], m, l.chunkSize)
	if begins {
		l.start = start{seg: seg, off: off, at: at, told: l.told}
		l.hasStart = true
	}
	seg.marks = append(seg.marks, mark{off, at})
	seg.written.Store(off + int64(len(out)))
	l.charge(seg, int64(len(out))+markBytes)
	l.start.behind += int64(len(out))
	return dropped
}

// charge accounts for n more bytes of memory that seg takes.
func (l *wireLog) charge(seg *segment, n int64) {
	if seg.fd < 0 { // on the heap: all of it was charged when it was made
		n = min(n, markBytes)
	}
	seg.held += n
	l.bytes += n
	*l.total += n
}

// drop gives back the oldest segment.
func (l *wireLog) drop() {
	old := l.segs[0]
	l.bytes -= old.held
	*l.total -= old.held
	l.segs = l.segs[1:]
	old.release()
}

// tell notes that what has been written up to now tells t.
func (l *wireLog) tell(t told) {
	if t == l.told {
		return
	}
	l.told = t
	if seg := l.tail(); seg != nil {
		seg.news = append(seg.news, notice{seg.written.Load(), t})
	}
}

// next is the stream's next packets for the log.
func (l *wireLog) next(buf []*media.Packet) (n int, err error) {
	if len(l.backlog) > 0 {
		n = copy(buf, l.backlog)
		if l.backlog = l.backlog[n:]; len(l.backlog) == 0 {
			l.backlog = nil
		}
		return n, nil
	}
	n, _, err = l.cursor.TryNext(buf)
	return n, err
}

// turn says whether a new segment begins: at a keyframe after 1 MiB or 2 s, at
// the latest when the message does not fit.
func (l *wireLog) turn(seg *segment, need int, dts time.Duration, boundary bool) bool {
	used := seg.written.Load()
	if used+int64(need) > int64(len(seg.mem)) {
		return true
	}
	return boundary && used > 0 && (used >= segmentTurn || dts-seg.created >= segmentTime)
}

func (l *wireLog) addSegment(capacity int, dts time.Duration) (seg *segment, dropped []*segment) {
	seg = newSegment(capacity)
	seg.created = dts
	seg.news = []notice{{0, l.told}}
	seg.hold()
	if old := l.tail(); old != nil {
		old.next.Store(seg.hold()) // a reader at the end of old finds seg; old holds it
	}
	l.segs = append(l.segs, seg)
	if seg.fd < 0 {
		seg.held = int64(capacity)
		l.bytes += seg.held
		*l.total += seg.held
	}
	return seg, l.shrink()
}

// shrink lets go of segments that no joiner can start in. Players that still
// read them hold them, and the chain behind; beyond the log's bounds they are
// returned, and their players have lost their place.
func (l *wireLog) shrink() (dropped []*segment) {
	for len(l.segs) > 1 {
		old := l.segs[0]
		wanted := l.hasStart && l.start.seg == old || !l.hasStart && len(l.segs) <= 2
		over := len(l.segs) > maxSegments || *l.total > maxLogBytes
		if wanted && !over || old.refs.Load() > 1 && !over {
			return dropped
		}
		if l.hasStart && l.start.seg == old {
			l.hasStart = false
		}
		if old.refs.Load() > 1 {
			dropped = append(dropped, old)
		}
		l.drop()
	}
	return dropped
}

func (l *wireLog) stopReading() {
	if l.cursor != nil {
		l.cursor.Close()
		l.cursor, l.backlog = nil, nil
	}
}

// renew readies the log for another stream: nobody begins in the one before.
func (l *wireLog) renew() {
	l.stopReading()
	l.tell(told{})
	l.start, l.hasStart, l.ended, l.epoch = start{}, false, false, 0
	l.first = prefix{}
}

// close gives everything back.
func (l *wireLog) close() {
	l.renew()
	for len(l.segs) > 0 {
		l.drop()
	}
	l.segs = nil
}
