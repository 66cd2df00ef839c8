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
	joinMaxBytes = 8 << 20  // a new player begins at most this far back
	joinMaxTime  = 5 * time.Second
)

// A wireLog holds a stream as its players receive it: every message encoded once.
// The fan's lock guards it, except the atomic fields of segments.
type wireLog struct {
	kind      kind
	chunkSize int
	cursor    *live.Cursor // nil while there is no stream

	segs  []*segment // oldest first; the log holds each
	bytes int64      // of memory used by segs
	total *int64     // of all logs of the fan
	first prefix     // the newest one that was encoded

	headers sentHeaders // what the log has written last
	epoch   uint32      // of the newest packet read
	// backlog holds packets that have been read from the stream already. They are
	// written before the cursor's next ones.
	backlog []*media.Packet

	start    start // newest place where a decoder can begin
	hasStart bool
	ended    bool // the stream has been read to its end

	players int
}

// here returns the end of the log, where players begin that do not wait for a
// keyframe.
func (l *wireLog) here(at time.Duration) (start, bool) {
	seg := l.tail()
	if seg == nil {
		return start{}, false
	}
	return start{seg: seg, off: seg.written.Load(), at: at, headers: l.headers}, true
}

// A start is a place where a decoder can begin, with the headers it needs.
type start struct {
	seg     *segment
	off     int64
	at      time.Duration
	headers sentHeaders
	behind  int64 // bytes written since
}

func (l *wireLog) tail() *segment {
	if len(l.segs) == 0 {
		return nil
	}
	return l.segs[len(l.segs)-1]
}

// append encodes one message. begins says that a decoder can start with it. dropped
// are the segments that were removed to keep the log within its bounds.
func (l *wireLog) append(m rtmp.Message, at time.Duration, begins bool) (dropped []*segment) {
	need := rtmp.EncodedSize(len(m.Payload), l.chunkSize)
	seg := l.tail()
	if seg == nil || l.startsSegment(seg, need, at, begins || l.headers.media[media.Video].track == nil) {
		seg, dropped = l.addSegment(max(segmentSize, need), at)
	}
	off := seg.written.Load()
	out := rtmp.AppendMessage(seg.mem[off:off:len(seg.mem)], m, l.chunkSize)
	if begins {
		l.start = start{seg: seg, off: off, at: at, headers: l.headers}
		l.hasStart = true
	}
	seg.marks = append(seg.marks, mark{off, at})
	seg.written.Store(off + int64(len(out)))
	l.charge(seg, int64(len(out))+markBytes)
	l.start.behind += int64(len(out))
	return dropped
}

// charge adds n bytes to the memory that seg and the logs account for.
func (l *wireLog) charge(seg *segment, n int64) {
	if seg.fd < 0 { // on the heap: all of it was charged when it was made
		n = min(n, markBytes)
	}
	seg.held += n
	l.bytes += n
	*l.total += n
}

// drop releases the oldest segment.
func (l *wireLog) drop() {
	old := l.segs[0]
	l.bytes -= old.held
	*l.total -= old.held
	l.segs = l.segs[1:]
	old.release()
}

// noteHeaders records that the headers t have been written.
func (l *wireLog) noteHeaders(t sentHeaders) {
	if t == l.headers {
		return
	}
	l.headers = t
	if seg := l.tail(); seg != nil {
		seg.headers = append(seg.headers, headersMark{seg.written.Load(), t})
	}
}

// next returns the stream's next packets for the log.
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

// startsSegment reports whether a new segment begins: at a keyframe after 1 MiB or
// 2 s, or when the message does not fit.
func (l *wireLog) startsSegment(seg *segment, need int, dts time.Duration, boundary bool) bool {
	used := seg.written.Load()
	if used+int64(need) > int64(len(seg.mem)) {
		return true
	}
	return boundary && used > 0 && (used >= segmentTurn || dts-seg.created >= segmentTime)
}

func (l *wireLog) addSegment(capacity int, dts time.Duration) (seg *segment, dropped []*segment) {
	seg = newSegment(capacity)
	seg.created = dts
	seg.headers = []headersMark{{0, l.headers}}
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

// shrink drops segments in which no new player can start. A segment that players
// still read stays, with those behind it, until the log exceeds its bounds; then it
// is dropped and returned, and its players are closed.
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

// renew prepares the log for another stream: no player begins in the one before.
func (l *wireLog) renew() {
	l.stopReading()
	l.noteHeaders(sentHeaders{})
	l.start, l.hasStart, l.ended, l.epoch = start{}, false, false, 0
	l.first = prefix{}
}

// close releases everything.
func (l *wireLog) close() {
	l.renew()
	for len(l.segs) > 0 {
		l.drop()
	}
	l.segs = nil
}
