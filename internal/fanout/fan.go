// Package fanout sends a stream to its RTMP players, thousands of them.
//
// Each stream's messages are encoded once, as every player receives them, into
// the stream's wire log. A player is an offset into it. One flusher per core
// walks its players and issues non-blocking sends on their sockets; its beat
// follows the load: at once while a pass is short, up to the flush interval as
// passes get longer. A socket that is full waits in the flusher's own epoll.
//
// A fan outlives the streams that come and go under its name: its players wait,
// and resume.
package fanout

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A kind is what of a stream a player gets. Each kind with players has a log.
type kind uint8

// The kinds of log.
const (
	everything kind = iota // as it is
	trackZero              // without multitrack
	audioOnly
	videoOnly
	kinds
)

// A Fan is the players of one stream name.
type Fan struct {
	hub       *Hub
	chunkSize int

	mu      sync.Mutex
	meta    string // copy, on or off; see SetMeta
	stream  *live.Stream
	logs    [kinds]*wireLog
	players map[*Player]struct{}
	buf     [64]*media.Packet

	// Time at the players is the first publisher's; whoever comes later goes
	// on one frame after the last message.
	shift    int64 // ms added to DTS
	shifted  bool
	lastTime uint32 // of the newest message written
	step     uint32 // ms between the last two
	wrote    bool

	rebuilt   []byte         // for meta = on
	rebuiltOf *live.Metadata // what rebuilt was made of

	active  atomic.Bool // a stream and players: writes are worth a wake
	lastDTS atomic.Int64

	// Counters for stat.
	BytesOut atomic.Uint64
	Lapped   atomic.Uint64 // players moved to the newest keyframe
	Closed   atomic.Uint64 // players closed as too slow
}

// NewFan makes the fan of a name without players. meta is as in SetMeta.
func (h *Hub) NewFan(chunkSize int, meta string) *Fan {
	return &Fan{hub: h, chunkSize: chunkSize, meta: meta, players: make(map[*Player]struct{})}
}

// SetMeta says what players are told of a stream's onMetaData: "copy" as it
// came, "on" rebuilt with the fields that nginx-rtmp knows, "off" nothing. It
// counts from the next stream on.
func (f *Fan) SetMeta(meta string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.meta, f.rebuiltOf = meta, nil
}

// metadata is the stream's, and the body that tells players of it; nil: there
// is nothing to tell.
func (f *Fan) metadata() (*live.Metadata, []byte) {
	m := f.stream.Metadata()
	switch {
	case m == nil || f.meta == "off":
		return nil, nil
	case f.meta != "on":
		return m, m.Raw
	case f.rebuiltOf != m:
		f.rebuilt, f.rebuiltOf = flv.RebuildMetadata(m.Raw), m
	}
	return m, f.rebuilt
}

// Attach makes st what the players get from now on; nil when it has ended.
func (f *Fan) Attach(st *live.Stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pullLocked()
	f.stopReading()
	f.stream = st
	f.shifted = false
	f.rouse()
}

// rouse reads the stream, if there is one, into every log that has players.
func (f *Fan) rouse() {
	if f.stream == nil || len(f.players) == 0 {
		f.active.Store(false)
		return
	}
	for _, l := range f.logs {
		if l != nil && l.cursor == nil {
			l.cursor = f.stream.Cursor(live.FromKeyframe, true)
		}
	}
	f.active.Store(true)
	f.pullLocked()
}

func (f *Fan) stopReading() {
	for _, l := range f.logs {
		if l != nil {
			l.stopReading()
		}
	}
}

// Wake tells the flushers that the stream has grown. It is called for every
// packet, and costs next to nothing without players.
func (f *Fan) Wake() {
	if f.active.Load() {
		f.hub.wake(f)
	}
}

// Players is how many there are, waiting ones included.
func (f *Fan) Players() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.players)
}

// Memory is what the logs hold, memfd bytes included.
func (f *Fan) Memory() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	var n int64
	for _, l := range f.logs {
		if l != nil {
			n += l.bytes
		}
	}
	return n
}

// pull moves what the stream has new into the logs. Every flusher with players
// of the fan calls it; the first finds the packets.
func (f *Fan) pull() {
	f.mu.Lock()
	f.pullLocked()
	f.mu.Unlock()
}

func (f *Fan) pullLocked() {
	for _, l := range f.logs {
		for l != nil && l.cursor != nil {
			n, _, err := l.cursor.TryNext(f.buf[:])
			for i, p := range f.buf[:n] {
				f.write(l, p)
				f.buf[i] = nil
			}
			if errors.Is(err, io.EOF) {
				l.stopReading()
			}
			if n == 0 {
				break
			}
		}
	}
}

// write encodes p into l.
func (f *Fan) write(l *wireLog, p *media.Packet) {
	ts := f.time(p)
	f.lastDTS.Store(int64(p.DTS))
	if !l.kind.takes(p) {
		return
	}
	for _, m := range f.headers(l, p, ts) {
		f.append(l, m, p.DTS, false)
	}
	begins := p.Keyframe || l.video == nil && p.Track.Kind == media.Audio
	f.append(l, message(p, ts), p.DTS, begins)
}

func (f *Fan) append(l *wireLog, m rtmp.Message, dts time.Duration, begins bool) {
	for _, old := range l.append(m, dts, begins, l.video == nil) {
		for p := range f.players {
			p.expel(old)
		}
	}
}

// time is p's timestamp at the players, ms modulo 2^32.
func (f *Fan) time(p *media.Packet) uint32 {
	ms := p.DTS.Milliseconds()
	if !f.shifted {
		f.shifted = true
		if f.wrote {
			f.shift = int64(f.lastTime+max(f.step, 1)) - ms
		} else {
			f.shift = int64(p.Timestamp) - ms
		}
	}
	ts := uint32(ms + f.shift)
	if d := ts - f.lastTime; f.wrote && d > 0 && d < 1000 && p.Track.Kind == media.Video {
		f.step = d
	}
	if !f.wrote || int32(ts-f.lastTime) > 0 {
		f.lastTime = ts
	}
	f.wrote = true
	return ts
}

// headers are the messages that must come before p where its track, or the
// metadata, is not what the log wrote last.
func (f *Fan) headers(l *wireLog, p *media.Packet, ts uint32) []rtmp.Message {
	var out []rtmp.Message
	if meta, body := f.metadata(); meta != nil && meta != l.metadata {
		l.metadata = meta
		out = append(out, dataMessage(body, ts))
	}
	last := &l.audio
	switch p.Track.Kind {
	case media.Video:
		last = &l.video
	case media.Data:
		return out
	}
	if *last != p.Track {
		*last = p.Track
		if p.Track.Tag != nil {
			out = append(out, trackMessage(p.Track, ts))
		}
	}
	return out
}

// prefix is what a player needs before it can begin at s.
func (f *Fan) prefix(l *wireLog, s *start) []byte {
	var b []byte
	if meta, body := f.metadata(); meta != nil {
		b = rtmp.AppendMessage(b, dataMessage(body, s.timestamp), l.chunkSize)
	}
	for _, t := range []*media.Track{s.video, s.audio} {
		if t != nil && t.Tag != nil {
			b = rtmp.AppendMessage(b, trackMessage(t, s.timestamp), l.chunkSize)
		}
	}
	return b
}

func dataMessage(raw []byte, ts uint32) rtmp.Message {
	return rtmp.Message{Type: rtmp.TypeDataAMF0, ChunkStreamID: csidData, StreamID: streamID, Timestamp: ts, Payload: raw}
}

func trackMessage(t *media.Track, ts uint32) rtmp.Message {
	m := rtmp.Message{Type: rtmp.TypeAudio, ChunkStreamID: csidAudio, StreamID: streamID, Timestamp: ts, Payload: t.Tag}
	if t.Kind == media.Video {
		m.Type, m.ChunkStreamID = rtmp.TypeVideo, csidVideo
	}
	return m
}

func message(p *media.Packet, ts uint32) rtmp.Message {
	m := rtmp.Message{Type: rtmp.TypeAudio, ChunkStreamID: csidAudio, StreamID: streamID, Timestamp: ts, Payload: p.Tag}
	switch p.Track.Kind {
	case media.Video:
		m.Type, m.ChunkStreamID = rtmp.TypeVideo, csidVideo
	case media.Data:
		m.Type, m.ChunkStreamID = rtmp.TypeDataAMF0, csidData
	}
	return m
}

func (k kind) takes(p *media.Packet) bool {
	switch k {
	case audioOnly:
		return p.Track.Kind != media.Video
	case videoOnly:
		return p.Track.Kind != media.Audio
	}
	return true
}
