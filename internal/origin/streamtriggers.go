package origin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/hls"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A streamNews is what the triggers about a stream have been told.
type streamNews struct {
	told  chan struct{}   // closed when they were told of its end
	prior <-chan struct{} // of the stream of that name before; nil: none

	mu                       sync.Mutex // guards what follows; application.mu is taken while it is held
	over                     bool
	started, ready, unstable bool
	ended                    bool   // that was told, and nothing is published since
	keyframes                uint64 // of its fallback, before its publisher
	readied                  bool   // STREAM_READY was asked
	tracks                   string
	bandwidth                time.Time // when LIVE_BANDWIDTH was asked last
	seen                     time.Time // when the players were counted last

	before              uint64 // bytes that its players and viewers had been sent before it; guarded by application.mu
	plays, inputs, outs atomic.Uint64
	watched             atomic.Int64 // ns of all players and viewers
}

// streamTriggers are about streams, and need somebody who watches those.
var streamTriggers = []hooks.Hook{hooks.StreamBuffer, hooks.StreamReady, hooks.StreamEnd, hooks.LiveTrackList, hooks.LiveBandwidth}

// watchesStreams says whether any trigger needs that.
func (r *appRules) watchesStreams() bool {
	for _, h := range streamTriggers {
		if r.triggers.Has(h) {
			return true
		}
	}
	return false
}

const (
	newsTick = 200 * time.Millisecond
	// readyKeyframes make a group of pictures that can be played.
	readyKeyframes = 2
	// readyAudio is how long a stream without pictures has sound until it can be played.
	readyAudio = 2 * time.Second
	// bandwidthPause is how often LIVE_BANDWIDTH is asked about a stream.
	bandwidthPause = 5 * time.Second
)

// watchStreams tells the triggers about streams what becomes of them, until ctx ends.
func (og *Origin) watchStreams(ctx context.Context) {
	tick := time.NewTicker(newsTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, v := range *og.services.Load() {
				for _, a := range v.All() {
					if rules := a.rules.Load(); rules.watchesStreams() {
						a.each(func(st *Stream) { st.tell(rules, now) })
					}
				}
			}
		}
	}
}

// subject has what is told of a stream stay in its order.
func (st *Stream) subject() hooks.Subject { return hooks.Subject{Stream: st.name} }

// tell tells the triggers what is new of a stream.
func (st *Stream) tell(rules *appRules, now time.Time) {
	n := &st.news
	if n.prior != nil {
		select {
		case <-n.prior:
		default:
			return // its end comes first
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return
	}
	st.countWatched(now)
	a := st.app
	a.mu.Lock()
	p := st.publication
	a.mu.Unlock()
	shown := st.live.Snapshot()
	if p != nil && p.slate {
		if n.started {
			st.tellEnd(rules, "its publisher has gone, and its fallback is shown")
		}
		n.keyframes = shown.Keyframes
		return
	}
	if !n.started {
		if p == nil {
			return // it waits for one that was never seen
		}
		n.started, n.ended = true, false
		st.buffer(rules, hooks.Starting, nil, nil, "")
	}
	if shown.FirstWrite.IsZero() {
		return
	}
	if !n.readied {
		n.readied = true
		st.askEvict(rules, hooks.NewInput(hooks.StreamReady, a.name, st.name, st.input(p)))
	}
	st.tellTracks(rules, shown)
	st.tellBandwidth(rules, shown, now)
	if !n.ready && st.playable(rules.cfg.For(st.name), shown) {
		n.ready = true
		st.buffer(rules, hooks.Ready, st.health(shown, nil), nil, "")
	}
	if n.ready {
		st.tellHealth(rules, shown, p == nil)
	}
}

// input is how the media of a publisher come.
func (st *Stream) input(p *Publication) string {
	if p != nil && p.pulled {
		return "pull"
	}
	return connectorRTMP
}

// playable says whether a viewer would see something: a whole group of pictures, and
// where there is HLS a playlist.
func (st *Stream) playable(cfg *config.Application, s live.Snapshot) bool {
	switch {
	case s.Video != nil && s.Keyframes < st.news.keyframes+readyKeyframes,
		s.Video == nil && (s.Audio == nil || s.LastWrite.Sub(s.FirstWrite) < readyAudio):
		return false
	case cfg.HLS == nil:
		return true
	}
	_, ok := st.app.origin.dirs.Lookup(filepath.Join(string(cfg.HLS.Path), filepath.FromSlash(hls.PlaylistName(st.name, cfg.HLS))))
	return ok
}

// buffer tells STREAM_BUFFER.
func (st *Stream) buffer(rules *appRules, state hooks.BufferState, health any, issues []string, reason string) {
	if rules.triggers.Has(hooks.StreamBuffer) {
		st.app.tell(rules, st.subject(), hooks.NewStreamBuffer(st.app.name, st.name, state, health, issues, reason), st.name)
	}
}

// tellHealth tells STREAM_BUFFER when the findings begin and end. waiting says that the
// publisher has lost its connection.
func (st *Stream) tellHealth(rules *appRules, s live.Snapshot, waiting bool) {
	if !rules.triggers.Has(hooks.StreamBuffer) {
		return
	}
	var issues []string
	if waiting {
		issues = append(issues, "publisher_lost")
	}
	_, found := st.Health()
	for _, f := range found {
		if f.Level != doctor.Note {
			issues = append(issues, f.Name)
		}
	}
	n := &st.news
	switch bad := len(issues) > 0; {
	case bad && !n.unstable:
		st.buffer(rules, hooks.Unstable, st.health(s, issues), issues, "")
	case !bad && n.unstable:
		st.buffer(rules, hooks.Recovered, st.health(s, nil), nil, "")
	}
	n.unstable = len(issues) > 0
}

// tellEnd tells STREAM_BUFFER that nothing is published any more.
func (st *Stream) tellEnd(rules *appRules, reason string) {
	st.news.started, st.news.ready, st.news.unstable, st.news.readied = false, false, false, false
	st.news.ended = true
	st.buffer(rules, hooks.Ended, nil, nil, reason)
}

// mistCodec is what MistServer calls a track's codec.
func mistCodec(t *media.Track) string {
	switch t.Codec {
	case media.CodecH264:
		return "H264"
	case media.CodecHEVC:
		return "HEVC"
	case media.CodecOpus:
		return "opus"
	}
	return t.CodecName()
}

// trackName is what MistServer calls a track: its kind, codec and figures.
func trackName(t *media.Track, rate float64) string {
	if t.Kind == media.Video {
		return fmt.Sprintf("video_%s_%dx%d_%gfps_0", mistCodec(t), t.Width, t.Height, rate)
	}
	return fmt.Sprintf("audio_%s_%dch_%dhz_1", mistCodec(t), t.Channels, t.SampleRate)
}

// tracks are a stream's, by their names, as MistServer describes them.
func (st *Stream) tracks(s live.Snapshot, f doctor.Figures) map[string]map[string]any {
	out := make(map[string]map[string]any)
	if t := s.Video; t != nil {
		keys := map[string]any{"ms_min": f.GOPMin.Milliseconds(), "ms_max": f.GOPMax.Milliseconds()}
		out[trackName(t, t.FrameRate)] = map[string]any{
			"idx": 0, "id": 0, "codec": mistCodec(t), "kbits": s.BwVideo / 1000, "width": t.Width, "height": t.Height,
			"fpks": int(t.FrameRate * 1000), "efpks": int(f.FrameRate * 1000), "bframes": f.BFrames, "keys": keys, "jitter": f.Jitter.Milliseconds(),
		}
	}
	if t := s.Audio; t != nil {
		out[trackName(t, 0)] = map[string]any{
			"idx": 1, "id": 1, "codec": mistCodec(t), "kbits": s.BwAudio / 1000, "rate": t.SampleRate, "channels": t.Channels,
		}
	}
	return out
}

// health is MistServer's description of how a stream is.
func (st *Stream) health(s live.Snapshot, issues []string) map[string]any {
	figures, _ := st.Health()
	out := make(map[string]any)
	names := []string{}
	for name, t := range st.tracks(s, figures) {
		out[name] = t
		names = append(names, name)
	}
	slices.Sort(names)
	out["tracks"], out["jitter"] = names, figures.Jitter.Milliseconds()
	if len(issues) > 0 {
		out["issues"] = strings.Join(issues, " ")
	}
	return out
}

// tellTracks tells LIVE_TRACK_LIST when a track has come or changed.
func (st *Stream) tellTracks(rules *appRules, s live.Snapshot) {
	if !rules.triggers.Has(hooks.LiveTrackList) {
		return
	}
	tracks := st.tracks(s, doctor.Figures{})
	for _, t := range tracks { // what differs at each look is no news
		for _, name := range []string{"kbits", "efpks", "bframes", "keys", "jitter"} {
			delete(t, name)
		}
	}
	text, err := json.Marshal(tracks)
	if err != nil || len(tracks) == 0 || string(text) == st.news.tracks {
		return
	}
	st.news.tracks = string(text)
	st.app.tell(rules, st.subject(), hooks.NewLiveTrackList(st.app.name, st.name, tracks), st.name)
}

// tellBandwidth asks LIVE_BANDWIDTH about a stream above its bit rate.
func (st *Stream) tellBandwidth(rules *appRules, s live.Snapshot, now time.Time) {
	list := rules.triggers.For(hooks.LiveBandwidth, st.name)
	if len(list) == 0 || now.Sub(st.news.bandwidth) < bandwidthPause || s.BwIn == 0 {
		return
	}
	var above []*config.Trigger
	for _, t := range list {
		if int64(s.BwIn) >= int64(t.Above) {
			above = append(above, t)
		}
	}
	if len(above) > 0 {
		st.news.bandwidth = now
		st.evictUnless(rules, above, hooks.NewLiveBandwidth(st.app.name, st.name, int64(s.BwIn/8)))
	}
}

// askEvict asks a trigger about a stream; a no ends the publisher.
func (st *Stream) askEvict(rules *appRules, e hooks.Event) {
	if list := rules.triggers.For(e.Hook, st.name); len(list) > 0 {
		st.evictUnless(rules, list, e)
	}
}

// evictUnless asks handlers; a no ends the publisher. One question is under way at a
// time.
func (st *Stream) evictUnless(rules *appRules, list []*config.Trigger, e hooks.Event) {
	og := st.app.origin
	og.goes.Go(func() {
		_, err := st.app.hooks.Fire(og.ctx, &rules.cfg.Notify, st.subject(), list, e)
		var no *hooks.Refusal
		if !errors.As(err, &no) {
			return
		}
		st.app.mu.Lock()
		p := st.publication
		st.app.mu.Unlock()
		if p != nil && !p.slate {
			p.evict(Reason{RuleDenied, no.Reason})
		}
	})
}

// countWatched adds up how long the stream is watched.
func (st *Stream) countWatched(now time.Time) {
	n := &st.news
	if !n.seen.IsZero() {
		st.app.mu.Lock()
		watching := 0
		if set := st.app.players[st.name]; set != nil {
			watching = len(set.members)
		}
		h := st.app.viewers[st.name]
		st.app.mu.Unlock()
		if h != nil {
			watching += h.counter.Len(now)
		}
		n.watched.Add(int64(watching) * int64(now.Sub(n.seen)))
	}
	n.seen = now
}

// sums are the stream's at its end.
func (st *Stream) sums() hooks.StreamSums {
	n := &st.news
	s := hooks.StreamSums{
		Received: st.live.Snapshot().BytesIn, Viewers: n.plays.Load(), Publishers: n.inputs.Load(), Outputs: n.outs.Load(),
		ViewerTime: time.Duration(n.watched.Load()),
	}
	st.app.mu.Lock()
	defer st.app.mu.Unlock()
	s.Sent = st.fanned
	if set := st.app.players[st.name]; set != nil {
		s.Sent += set.fan.BytesOut.Load()
	}
	if h := st.app.viewers[st.name]; h != nil {
		s.Viewers += uint64(h.counter.Since())
		s.Sent += h.counter.Sent()
	}
	s.Sent -= min(n.before, s.Sent)
	return s
}

// sayEnd tells STREAM_BUFFER that the stream is over.
func (st *Stream) sayEnd(reason string) {
	n := &st.news
	defer close(n.told)
	if n.prior != nil {
		<-n.prior
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	rules := st.app.rules.Load()
	if rules.watchesStreams() {
		st.countWatched(time.Now())
	}
	if n.started || !n.ended && n.inputs.Load() > 0 && !st.live.Snapshot().FirstWrite.IsZero() {
		st.tellEnd(rules, reason)
	}
}

// saySums tells STREAM_END what the stream has come to.
func (st *Stream) saySums(s hooks.StreamSums) {
	rules := st.app.rules.Load()
	if rules.triggers.Has(hooks.StreamEnd) && st.news.inputs.Load() > 0 { // else it was its fallback, all the time
		st.app.tell(rules, st.subject(), hooks.NewStreamEnd(st.app.name, st.name, s), st.name)
	}
}

// unloadAgain is how long a stream stays that STREAM_UNLOAD keeps.
const unloadAgain = 30 * time.Second

// asksUnload has STREAM_UNLOAD asked about a stream that is to end, and ends it after a
// yes. false: there is no handler. The application is locked.
func (a *Application) asksUnloadLocked(st *Stream, reason string) bool {
	rules := a.rules.Load()
	list := rules.triggers.For(hooks.StreamUnload, st.name)
	if len(list) == 0 || a.gone || a.origin.Stopping() {
		return false
	}
	if st.unloading {
		return true
	}
	st.unloading = true
	return a.origin.goes.Go(func() {
		_, err := a.hooks.Fire(a.origin.ctx, &rules.cfg.Notify, st.subject(), list, hooks.NewInput(hooks.StreamUnload, a.name, st.name, connectorRTMP))
		a.mu.Lock()
		defer a.mu.Unlock()
		st.unloading = false
		switch {
		case a.origin.Stopping() || st.publication != nil || a.streams[st.name] != st:
		case errors.As(err, new(*hooks.Refusal)):
			a.log.Info("stream stays without a publisher (STREAM_UNLOAD)", zap.String("stream", st.name))
			st.grace = a.origin.Awake.AfterFunc(unloadAgain, func() { a.endIfWaiting(st) })
		default:
			a.endLocked(st, reason)
		}
	})
}
