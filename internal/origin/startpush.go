package origin

import (
	"errors"
	"fmt"
	"slices"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// maxByHand bounds the pushes of a stream that were begun by hand.
const maxByHand = 32

// byHandLabel is how their labels begin.
const byHandLabel = "push_start "

var errNotLive = errors.New("the stream is not live")

// StartPush sends a stream that is live to another server until it ends. One that goes
// there already is started, should it be stopped. fresh: it is another one.
func (og *Origin) StartPush(app, stream string, remote config.Remote) (fresh bool, err error) {
	st := og.stream(app, stream)
	if st == nil {
		return false, errNotLive
	}
	for _, p := range og.Pushes(app, stream, "") {
		if p.push != nil && p.push.URL() == remote.URL {
			p.push.Want(true)
			return false, nil
		}
	}
	block := config.Push{Name: fmt.Sprintf("%s%d", byHandLabel, og.pushes.Add(1)), Remote: remote}
	for {
		old := st.byHand.Load()
		var all []config.Push
		if old != nil {
			all = *old
		}
		if slices.ContainsFunc(all, func(p config.Push) bool { return p.Remote.URL == remote.URL }) {
			return false, nil
		}
		if len(all) >= maxByHand {
			return false, fmt.Errorf("%d pushes of the stream were begun by hand: stop one", maxByHand)
		}
		if st.byHand.CompareAndSwap(old, new(append(slices.Clone(all), block))) {
			break
		}
	}
	st.outputs.apply(st.app.rules.Load().cfg.For(stream))
	og.Log.Info("push begun by hand", zap.String("app", app), zap.String("stream", stream), zap.String("push", block.Name))
	return true, nil
}

// StopPush ends a push that was begun by hand, and stops another one until its stream ends.
func (og *Origin) StopPush(p *RunningPush) (changed bool) {
	st := og.stream(p.App, p.Stream)
	if st == nil {
		return false
	}
	for old := st.byHand.Load(); old != nil && slices.ContainsFunc(*old, func(b config.Push) bool { return b.Name == p.Name }); old = st.byHand.Load() {
		rest := slices.DeleteFunc(slices.Clone(*old), func(b config.Push) bool { return b.Name == p.Name })
		if st.byHand.CompareAndSwap(old, &rest) {
			st.outputs.apply(st.app.rules.Load().cfg.For(p.Stream))
			og.Log.Info("push begun by hand is stopped", zap.String("app", p.App), zap.String("stream", p.Stream), zap.String("push", p.Name))
			return true
		}
	}
	_, n := og.SteerPushes(p.App, p.Stream, p.Name, false)
	return n > 0
}

// PushTarget is where a running push was to go. It may hold a secret.
func (og *Origin) PushTarget(p *RunningPush) value.RTMPURL {
	if p.push == nil {
		return ""
	}
	return p.push.URL()
}

// stream returns the stream of that name, or nil.
func (og *Origin) stream(app, name string) *Stream {
	for _, v := range *og.services.Load() {
		if a := v.Application(app); a != nil {
			if st := a.Stream(name); st != nil {
				return st
			}
		}
	}
	return nil
}
