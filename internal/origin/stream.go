package origin

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// A Stream is one public name and everything that hangs on it. It belongs to
// its application; a publisher attaches and detaches, and the outputs go on
// through that.
type Stream struct {
	app  *Application
	name string // public
	live *live.Stream
	fan  atomic.Pointer[fanout.Fan] // of its RTMP players; nil while there are none

	// Guarded by app.mu.
	publication *Publication   // nil while the stream waits for one
	waiting     []*Publication // for it to be their turn, in the order they came
	before      uint64         // bytes that its publisher's connection had received when it attached
	owner       owner          // of the last publisher
	fanned      uint64         // bytes sent to earlier players, of fans that are closed
	grace       *awake.Timer

	unloading bool // STREAM_UNLOAD is asked

	replays atomic.Bool // it shows its latest recording: nothing records that

	news    streamNews
	outputs *outputs
	ladders ladders
	hooks   atomic.Pointer[hookSession]   // of the last publisher, for on_playlist
	cameBy  atomic.Pointer[[]string]      // the marks that the last publisher brought
	pushTo  atomic.Pointer[value.RTMPURL] // what on_publish answered for the last publisher
	byHand  atomic.Pointer[[]config.Push] // pushes that were begun by hand; nil: none

	described atomic.Pointer[described] // of the newest metadata that was asked about

	// write guards what a publisher does to live, so that the one taken over
	// can never write behind its successor.
	write      sync.Mutex
	writer     *Publication
	epoch      uint32
	lastDTS    time.Duration
	step       time.Duration  // between the last two packets of the same kind: "one frame"
	doctor     *doctor.Doctor // of writer's media; nil before it begins
	contest    doctor.Contest
	extra      *media.Extra // of the newest video, which followLadder has seen
	extraKnown bool

	started     time.Time
	publishedAt atomic.Int64 // Unix ns of the present publisher's start; 0 while none
}

func newStream(a *Application, name string) *Stream {
	st := &Stream{
		app:     a,
		name:    name,
		live:    live.NewStream(a.name, name, live.Options{}),
		started: time.Now(),
	}
	st.news.told = make(chan struct{})
	if before := a.ending[name]; before != nil {
		st.news.prior = before.news.told
	}
	st.outputs = newOutputs(st, a.ending[name])
	return st
}

// publications are those of publishers: the one on air, then those that wait. app.mu
// is held.
func (st *Stream) publications() []*Publication {
	all := make([]*Publication, 0, 1+len(st.waiting))
	if p := st.publication; p != nil && !p.slate {
		all = append(all, p)
	}
	return append(all, st.waiting...)
}

// attachLocked makes p's publisher that of the stream; app.mu is held.
func (st *Stream) attachLocked(p *Publication) {
	if st.grace != nil {
		st.grace.Stop()
		st.grace = nil
	}
	st.publication = p
	st.hooks.Store(p.hooks)
	st.cameBy.Store(&p.via)
	if !p.slate && st.replays.Swap(false) {
		st.app.origin.goes.Go(func() { st.outputs.apply(st.app.Config(st.name)) })
	}
	if !p.slate { // the stream is still that of the publisher before
		st.news.inputs.Add(1)
		st.owner = p.owner
		st.pushTo.Store(&p.pushTo)
	}
	st.before = p.publisher.Describe().BytesIn
	st.publishedAt.Store(time.Now().UnixNano())
	st.write.Lock()
	if old := st.writer; old != nil && old.sinceMedia() < contestAlive {
		st.contest.TakenOver(time.Now())
	}
	st.writer, st.doctor = p, nil
	if p.standby.waits {
		st.goOnAir(p, time.Now())
	}
	st.write.Unlock()
}

// contestAlive is how recent the media of a publisher must be that is taken over
// for it to count: an encoder that comes back has sent nothing for longer.
const contestAlive = 3 * time.Second

func (st *Stream) detachLocked() {
	st.publication = nil
	st.publishedAt.Store(0)
	st.write.Lock()
	st.writer, st.doctor = nil, nil
	st.write.Unlock()
}

// begin opens by's run of packets: they go on one frame after the last of the
// run before, under an epoch of their own.
func (st *Stream) begin(by *Publication) (base time.Duration, epoch uint32) {
	st.write.Lock()
	defer st.write.Unlock()
	if by.standby.waits || by.standby.moved {
		return 0, 0 // place says when and in which epoch its packets are shown
	}
	if st.writer == by && !by.slate { // a slate's maker needs no advice
		st.newDoctor()
	}
	if st.epoch > 0 {
		base = st.nextDTS()
	}
	st.epoch++
	return base, st.epoch
}

// newDoctor begins the examination of another publisher. write is held.
func (st *Stream) newDoctor() {
	st.doctor = doctor.New(time.Now())
	st.doctor.Fragmented = st.fragmented
	st.doctor.Carries = func(t *media.Track) bool {
		if st.fragmented() {
			return mp4.Supports(t)
		}
		return mpegts.Supports(t)
	}
	st.doctor.Contend(&st.contest)
}

// fragmented reports whether the stream's HLS is fragmented MP4.
func (st *Stream) fragmented() bool {
	cfg := st.app.Config(st.name).HLS
	return cfg != nil && cfg.Format == "fmp4"
}

// nextDTS is one frame after the last packet. write is held.
func (st *Stream) nextDTS() time.Duration { return st.lastDTS + max(st.step, time.Millisecond) }

// put appends p, which arrived at now, if by is still the publisher, or keeps it for
// one that waits. ok is false for any other; ready says that by is to go on air now.
func (st *Stream) put(by *Publication, p *media.Packet, now time.Time) (ok, ready bool) {
	st.write.Lock()
	defer st.write.Unlock()
	switch {
	case st.writer == by:
		st.write1(by, p, now)
	case by.standby.waits:
		ready = by.standby.hold(p)
	default:
		return false, false
	}
	return true, ready
}

// write1 appends one packet of by, which is on air. write is held.
func (st *Stream) write1(by *Publication, p *media.Packet, now time.Time) {
	if !by.standby.place(p, st.nextDTS()) {
		return
	}
	if d := p.DTS - st.lastDTS; d > 0 {
		st.lastDTS = p.DTS
		if p.Track.Kind == media.Video && d < time.Second {
			st.step = d
		}
	}
	if st.doctor != nil {
		st.doctor.Packet(p, now)
	}
	st.followLadder(p)
	st.live.Write(p)
	if fan := st.fan.Load(); fan != nil {
		fan.Wake()
	}
}

// repaired tells the doctor what was wrong with the timestamps.
func (st *Stream) repaired(by *Publication, r flv.Repairs) {
	st.write.Lock()
	defer st.write.Unlock()
	if st.writer == by && st.doctor != nil {
		st.doctor.Repaired(r.Outliers, r.Offset)
	}
}

// describe keeps the publisher's metadata (the message after @setDataFrame).
func (st *Stream) describe(by *Publication, raw []byte) {
	st.write.Lock()
	defer st.write.Unlock()
	switch {
	case st.writer == by:
		st.live.SetMetadata(raw)
	case by.standby.waits:
		by.standby.metadata = raw
	}
}

// close ends the live stream: its outputs drain it and finish.
func (st *Stream) close() { st.live.Close() }

// Fan sends the stream to its players; nil while there are none.
func (st *Stream) Fan() *fanout.Fan { return st.fan.Load() }

// Live holds what was published.
func (st *Stream) Live() *live.Stream { return st.live }

// Waiting reports whether the stream has lost its publisher and waits for it.
func (st *Stream) Waiting() bool {
	st.app.mu.Lock()
	defer st.app.mu.Unlock()
	return st.publication == nil
}
