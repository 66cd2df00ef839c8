// Package fanout sends a stream to its RTMP players, thousands of them.
//
// Each stream's messages are encoded once, as every player receives them, into
// the stream's wire log. A player is an offset into it. One flusher per core
// sends to its players with non-blocking system calls. How often it passes over
// them follows the load: at once while a pass is short, up to the flush interval
// as passes get longer. At the whole interval all flushers pass together, so that
// the code that fills the streams knows by when it has to be done: see
// Hub.InStep. A full socket waits in the flusher's own epoll.
//
// A fan outlives the streams of its name: its players wait and resume.
package fanout

import (
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// kind says which part of a stream a player gets. Each kind with players has a log.
type kind uint8

// The kinds of log.
const (
	everything kind = iota // as it is
	trackZero              // without multitrack
	audioOnly              // of track 0, as is videoOnly
	videoOnly
	kinds
	nothing = kinds
)

// A Fan holds the players of one stream name and sends the stream to them.
type Fan struct {
	hub       *Hub
	chunkSize int

	mu     sync.Mutex
	meta   string // copy, on or off; see SetMeta
	stream *live.Stream
	logs   [kinds]*wireLog
	// logBytes is the memory of all logs.
	logBytes int64
	players  map[*Player]struct{}
	buf      [64]*media.Packet
	scratch  []byte // for bodies that are rewritten

	clock     clock
	state     trackState
	multi     bool           // of this stream: trackZero has a log of its own
	rebuilt   []byte         // for meta = on
	rebuiltOf *live.Metadata // what rebuilt was made of

	active atomic.Bool  // there are a stream and players: writes wake the flushers
	now    atomic.Int64 // time of the newest packet written, on the players' clock, ns
	// stateVersion counts the changes of state. It goes up before a log has a
	// byte of what is new.
	stateVersion atomic.Uint64

	BytesOut atomic.Uint64 // to all players there have been
}

// NewFan makes the fan of a name without players. meta is as in SetMeta.
func (h *Hub) NewFan(chunkSize int, meta string) *Fan {
	f := &Fan{hub: h, chunkSize: chunkSize, meta: meta, players: make(map[*Player]struct{})}
	f.stateVersion.Store(1) // a new player has version 0
	return f
}

// SetMeta sets which onMetaData players get: "copy" the stream's own, "on" one
// rebuilt with the fields that nginx-rtmp knows, "off" none. It applies from the
// next stream on.
func (f *Fan) SetMeta(meta string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.meta, f.rebuiltOf = meta, nil
}

// metadata returns the stream's metadata and the body that players get; nil if
// they get none.
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

// Attach sends st to the players from now on. nil: the stream has ended.
func (f *Fan) Attach(st *live.Stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pullLocked()
	f.mergeTrackZero()
	for _, l := range f.logs {
		if l != nil {
			l.renew()
		}
	}
	f.stream = st
	f.clock.shifted = false
	if st != nil {
		f.state.reset(st)
		f.stateVersion.Add(1)
	}
	f.startReading()
}

// startReading reads the stream, if there is one, into every log that has players.
func (f *Fan) startReading() {
	if f.stream == nil || len(f.players) == 0 {
		f.active.Store(false)
		return
	}
	if !f.active.Load() {
		f.catchUp()
	}
	for _, l := range f.logs {
		if l != nil && l.cursor == nil && !l.ended {
			l.cursor = f.stream.Cursor(live.FromKeyframe, true)
		}
	}
	f.active.Store(true)
	f.pullLocked()
}

// Wake tells the flushers that the stream has grown. It is called for every
// packet, and costs next to nothing without players.
func (f *Fan) Wake() {
	if f.active.Load() {
		f.hub.wake(f)
	}
}

// Players returns the number of players, waiting ones included.
func (f *Fan) Players() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.players)
}

// Timestamp returns the newest packet's timestamp as players get it, in ms.
func (f *Fan) Timestamp() uint32 {
	return uint32(time.Duration(f.now.Load()).Milliseconds())
}

// Memory returns how many bytes the logs hold, memfds included.
func (f *Fan) Memory() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logBytes
}

// pull moves new packets of the stream into the logs. Every flusher with players
// of the fan calls it; the first one finds the packets.
func (f *Fan) pull() {
	f.mu.Lock()
	f.pullLocked()
	f.mu.Unlock()
}

func (f *Fan) pullLocked() {
	for k := range f.logs {
		l := f.logs[k] // learn may create one of a later kind
		for l != nil && l.cursor != nil {
			n, err := l.next(f.buf[:])
			f.take(l, f.buf[:n])
			clear(f.buf[:n])
			if errors.Is(err, io.EOF) {
				l.stopReading()
				l.ended = true
			}
			if n == 0 {
				break
			}
		}
	}
}

// take writes packets to l, one publisher after the other.
func (f *Fan) take(l *wireLog, packets []*media.Packet) {
	for len(packets) > 0 {
		first := packets[0]
		if l.epoch != 0 && first.Epoch != l.epoch && f.multi && !f.rejoinTrackZero(l, first.Epoch) {
			return
		}
		l.epoch = first.Epoch
		n := epochEnd(packets, first.Epoch)
		f.learn(l, packets[:n], packets[n:])
		for _, p := range packets[:n] {
			f.write(l, p)
		}
		packets = packets[n:]
	}
}

// epochEnd returns how many packets precede the first of another epoch.
func epochEnd(packets []*media.Packet, epoch uint32) int {
	if i := slices.IndexFunc(packets, func(p *media.Packet) bool { return p.Epoch != epoch }); i >= 0 {
		return i
	}
	return len(packets)
}

// write encodes p into l.
func (f *Fan) write(l *wireLog, p *media.Packet) {
	at := f.clock.time(p)
	f.now.Store(int64(at))
	if !l.kind.takes(p.Track) {
		return
	}
	body := p.Tag
	if l.kind != everything && p.Extra != nil && p.Extra.Multitrack {
		var ok bool
		if body, ok = flv.TrackZero(f.scratch, p.Track.Kind, p.Tag); !ok {
			return
		}
		if cap(body) > cap(f.scratch) && cap(body) <= maxScratch && len(body) != len(p.Tag) {
			f.scratch = body[:0]
		}
	}
	messages, sent := f.headers(l, p, at)
	for _, m := range messages {
		f.append(l, m, at, false)
	}
	l.noteHeaders(sent)
	begins := p.Track.ID == 0 && (p.Keyframe || l.headers.media[media.Video].track == nil && p.Track.Kind == media.Audio)
	f.append(l, message(p.Track.Kind, body, at), at, begins)
}

// maxScratch is the largest buffer that is kept for the next body.
const maxScratch = 1 << 20

func (f *Fan) append(l *wireLog, m rtmp.Message, at time.Duration, begins bool) {
	f.expel(l.append(m, at, begins))
}

// expel closes the players in segments that a log gave up.
func (f *Fan) expel(dropped []*segment) {
	for _, old := range dropped {
		for p := range f.players {
			p.expel(old)
		}
	}
}
