package origin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/vod"
)

const (
	// slateIdle is how long a slate is shown to nobody, where the stream's name is
	// not one of the configuration: anybody can make such names.
	slateIdle  = 5 * time.Minute
	slateLook  = time.Second
	maxSlateMS = 1 << 31 // of one round: timestamps of a file have 32 bits
)

// A slate shows what a stream shows while its publisher is gone: a file, over and
// over, or another stream of the application. It is a Publisher of its stream, and
// gives way to any other at that one's first keyframe.
type slate struct {
	source      string // fallback
	publication *Publication
	stop        context.CancelFunc
	since       time.Time
}

// Kick implements Publisher.
func (s *slate) Kick(Reason) { s.stop() }

// Redirect implements Publisher: an operator does not see slates.
func (s *slate) Redirect(string, string) {}

// Hide implements Publisher.
func (s *slate) Hide(string, bool) {}

// Describe implements Publisher.
func (s *slate) Describe() Description {
	return Description{Encoder: "fallback " + s.source, Since: s.since}
}

// startSlateLocked has st show its fallback. a.mu is held.
func (a *Application) startSlateLocked(st *Stream, source string) {
	ctx, stop := context.WithCancel(a.origin.ctx)
	s := &slate{source: source, stop: stop, since: time.Now()}
	st.replays.Store(source == config.LatestRecording)
	s.publication = &Publication{app: a, stream: st, publisher: s, slate: true, log: st.log()}
	st.attachLocked(s.publication)
	s.publication.log.Info("fallback is shown", zap.String("fallback", source))
	running := a.origin.goes.Go(func() {
		defer stop()
		err := s.run(ctx)
		if ctx.Err() == nil {
			a.endSlate(st, s, err)
		}
	})
	if !running {
		stop()
	}
}

// endSlate ends a stream whose slate can't be shown, or is seen by nobody.
func (a *Application) endSlate(st *Stream, s *slate, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if st.publication != s.publication {
		return
	}
	reason := "nobody watches its fallback"
	switch {
	case errors.Is(why, errNoRecording):
		reason = "there is no recording of it to show"
	case !errors.Is(why, errUnwatched):
		reason = "its fallback can't be shown"
		st.log().Error("fallback can't be shown", zap.String("fallback", s.source), zap.Error(why))
	}
	st.detachLocked()
	if !a.goOnLocked(st) { // else its publisher is back, and its keyframe is still to come
		a.endLocked(st, reason)
	}
}

// reloadSlates ends or replaces the slates that the application's rules do not name
// any more.
func (a *Application) reloadSlates() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, st := range a.streams {
		p := st.publication
		if p == nil || !p.slate {
			continue
		}
		s := p.publisher.(*slate)
		want := fallbackOf(a.rules.Load().cfg.For(st.name), a.name, st.name)
		if want == s.source {
			continue
		}
		s.stop()
		st.detachLocked()
		switch {
		case want != "":
			a.startSlateLocked(st, want)
		case !a.goOnLocked(st):
			a.endLocked(st, "it has no fallback any more")
		}
	}
}

// startNamedSlates has the streams that the configuration names in a block of their
// own, with a fallback, show it before their first publisher.
func (a *Application) startNamedSlates() {
	for _, block := range a.rules.Load().cfg.Streams {
		name, cfg := block.Pattern, block.Application
		if strings.ContainsAny(name, "*?") || !cfg.Live || !showsFallback(cfg, a.name, name) {
			continue
		}
		a.mu.Lock()
		st := a.streams[name]
		fresh := st == nil && !a.gone
		if fresh {
			st = newStream(a, name)
			a.streams[name] = st
			a.attachPlayersLocked(st)
			a.startSlateLocked(st, fallbackOf(cfg, a.name, name))
		}
		a.mu.Unlock()
		if fresh {
			st.outputs.apply(cfg)
		}
	}
}

// showsFallback reports whether a stream that would end now shows its fallback.
func showsFallback(cfg *config.Application, app, name string) bool {
	fallback := fallbackOf(cfg, app, name)
	return fallback != "" && fallback != name
}

// fallbackOf is what a stream shows while its publisher is gone. A stream's name has no
// slash, so what the placeholders stand for stays in the directory that the
// configuration names.
func fallbackOf(cfg *config.Application, app, name string) string {
	if !strings.Contains(cfg.Fallback, "$") {
		return cfg.Fallback
	}
	v := hooks.Values{Session: hooks.Session{App: app}, Name: name}
	return value.Template(cfg.Fallback).Expand(func(p string) string { return v.Value(p, time.Time{}) })
}

// errUnwatched ends a slate that nobody watches.
var errUnwatched = errors.New("nobody watches")

// run shows the source until ctx ends, nobody watches, or it can't be read.
func (s *slate) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	st := s.publication.stream
	if !st.app.named(st.name) {
		go s.watch(ctx, cancel)
	}
	var err error
	switch {
	case s.source == config.LatestRecording:
		err = s.playRecording(ctx)
	case isFile(s.source):
		err = s.playFile(ctx, s.source)
	default:
		err = s.playStream(ctx)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// isFile tells a file from the name of a stream, which has no slash.
func isFile(source string) bool { return strings.Contains(source, "/") }

// named reports whether the configuration names the stream, by a key or by a stream
// block without a pattern.
func (a *Application) named(name string) bool {
	rules := a.rules.Load()
	if rules.keys.inForce && rules.keys.names(name) {
		return true
	}
	for i := range rules.cfg.Streams {
		if rules.cfg.Streams[i].Pattern == name {
			return true
		}
	}
	return false
}

// watch cancels with errUnwatched once nobody has watched for slateIdle.
func (s *slate) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(slateLook)
	defer tick.Stop()
	seen := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if s.publication.stream.watched(now) {
				seen = now
			} else if now.Sub(seen) >= slateIdle {
				cancel(errUnwatched)
				return
			}
		}
	}
}

// watched reports whether the stream has players or HTTP viewers.
func (st *Stream) watched(now time.Time) bool {
	if st.Fan() != nil {
		return true
	}
	st.app.mu.Lock()
	set := st.app.viewers[st.name]
	st.app.mu.Unlock()
	return set != nil && set.counter.Len(now) > 0
}

// playFile shows a file over and over, at the speed of its timestamps.
func (s *slate) playFile(ctx context.Context, path string) error {
	f, err := vod.OpenFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if meta, ok, err := flv.ParseMetadata(f.Metadata()); ok && err == nil {
		s.publication.SetMetadata(meta.Raw)
	}
	base, epoch := s.publication.Begin()
	demuxer := flv.NewDemuxer(base, epoch)
	begin := time.Now()
	for round := uint32(0); ; {
		length, err := s.playRound(ctx, f, demuxer, begin, round)
		if err != nil {
			return err
		}
		if round+length > maxSlateMS { // timestamps begin anew, as with another encoder
			base, epoch = s.publication.Begin()
			demuxer.Restart(base, epoch)
			round, begin = 0, time.Now()
			continue
		}
		round += length
	}
}

// playRound shows the file once. Its timestamps count from offset, in ms; length is
// how long it is.
func (s *slate) playRound(ctx context.Context, f vod.File, demuxer *flv.Demuxer, begin time.Time, offset uint32) (length uint32, err error) {
	if err := f.Seek(ctx, 0); err != nil {
		return 0, err
	}
	take := func(at uint32, tag flv.FileTag) (*media.Packet, error) {
		if tag.Type == flv.TagVideo {
			return demuxer.Video(at, tag.Body)
		}
		return demuxer.Audio(at, tag.Body)
	}
	for _, h := range f.Headers() {
		_, _ = take(offset, h)
	}
	var first, last, step uint32
	packets := 0
	for {
		tag, err := f.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if tag.Type == flv.TagScript {
			continue
		}
		if packets == 0 {
			first, last = tag.Timestamp, tag.Timestamp
		}
		if d := tag.Timestamp - last; tag.Type == flv.TagVideo && d > 0 && d < 1000 {
			step = d
		}
		last = max(last, tag.Timestamp)
		at := offset + (tag.Timestamp - first)
		if !sleepUntil(ctx, begin.Add(time.Duration(at)*time.Millisecond)) {
			return 0, ctx.Err()
		}
		now := time.Now()
		demuxer.Arrived(now)
		tag.Body = bytes.Clone(tag.Body)
		p, _ := take(at, tag) // what can't be read is left out
		if p != nil {
			packets++
			if !s.publication.Write(p, now) {
				return 0, ctx.Err()
			}
		}
	}
	if packets == 0 || last == first {
		return 0, fmt.Errorf("%s has no media", s.source)
	}
	return last - first + max(step, 1), nil
}

// sleepUntil returns at t; false: ctx has ended.
func sleepUntil(ctx context.Context, t time.Time) bool {
	d := time.Until(t)
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// playStream shows another stream of the application, and waits for it while it is
// not there.
func (s *slate) playStream(ctx context.Context) error {
	for ctx.Err() == nil {
		if other := s.publication.app.Stream(s.source); other != nil && other != s.publication.stream {
			s.follow(ctx, other)
		}
		sleepUntil(ctx, time.Now().Add(slateLook))
	}
	return ctx.Err()
}

// follow writes what other shows, until it ends.
func (s *slate) follow(ctx context.Context, other *Stream) {
	cur := other.live.Cursor(live.FromKeyframe, false)
	defer cur.Close()
	buf := make([]*media.Packet, 64)
	source := uint32(0)
	for first := true; ; {
		n, skipped, err := cur.Next(ctx, buf)
		for _, p := range buf[:n] {
			if first || p.Epoch != source || skipped > 0 {
				first, source, skipped = false, p.Epoch, 0
				s.publication.stream.moveAnew(s.publication)
			}
			shared := *p // others read p
			if !s.publication.Write(&shared, time.Now()) {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// moveAnew has the packets that by writes from now on follow those before, as those
// of another encoder.
func (st *Stream) moveAnew(by *Publication) {
	st.write.Lock()
	defer st.write.Unlock()
	if st.writer == by {
		st.epoch++
		by.standby = standby{moved: true, fresh: true, epoch: st.epoch}
	}
}
