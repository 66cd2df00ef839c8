package origin

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/api"
)

// A target is a publisher or player that a call of control means.
type target struct {
	app         *Application
	publication *Publication // or
	playing     *Playing
	who         Description
}

// Control carries out a call of control: all of it, or none.
func (og *Origin) Control(c api.Command) (api.Outcome, error) {
	if c.Section == "sessions" {
		return og.controlSessions(c), nil
	}
	services := *og.services.Load()
	if c.Server >= len(services) {
		return api.Outcome{}, &api.ControlError{Status: http.StatusBadRequest, Reason: fmt.Sprintf("there is no rtmp block %d: the first is 0, the last %d", c.Server, len(services)-1)}
	}
	targets := services[c.Server].targets(c)
	var out api.Outcome
	var err error
	switch c.Section {
	case "stage":
		return og.stage(services[c.Server], c)
	case "title":
		return og.entitle(services[c.Server], c)
	case "push":
		return pushControl(services[c.Server], c)
	case "record":
		out.Path, err = recordControl(og.ctx, targets, c.Rec, c.Method == "start")
	case "drop":
		drop(targets)
		out.Count = len(targets)
	case "redirect":
		err = redirect(targets, c.NewName)
		out.Count = len(targets)
	}
	if err != nil {
		return api.Outcome{}, err
	}
	if len(targets) > 0 { // the filters are names then, not what somebody typed
		og.Log.Info("control", zap.String("call", c.Section+"/"+c.Method), zap.String("app", c.App), zap.String("stream", c.Name), zap.Int("sessions", len(targets)))
	}
	return out, nil
}

// controlSessions carries out a call about those who watch.
func (og *Origin) controlSessions(c api.Command) api.Outcome {
	f := SessionFilter{App: c.App, Stream: c.Name, Protocol: c.Protocol, ID: c.ClientID}
	switch c.Method {
	case "invalidate":
		return api.Outcome{Count: og.InvalidateSessions(c.App, c.Name)}
	case "tag":
		return api.Outcome{Count: og.TagSessions(f, c.Tag)}
	}
	f.Tag = c.Tag
	return api.Outcome{Count: og.StopSessions(f)}
}

// stage puts a publisher that waits on air.
func (og *Origin) stage(v *Service, c api.Command) (api.Outcome, error) {
	a := v.Application(c.App)
	if a == nil {
		return api.Outcome{}, &api.ControlError{Status: http.StatusNotFound, Reason: fmt.Sprintf("there is no application %q", c.App)}
	}
	who, err := a.stage(c.Name, c.Publisher)
	if err != nil {
		return api.Outcome{}, &api.ControlError{Status: http.StatusConflict, Reason: err.Error()}
	}
	og.Log.Info("control", zap.String("call", "stage"), zap.String("app", c.App), zap.String("stream", c.Name), zap.Uint64("publisher", who.ID))
	return api.Outcome{Count: 1}, nil
}

// targets are the clients that c means, oldest first.
func (v *Service) targets(c api.Command) []target {
	var out []target
	add := func(t target) {
		if !t.who.Leaving && (!c.Addr.IsValid() || t.who.Address == c.Addr) && (c.ClientID == 0 || t.who.ID == c.ClientID) {
			out = append(out, t)
		}
	}
	for _, a := range v.All() {
		if c.App != "" && a.name != c.App {
			continue
		}
		a.mu.Lock()
		for name, st := range a.streams {
			if c.Method == "subscriber" || c.Name != "" && name != c.Name {
				continue
			}
			for _, p := range st.publications() {
				if p == st.publication || c.Section == "drop" {
					add(target{app: a, publication: p, who: p.publisher.Describe()})
				}
			}
		}
		for name, set := range a.players {
			if c.Method != "subscriber" && c.Method != "client" || c.Name != "" && name != c.Name {
				continue
			}
			for p := range set.members {
				add(target{app: a, playing: p, who: p.player.Describe()})
			}
		}
		for _, set := range a.files {
			for p := range set.members {
				if (c.Method == "subscriber" || c.Method == "client") && (c.Name == "" || p.name == c.Name) {
					add(target{app: a, playing: p, who: p.player.Describe()})
				}
			}
		}
		a.mu.Unlock()
	}
	slices.SortFunc(out, func(x, y target) int { return cmp.Compare(x.who.ID, y.who.ID) })
	return out
}

const whyDropped = "dropped by an operator (control)"

// drop kicks the targets. A publisher's name is not kept for it: its
// successor may have another key.
func drop(targets []target) {
	for _, t := range targets {
		if t.playing != nil {
			t.playing.player.Kick(Reason{RuleDenied, whyDropped})
			continue
		}
		t.publication.evict(Reason{RuleEnded, whyDropped})
	}
}

// redirect moves the targets to another name. All are looked at before one is
// moved: a publisher that asks in vain would lose the name it has.
func redirect(targets []target, newName string) error {
	name, query, _ := strings.Cut(newName, "?")
	if err := value.ValidStreamName(name); err != nil {
		return &api.ControlError{Status: http.StatusBadRequest, Reason: "newname: " + err.Error()}
	}
	publisher := make(map[*Application]*Publication)
	for _, t := range targets {
		rules := t.app.rules.Load()
		why := ""
		switch {
		case rules.keys.holds(name):
			return &api.ControlError{Status: http.StatusBadRequest, Reason: "newname is a stream key: name the stream"}
		case t.playing != nil:
			why = t.playing.noAccess(rules, name)
		case publisher[t.app] != nil:
			why = "several publishers are meant, and one can have the name"
		default:
			publisher[t.app] = t.publication
			why = t.app.busyFor(name, t.publication)
		}
		if why != "" {
			return &api.ControlError{Status: http.StatusConflict, Reason: fmt.Sprintf("client %d of application %q can't have %q: %s", t.who.ID, t.app.name, name, why)}
		}
	}
	for _, t := range targets {
		if t.playing != nil {
			t.playing.player.Redirect(name, query)
		} else {
			t.publication.publisher.Redirect(name, query)
		}
	}
	return nil
}

// busyFor says why a publisher can't have name in place of its own; empty if it
// can.
func (a *Application) busyFor(name string, p *Publication) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claimed-- // its own
	err := a.mayClaimLocked(name, p.owner)
	a.claimed++
	if err != nil {
		return err.Error()
	}
	return ""
}
