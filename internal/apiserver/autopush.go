package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/apistate"
	"github.com/rtmpd/rtmpd/internal/relay"
)

// An autoPush is what push_auto_add and push_auto_remove say of a push.
type autoPush struct {
	Stream       string          `json:"stream"`
	Target       string          `json:"target"`
	ScheduleTime json.Number     `json:"scheduletime"`
	CompleteTime json.Number     `json:"completetime"`
	StartRule    json.RawMessage `json:"start_rule"`
	EndRule      json.RawMessage `json:"end_rule"`
	Inhibit      json.RawMessage `json:"inhibit"`
}

const autoPushForm = `write ["STREAM", "TARGET"], {"stream":"STREAM", "target":"TARGET"}, or a list of these`

// autoPushes reads one or several of them.
func autoPushes(arg json.RawMessage) (out []autoPush, err error) {
	bad := refusal(http.StatusBadRequest, autoPushForm)
	switch arg = bytes.TrimSpace(arg); {
	case len(arg) > 0 && arg[0] == '[':
		var list []json.RawMessage
		if json.Unmarshal(arg, &list) != nil || len(list) == 0 {
			return nil, bad
		}
		if list[0][0] == '"' {
			p, err := arrayPush(list)
			return []autoPush{p}, err
		}
		for _, one := range list {
			more, err := autoPushes(one)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case len(arg) > 0 && arg[0] == '{':
		var one autoPush
		if err := json.Unmarshal(arg, &one); err == nil && one.Stream != "" {
			return []autoPush{one}, nil
		}
		var named map[string]json.RawMessage
		if json.Unmarshal(arg, &named) != nil || len(named) == 0 {
			return nil, bad
		}
		for _, text := range named {
			if json.Unmarshal(text, &one) != nil || one.Stream == "" {
				return nil, bad
			}
			out = append(out, one)
			one = autoPush{}
		}
		return out, nil
	}
	return nil, bad
}

// arrayPush reads [stream, target, scheduletime, completetime, a rule …].
func arrayPush(list []json.RawMessage) (p autoPush, err error) {
	into := []any{&p.Stream, &p.Target, &p.ScheduleTime, &p.CompleteTime}
	for i, text := range list {
		if i >= len(into) {
			if t := string(text); t != "0" && t != `""` && t != "null" {
				p.StartRule = text
			}
			continue
		}
		if json.Unmarshal(text, into[i]) != nil {
			return p, refusal(http.StatusBadRequest, autoPushForm)
		}
	}
	return p, nil
}

// push makes the push of the state, of what was said.
func (p *autoPush) push(cfg *config.Config) (apistate.Push, error) {
	var times [2]int64
	for i, n := range []json.Number{p.ScheduleTime, p.CompleteTime} {
		var err error
		if times[i], err = n.Int64(); err != nil && n != "" {
			return apistate.Push{}, refusal(http.StatusBadRequest, "scheduletime and completetime are Unix seconds")
		}
	}
	rule := func(r json.RawMessage) bool { return len(r) > 0 && string(r) != "null" && string(r) != "[]" }
	if rule(p.StartRule) || rule(p.EndRule) {
		return apistate.Push{}, refusal(http.StatusBadRequest, "rules are not taken: push blocks of the configuration have schedules")
	}
	var inhibit []string
	if len(p.Inhibit) > 0 && string(p.Inhibit) != "null" {
		var err error
		if inhibit, err = texts(p.Inhibit); err != nil {
			return apistate.Push{}, err
		}
	}
	app, streams, err := resolve(cfg, p.Stream, takesStreams)
	if err != nil {
		return apistate.Push{}, err
	}
	out, err := apistate.NewPush(app, streams, p.Target, inhibit)
	if err == nil {
		err = out.Between(times[0], times[1])
	}
	if err != nil {
		return out, refusal(http.StatusBadRequest, err.Error())
	}
	if a := apistate.Application(cfg, app); a != nil {
		if why := apistate.WhyNoPush(a, &out); why != "" {
			return out, refusal(http.StatusConflict, why)
		}
	}
	return out, nil
}

// addPushes keeps pushes, all or none. It returns the ids of those that are new, and of
// those that are there already.
func (s *Server) addPushes(all []autoPush) (added, there []string, err error) {
	err = s.o.Change(func(next *apistate.State, cfg *config.Config) error {
		for i := range all {
			p, err := all[i].push(cfg)
			if err != nil {
				return err
			}
			fresh, err := next.AddPush(p)
			switch {
			case err != nil:
				return refusal(http.StatusConflict, err.Error())
			case fresh:
				added = append(added, p.ID)
			default:
				there = append(there, p.ID)
			}
		}
		return nil
	})
	return added, there, err
}

func (s *Server) pushAutoAdd(c *api.Caller, arg json.RawMessage) (any, error) {
	all, err := autoPushes(arg)
	if err != nil {
		return nil, err
	}
	added, there, err := s.addPushes(all)
	if err != nil {
		return nil, err
	}
	s.log(c, "push_auto_add", len(added))
	return map[string][]string{"added": append([]string{}, added...), "there": append([]string{}, there...)}, nil
}

// pushAutoRemove forgets pushes: by id, by stream, or as they were added.
func (s *Server) pushAutoRemove(c *api.Caller, arg json.RawMessage) (any, error) {
	var names []string
	var exact []autoPush
	if list, err := texts(arg); err == nil && !(len(list) == 2 && isTarget(list[1])) {
		names = list
	} else if exact, err = autoPushes(arg); err != nil {
		return nil, refusal(http.StatusBadRequest, `write an id of push_auto_list, "STREAM", ["STREAM", "TARGET"], or a list of these`)
	}
	n, err := s.removePushes(func(p *apistate.Push) bool {
		if slices.ContainsFunc(names, func(name string) bool { return name == p.ID || name == p.Streams || name == p.App+"/"+p.Streams }) {
			return true
		}
		return slices.ContainsFunc(exact, func(e autoPush) bool {
			return (e.Stream == p.Streams || e.Stream == p.App+"/"+p.Streams) && (e.Target == "" || e.Target == p.Target.Reveal())
		})
	})
	if err != nil {
		return nil, err
	}
	s.log(c, "push_auto_remove", n)
	return map[string]int{"removed": n}, nil
}

func isTarget(text string) bool { _, err := apistate.ParseTarget(text); return err == nil }

// shownTarget is the target of a push without its key.
func shownTarget(p *apistate.Push) string {
	r := apistate.Remote(p.Target, 0)
	return relay.Shown(&r, p.App, p.Streams)
}

// pushAutoList shows the pushes of the API, as MistServer's arrays.
func (s *Server) pushAutoList(*api.Caller, json.RawMessage) (any, error) {
	kept, _ := s.o.State()
	rows := [][]any{}
	for i := range kept.Pushes {
		p := &kept.Pushes[i]
		rows = append(rows, []any{p.Streams, shownTarget(p), p.NotBefore, p.NotAfter})
	}
	return rows, nil
}

// autoPushMap shows them by their ids.
func (s *Server) autoPushMap(*api.Caller, json.RawMessage) (any, error) {
	kept, cfg := s.o.State()
	out := make(map[string]any)
	for i := range kept.Pushes {
		p := &kept.Pushes[i]
		o := map[string]any{"stream": p.Streams, "target": shownTarget(p), "application": p.App}
		if len(p.Inhibit) > 0 {
			o["inhibit"] = p.Inhibit
		}
		if p.NotBefore != 0 {
			o["scheduletime"] = p.NotBefore
		}
		if p.NotAfter != 0 {
			o["completetime"] = p.NotAfter
		}
		if why := noEffect(cfg, p); why != "" {
			o["without_effect"] = why
		}
		out[p.ID] = o
	}
	return out, nil
}

// noEffect says why a push has no effect; empty: it has.
func noEffect(cfg *config.Config, p *apistate.Push) string {
	a := apistate.Application(cfg, p.App)
	if a == nil {
		return fmt.Sprintf("the configuration has no application %q", p.App)
	}
	return apistate.WhyNoPush(a, p)
}

// pushSettings says how long pushes of the API wait after a failure.
func (s *Server) pushSettings(c *api.Caller, arg json.RawMessage) (any, error) {
	var want struct{ Wait, MaxSpeed *int }
	if bytes.HasPrefix(bytes.TrimSpace(arg), []byte("{")) {
		switch err := json.Unmarshal(arg, &want); {
		case err != nil:
			return nil, refusal(http.StatusBadRequest, `write {"wait":SECONDS}`)
		case want.MaxSpeed != nil && *want.MaxSpeed != 0:
			return nil, refusal(http.StatusBadRequest, "maxspeed is 0: the pauses between attempts grow and differ, so they do not all come at once")
		case want.Wait != nil && (*want.Wait < 0 || *want.Wait > int(apistate.MaxWait/time.Second)):
			return nil, refusal(http.StatusBadRequest, fmt.Sprintf("wait is 0 to %d seconds; it doubles with each failure", int(apistate.MaxWait/time.Second)))
		}
	}
	if want.Wait != nil {
		if err := s.o.Change(func(next *apistate.State, _ *config.Config) error { next.Wait = *want.Wait; return nil }); err != nil {
			return nil, err
		}
		s.log(c, "push_settings", 1)
	}
	kept, _ := s.o.State()
	return map[string]int{"wait": kept.Wait, "maxspeed": 0}, nil
}
