package rtmpserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/rtmp"
	"github.com/rtmpd/rtmpd/internal/vod"
)

// A filePlayer sends a file to a player, as fast as it is played and what the player
// buffers before that. run is its goroutine; the session's gives it orders. It holds
// one message, and what the connection's buffer takes.
type filePlayer struct {
	pl     *player
	conn   *rtmp.Conn
	file   vod.File
	before uint64 // bytes that the connection had sent

	timestamp atomic.Uint32 // of what was sent last, ms

	mu     sync.Mutex
	orders orders
	wake   chan struct{} // has one when orders has some
	ctx    context.Context
	stop   context.CancelFunc // ends run
	ended  chan struct{}      // closed by run
	err    error              // why it ended by itself

	// run's own.
	anchor    anchor
	noAudio   bool
	noVideo   bool
	until     uint32 // ms; the file is played up to here; 0: to its end
	pending   *flv.FileTag
	atEnd     bool
	described bool
	headers   [2][]byte // the last that were sent: video, audio
	paused    time.Time // since when; zero: it plays
}

// Orders are what a player wants and run has not done yet.
type orders struct {
	seeks            int // how many; each is answered
	to               uint32
	pauses           []bool
	noAudio, noVideo bool
}

const (
	// maxAnswers bounds the answers that a player gets at once: nobody waits for more.
	maxAnswers = 16
	// moreAhead is how much more than the player's buffer is sent ahead of time, and
	// defaultBuffer what the player buffers that says nothing (nginx-rtmp).
	moreAhead     = time.Second
	defaultBuffer = time.Second
)

// An anchor says when a timestamp is due.
type anchor struct {
	set  bool
	at   time.Time
	from uint32
	last uint32 // the newest timestamp
}

// Timestamps that leap by more than that do not say how long something takes: the file
// was put together of several.
const (
	maxLeap     = 30 * 1000 // ms
	maxLeapBack = 5 * 1000
)

// due is when a timestamp is to be played.
func (a *anchor) due(timestamp uint32, now time.Time) time.Time {
	at := func(ts uint32) time.Time { return a.at.Add(time.Duration(int32(ts-a.from)) * time.Millisecond) }
	leap := int32(timestamp - a.last)
	switch {
	case !a.set:
		*a = anchor{true, now, timestamp, timestamp}
	case leap > maxLeap || leap < -maxLeapBack:
		a.at, a.from = at(a.last), timestamp
	}
	a.last = timestamp
	return at(timestamp)
}

func newFilePlayer(pl *player) *filePlayer {
	f := &filePlayer{
		pl: pl, conn: pl.conn.Load(), file: pl.playing.File(), before: pl.conn.Load().BytesOut(),
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	f.ctx, f.stop = context.WithCancel(context.Background())
	if pl.duration > 0 {
		f.until = positionOf(max(pl.start, 0)) + positionOf(pl.duration)
	}
	return f
}

// sent is how many bytes of the connection were sent since.
func (f *filePlayer) sent() uint64 { return f.conn.BytesOut() - f.before }

// failed is why the playing ended by itself.
func (f *filePlayer) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// order changes what is wanted.
func (f *filePlayer) order(change func(*orders)) {
	f.mu.Lock()
	change(&f.orders)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *filePlayer) seek(to uint32) {
	f.order(func(o *orders) { o.seeks, o.to = min(o.seeks+1, maxAnswers), to })
}

func (f *filePlayer) pause(on bool) {
	f.order(func(o *orders) {
		if len(o.pauses) == maxAnswers {
			o.pauses = o.pauses[1:]
		}
		o.pauses = append(o.pauses, on)
	})
}

func (f *filePlayer) receive(audio, video bool) {
	f.order(func(o *orders) { o.noAudio, o.noVideo = !audio, !video })
}

// run plays the file until stop.
func (f *filePlayer) run() {
	defer close(f.ended)
	err := f.play()
	if err == nil || f.ctx.Err() != nil || f.pl.kicked.Load() != nil {
		return
	}
	f.mu.Lock()
	f.err = err
	f.mu.Unlock()
	f.conn.Interrupt() // the session's goroutine ends it
}

func (f *filePlayer) play() error {
	begin := f.begin
	if f.pl.start > 0 {
		begin = func() error { return f.goTo(positionOf(f.pl.start)) }
	}
	if err := begin(); err != nil {
		return err
	}
	for f.ctx.Err() == nil && f.pl.kicked.Load() == nil {
		if err := f.obey(); err != nil {
			return err
		}
		wait := time.Duration(-1)
		if f.paused.IsZero() && !f.atEnd {
			var err error
			if wait, err = f.sendDue(); err != nil {
				return err
			}
		}
		if err := f.conn.Flush(); err != nil {
			return err
		}
		f.wait(wait)
	}
	return nil
}

// wait returns after d, or when there are orders; negative: only then.
func (f *filePlayer) wait(d time.Duration) {
	if d == 0 {
		return
	}
	var timer <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-f.ctx.Done():
	case <-f.wake:
	case <-timer:
	}
}

// obey carries out the orders, and answers them.
func (f *filePlayer) obey() error {
	f.mu.Lock()
	o := f.orders
	f.orders.seeks, f.orders.pauses = 0, nil
	f.mu.Unlock()
	f.noAudio, f.noVideo = o.noAudio, o.noVideo
	for _, on := range o.pauses {
		if err := f.setPaused(on); err != nil {
			return err
		}
	}
	if o.seeks == 0 {
		return nil
	}
	if err := f.conn.WriteUserControl(rtmp.StreamEOF, f.pl.streamID); err != nil {
		return err
	}
	for range o.seeks {
		if err := f.conn.WriteStatus(f.pl.streamID, "status", rtmp.StatusSeekNotify, "Seeking"); err != nil {
			return err
		}
	}
	if err := f.conn.WriteUserControl(rtmp.StreamBegin, f.pl.streamID); err != nil {
		return err
	}
	return f.goTo(o.to)
}

func (f *filePlayer) setPaused(on bool) error {
	code, text := rtmp.StatusUnpauseNotify, "Unpaused video on demand"
	if on {
		code, text = rtmp.StatusPauseNotify, "Paused video on demand"
	}
	switch {
	case on && f.paused.IsZero():
		f.paused = time.Now()
	case !on && !f.paused.IsZero():
		f.anchor.at = f.anchor.at.Add(time.Since(f.paused))
		f.paused = time.Time{}
	}
	return f.conn.WriteStatus(f.pl.streamID, "status", code, text)
}

// goTo goes on at the keyframe at or before a position in ms.
func (f *filePlayer) goTo(ms uint32) error {
	if err := f.file.Seek(f.ctx, ms); err != nil {
		return f.unreadable(err)
	}
	f.pending, f.atEnd, f.anchor = nil, false, anchor{}
	clear(f.headers[:])
	if !f.paused.IsZero() {
		f.paused = time.Now()
	}
	return f.begin()
}

// begin sends what a decoder needs for the next message.
func (f *filePlayer) begin() error {
	tag, err := f.file.Next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return f.unreadable(err)
	}
	f.pending = &tag
	if err := f.describe(tag.Timestamp); err != nil {
		return err
	}
	for _, h := range f.file.Headers() {
		h.Timestamp = tag.Timestamp
		if err := f.write(h); err != nil {
			return err
		}
	}
	return nil
}

// known reports whether a message is the header that the player had last.
func (f *filePlayer) known(tag flv.FileTag) bool {
	if !vod.IsHeader(tag) {
		return false
	}
	last := &f.headers[0]
	if tag.Type == flv.TagAudio {
		last = &f.headers[1]
	}
	if bytes.Equal(*last, tag.Body) {
		return true
	}
	*last = bytes.Clone(tag.Body)
	return false
}

// describe sends onMetaData, once.
func (f *filePlayer) describe(timestamp uint32) error {
	body := f.file.Metadata()
	if f.described || body == nil {
		return nil
	}
	f.described = true
	return f.conn.WriteMessage(rtmp.Message{
		Type: rtmp.TypeDataAMF0, ChunkStreamID: csidData, StreamID: f.pl.streamID, Timestamp: timestamp, Payload: body,
	})
}

// sendDue buffers what is due, up to a buffer full. wait is how long there is nothing
// to do then; negative: until there are orders.
func (f *filePlayer) sendDue() (wait time.Duration, err error) {
	ahead := moreAhead + defaultBuffer
	if d := f.conn.BufferLength(); d > 0 {
		ahead = moreAhead + d
	}
	for size := 0; size < sendSize; {
		if f.pending == nil {
			tag, err := f.file.Next()
			if errors.Is(err, io.EOF) {
				return -1, f.finish()
			}
			if err != nil {
				return 0, f.unreadable(err)
			}
			f.pending = &tag
		}
		tag := f.pending
		if tag.Type == flv.TagScript {
			f.pending = nil
			if err := f.describe(tag.Timestamp); err != nil {
				return 0, err
			}
			continue
		}
		if f.until > 0 && tag.Timestamp >= f.until {
			return -1, f.finish()
		}
		now := time.Now()
		if early := f.anchor.due(tag.Timestamp, now).Sub(now) - ahead; early > 0 {
			return max(early, flushEvery), nil
		}
		if err := f.write(*tag); err != nil {
			return 0, err
		}
		f.timestamp.Store(tag.Timestamp)
		size += len(tag.Body)
		f.pending = nil
	}
	return 0, nil
}

// sendSize is how much is sent at once, in bytes.
const sendSize = 64 << 10

// Chunk stream ids, nginx-rtmp's.
const (
	csidData  = 5
	csidAudio = 6
	csidVideo = 7
)

// write buffers one message of media, unless the player does not want it.
func (f *filePlayer) write(tag flv.FileTag) error {
	if f.known(tag) {
		return nil
	}
	m := rtmp.Message{StreamID: f.pl.streamID, Timestamp: tag.Timestamp, Payload: tag.Body}
	switch {
	case tag.Type == flv.TagVideo && !f.noVideo:
		m.Type, m.ChunkStreamID = rtmp.TypeVideo, csidVideo
	case tag.Type == flv.TagAudio && !f.noAudio:
		m.Type, m.ChunkStreamID = rtmp.TypeAudio, csidAudio
	default:
		return nil
	}
	return f.conn.WriteMessage(m)
}

// finish says that the end has come: the player may seek back from there.
func (f *filePlayer) finish() error {
	f.atEnd = true
	if err := f.conn.WriteUserControl(rtmp.StreamEOF, f.pl.streamID); err != nil {
		return err
	}
	status := amf.Object{
		{Name: "code", Value: rtmp.StatusPlayComplete},
		{Name: "level", Value: "status"},
		{Name: "duration", Value: float64(f.file.Duration()) / 1000},
		{Name: "bytes", Value: 0.0},
	}
	if err := f.conn.WriteData(f.pl.streamID, "onPlayStatus", status); err != nil {
		return err
	}
	return f.conn.WriteStatus(f.pl.streamID, "status", rtmp.StatusPlayStop, "Stopped")
}

// unreadable is what the player hears of a file that can't be read on.
func (f *filePlayer) unreadable(err error) error {
	if f.ctx.Err() != nil {
		return nil
	}
	return &refusal{rtmp.StatusPlayFailed, "the file can't be read: " + err.Error()}
}
