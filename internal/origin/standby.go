package origin

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
)

const (
	// maxStandby bounds the publishers that wait for one stream.
	maxStandby = 8
	// maxHeldBytes and maxHeldTime bound the GOP that is kept of each.
	maxHeldBytes = 8 << 20
	maxHeldTime  = 10 * time.Second
)

// A standby is what a publication that is not on air keeps, for the moment it is.
// Its fields are guarded by Stream.write.
type standby struct {
	waits    bool
	eager    bool            // it goes on air with its first keyframe
	held     []*media.Packet // from the newest keyframe on; nobody else has seen them
	bytes    int64
	metadata []byte
	sawVideo bool

	// Since it went on air: its packets' times go on where those before it ended.
	moved bool
	fresh bool // the first packet, which says by how much, is still to come
	shift time.Duration
	epoch uint32
}

// hold keeps p, a packet of a publisher that waits, and reports whether the
// publisher can go on air now and wants to.
func (b *standby) hold(p *media.Packet) (ready bool) {
	b.sawVideo = b.sawVideo || p.Track.Kind == media.Video
	switch {
	case p.Keyframe:
		clear(b.held)
		b.held, b.bytes = b.held[:0], 0
	case len(b.held) == 0:
		return b.eager && !b.sawVideo && p.Track.Kind == media.Audio
	case b.bytes+p.Held() > maxHeldBytes || p.DTS-b.held[0].DTS > maxHeldTime:
		b.drop() // until the next keyframe
		return false
	}
	b.held = append(b.held, p)
	b.bytes += p.Held()
	return b.eager
}

func (b *standby) drop() { b.held, b.bytes = nil, 0 }

// place moves p, which nobody has seen yet, to its time on air. false: it can't be
// shown, because no keyframe has come.
func (b *standby) place(p *media.Packet, base time.Duration) bool {
	if !b.moved {
		return true
	}
	b.sawVideo = b.sawVideo || p.Track.Kind == media.Video
	if b.fresh {
		if !p.Keyframe && (b.sawVideo || p.Track.Kind != media.Audio) {
			return false
		}
		b.fresh, b.shift = false, base-p.DTS
	}
	p.DTS += b.shift
	p.Epoch = b.epoch
	return true
}

// waitLocked has p wait for the stream. eager: until its first keyframe, otherwise
// until it is its turn. app.mu is held.
func (st *Stream) waitLocked(p *Publication, eager bool) {
	st.write.Lock()
	if st.writer == p {
		st.writer, st.doctor = nil, nil
	}
	p.standby = standby{waits: true, eager: eager}
	st.write.Unlock()
	st.waiting = append(st.waiting, p)
}

// nextLocked is the publication that goes on air next: the one whose key has the
// highest priority, of several the one that came first. nil: none waits. app.mu is
// held.
func (st *Stream) nextLocked() *Publication {
	if len(st.waiting) == 0 {
		return nil
	}
	return slices.MinFunc(st.waiting, func(a, b *Publication) int { return cmp.Compare(b.owner.priority, a.owner.priority) })
}

// onAirLocked puts p, which waits, on air. A publisher that was there waits from
// now on. app.mu is held.
func (st *Stream) onAirLocked(p *Publication) {
	st.waiting = slices.DeleteFunc(st.waiting, func(w *Publication) bool { return w == p })
	if old := st.publication; old != nil {
		if old.slate {
			old.publisher.Kick(Reason{RuleReplaced, "a publisher has come"})
		} else {
			st.waitLocked(old, false)
		}
	}
	pushed := st.answeredPush()
	st.attachLocked(p)
	p.log.Info("publisher is on air", zap.String("stream", st.name))
	if st.answeredPush() != pushed {
		st.app.origin.goes.Go(func() { st.outputs.apply(st.app.Config(st.name)) })
	}
}

// goOnAir writes what p kept while it waited. write is held, and p is the writer.
func (st *Stream) goOnAir(p *Publication, now time.Time) {
	held, metadata := p.standby.held, p.standby.metadata
	st.epoch++
	p.standby = standby{moved: true, fresh: true, epoch: st.epoch, sawVideo: p.standby.sawVideo}
	st.newDoctor()
	if metadata != nil {
		st.live.SetMetadata(metadata)
	}
	for _, pkt := range held {
		st.write1(p, pkt, now)
	}
}

// promote puts p on air if it still waits: its first keyframe has come.
func (a *Application) promote(p *Publication) {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := p.stream
	over := a.streams[st.name] != st // an operator has ended it
	if !over && slices.Contains(st.waiting, p) && (st.publication == nil || st.publication.slate) {
		st.onAirLocked(p)
	}
}

// stage puts a publisher that waits for a stream on air: the one with this client
// ID, or whose key has this label; empty: the next one. It says which it was.
func (a *Application) stage(name, who string) (Description, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	st := a.streams[name]
	if st == nil {
		return Description{}, fmt.Errorf("application %q has no stream %q", a.name, name)
	}
	p := st.nextLocked()
	if who != "" {
		i := slices.IndexFunc(st.waiting, func(w *Publication) bool {
			return w.owner.holder == who || fmt.Sprint(w.publisher.Describe().ID) == who
		})
		if p = nil; i >= 0 {
			p = st.waiting[i]
		}
	}
	if p == nil {
		return Description{}, fmt.Errorf("no such publisher waits for %q: stat lists those that do", name)
	}
	st.onAirLocked(p)
	return p.publisher.Describe(), nil
}

// waitsFor reports whether a publisher, of whom mayClaimLocked has said that it may
// have the stream, has to wait for it.
func (st *Stream) waitsFor(cfg *config.Application, who owner) (wait, eager bool) {
	switch {
	case st.publication != nil && st.publication.slate:
		return true, true
	case cfg.OnConflict != "standby" || st.owner.same(who):
		return false, false
	}
	return true, false
}

// sameWaitingLocked takes the publication of the same owner out of those that wait:
// its encoder has come again. nil: there is none. app.mu is held.
func (st *Stream) sameWaitingLocked(who owner) *Publication {
	i := slices.IndexFunc(st.waiting, func(w *Publication) bool { return w.owner.same(who) })
	if i < 0 {
		return nil
	}
	old := st.waiting[i]
	st.waiting = slices.Delete(st.waiting, i, i+1)
	return old
}
