package origin

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/relay"
)

var pushKind = OutputKind{
	Name:   "push",
	Remote: true,
	Blocks: func(a *config.Application, stream string) map[string]any {
		all := make(map[string]any, len(a.Pushes))
		for _, p := range a.Pushes {
			if p.Remote.Streams.Match(stream) && p.When.Open(time.Now()) {
				all[p.Name] = p
			}
		}
		return all
	},
	Open: func(st *Stream, block any) (Output, error) {
		return relay.New(block.(config.Push), relay.Options{
			ID: st.app.origin.pushes.Add(1), App: st.app.name, Name: st.name, Stream: st.live, Log: st.log(), Expand: st.placeholder, Via: st.via,
			Aim: st.aim, Ended: st.sayPushEnd,
		})
	},
}

// A RunningPush is one push of one stream, for people.
type RunningPush struct {
	App, Stream, Name string
	output.State
	push *relay.Push // nil: it could not begin
}

// ID numbers the pushes since the start; 0: it could not begin.
func (p *RunningPush) ID() uint64 {
	if p.push == nil {
		return 0
	}
	return p.push.ID()
}

// Pushes are those of the streams that there are, by application and stream; empty
// names are all.
func (v *Service) Pushes(app, stream, push string) (out []RunningPush) {
	for _, a := range v.All() {
		if app != "" && a.name != app {
			continue
		}
		a.each(func(st *Stream) {
			if stream != "" && st.name != stream {
				return
			}
			for _, s := range st.outputs.list() {
				if s.kind.Name != pushKind.Name || push != "" && s.label != push {
					continue
				}
				o, state := s.now()
				p, _ := o.(*relay.Push)
				out = append(out, RunningPush{a.name, st.name, s.label, state, p})
			}
		})
	}
	slices.SortFunc(out, func(x, y RunningPush) int {
		return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Stream, y.Stream), cmp.Compare(x.Name, y.Name))
	})
	return out
}

// Pushes are those of all rtmp blocks.
func (og *Origin) Pushes(app, stream, push string) (out []RunningPush) {
	for _, v := range *og.services.Load() {
		out = append(out, v.Pushes(app, stream, push)...)
	}
	return out
}

// SteerPushes starts or stops pushes by hand. changed were not so before.
func (og *Origin) SteerPushes(app, stream, push string, start bool) (found, changed int) {
	for _, v := range *og.services.Load() {
		f, c := v.steerPushes(app, stream, push, start)
		found, changed = found+f, changed+c
	}
	return found, changed
}

func (v *Service) steerPushes(app, stream, push string, start bool) (found, changed int) {
	all := v.Pushes(app, stream, push)
	for _, p := range all {
		if p.push == nil || !p.push.Want(start) {
			continue
		}
		changed++
		v.origin.Log.Info("push steered by hand", zap.Bool("start", start), zap.String("app", p.App), zap.String("stream", p.Stream), zap.String("push", p.Name))
	}
	return len(all), changed
}

// pushControl obeys /control/push.
func pushControl(v *Service, c api.Command) (api.Outcome, error) {
	found, changed := v.steerPushes(c.App, c.Name, c.Push, c.Method == "start")
	if found == 0 {
		return api.Outcome{}, &api.ControlError{Status: http.StatusNotFound, Reason: "no stream that is live has such a push: app, name and push say which"}
	}
	return api.Outcome{Count: changed}, nil
}

// Line is what rtmpd push list prints.
func (p *RunningPush) Line() string {
	line := fmt.Sprintf("%s/%s %s %s", p.App, p.Stream, p.Name, cmp.Or(p.Phase, output.Connecting))
	if !p.Since.IsZero() {
		line += " since " + p.Since.Format("15:04:05")
	}
	line += fmt.Sprintf(", %d bytes sent, %s", p.Bytes, p.Target)
	if !p.Retry.IsZero() {
		line += ", again at " + p.Retry.Format("15:04:05")
	}
	if p.Failing != "" {
		line += ": " + p.Failing
	}
	return line
}
