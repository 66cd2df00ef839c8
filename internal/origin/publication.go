package origin

import (
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A Publication is a publisher's hold on a stream, from Publish to Leave. Begin,
// Write, SetMetadata and Leave belong to one goroutine, the publisher's.
type Publication struct {
	app       *Application
	stream    *Stream
	publisher Publisher
	log       *zap.Logger
	seen      presented
	owner     owner
	keyName   string        // what the key made of what was typed, before any hook
	via       []string      // of the request
	pushTo    value.RTMPURL // what on_publish answered; empty: no other server

	hooks     *hookSession
	line      *publishLine
	idle      *awake.Timer
	lastMedia atomic.Int64 // since the origin's start, ns
	timestamp atomic.Uint32
	evicted   atomic.Bool // by new rules or an operator: its name is not kept for it
	left      bool
	pulled    bool    // from another server, because the configuration says so
	slate     bool    // it shows what a stream shows while its publisher is gone
	standby   standby // guarded by Stream.write
}

// Stream is what is published.
func (p *Publication) Stream() *Stream { return p.stream }

// Name is the stream's public name.
func (p *Publication) Name() string { return p.stream.name }

// Begin opens the publisher's run of packets: their DTS go on from base, one frame
// after the last packet of the run before, under an epoch of their own.
func (p *Publication) Begin() (base time.Duration, epoch uint32) { return p.stream.begin(p) }

// Write appends a packet, which arrived at now, if the publisher still has the
// stream, and says whether it had.
func (p *Publication) Write(pkt *media.Packet, now time.Time) bool {
	ok, ready := p.stream.put(p, pkt, now)
	if ready {
		p.app.promote(p)
	}
	return ok
}

// Arrived notes that a message with this timestamp, in ms, has arrived. Its
// publisher is not idle.
func (p *Publication) Arrived(timestamp uint32, now time.Time) {
	p.sawMedia(now)
	p.timestamp.Store(timestamp)
}

// SetMetadata keeps what the publisher describes the stream with: the message
// after @setDataFrame.
func (p *Publication) SetMetadata(raw []byte) { p.stream.describe(p, raw) }

// Metadata is what the stream is described with; nil: nothing yet.
func (p *Publication) Metadata() *live.Metadata { return p.stream.live.Metadata() }

// NameEncoder tells the log who publishes, from the metadata.
func (p *Publication) NameEncoder(name string) { p.line.say(name) }

// Repaired tells the doctor what was wrong with the timestamps.
func (p *Publication) Repaired(r flv.Repairs) { p.stream.repaired(p, r) }

// Complain has the doctor take in what is wrong with the bit stream, and logs
// what is new. err is of the message that brought it up, if it was left out.
func (p *Publication) Complain(defects media.Defects, now time.Time, err error) {
	p.stream.complain(p, defects, now, err)
}

// Leave ends the hold. clean says that the publisher unpublished; either way
// the stream goes on for the grace that applies.
func (p *Publication) Leave(clean bool) {
	if p.left {
		return
	}
	p.left = true
	if p.idle != nil {
		p.idle.Stop()
	}
	p.app.detach(p, clean)
	p.hooks.end()      // at once: a grace is no business of the hooks
	if p.line != nil { // else it was refused by new rules before
		p.line.end()
	}
	p.log.Info("publish stopped", zap.String("stream", p.stream.name), zap.Bool("clean", clean),
		zap.Int64("dur_ms", time.Since(p.publisher.Describe().Since).Milliseconds()))
}

// evict ends the publisher, and the name is not kept for it.
func (p *Publication) evict(r Reason) {
	p.evicted.Store(true)
	p.publisher.Kick(r)
}

// watchIdle arms drop_idle_publisher: from now on, and again at each message.
func (p *Publication) watchIdle(limit time.Duration) {
	p.sawMedia(time.Now())
	if limit <= 0 {
		return
	}
	og := p.app.origin
	last := func() time.Time { return og.started.Add(time.Duration(p.lastMedia.Load())) }
	p.idle = og.Awake.Watch(limit, last, func() {
		p.publisher.Kick(Reason{RuleDenied, fmt.Sprintf("no media for %s (drop_idle_publisher)", limit)})
	})
}

func (p *Publication) sinceMedia() time.Duration {
	return time.Since(p.app.origin.started) - time.Duration(p.lastMedia.Load())
}

func (p *Publication) sawMedia(now time.Time) {
	p.lastMedia.Store(int64(now.Sub(p.app.origin.started)))
}
