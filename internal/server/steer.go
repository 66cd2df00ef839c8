package server

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A target is a live session that a call of control means, in one role.
type target struct {
	session *session
	app     *application
	stream  *stream  // that it publishes; or
	playing *playing // what it plays
}

// steer obeys a call of control: all of it, or none.
func (s *Server) steer(c api.Command) (api.Outcome, error) {
	s.mu.Lock()
	services := s.services
	s.mu.Unlock()
	if c.Server >= len(services) {
		return api.Outcome{}, &api.ControlError{Status: http.StatusBadRequest, Reason: fmt.Sprintf("there is no rtmp block %d: the first is 0, the last %d", c.Server, len(services)-1)}
	}
	targets := services[c.Server].targets(c)
	var out api.Outcome
	var err error
	switch c.Section {
	case "record":
		out.Path, err = recordControl(s.ctx, targets, c.Rec, c.Method == "start")
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
		s.log.Info("control", zap.String("call", c.Section+"/"+c.Method), zap.String("app", c.App), zap.String("stream", c.Name), zap.Int("sessions", len(targets)))
	}
	return out, nil
}

// targets are the sessions that c means, oldest first.
func (v *service) targets(c api.Command) []target {
	var out []target
	add := func(t target) {
		if t.session.kicked.Load() == nil &&
			(!c.Addr.IsValid() || t.session.addr == c.Addr) && (c.ClientID == 0 || t.session.id == c.ClientID) {
			out = append(out, t)
		}
	}
	for _, a := range v.all() {
		if c.App != "" && a.name != c.App {
			continue
		}
		a.mu.Lock()
		for name, st := range a.streams {
			if st.publisher != nil && c.Method != "subscriber" && (c.Name == "" || name == c.Name) {
				add(target{session: st.publisher, app: a, stream: st})
			}
		}
		for name, h := range a.houses {
			if c.Method != "subscriber" && c.Method != "client" || c.Name != "" && name != c.Name {
				continue
			}
			for pl := range h.players {
				add(target{session: pl.session, app: a, playing: pl})
			}
		}
		a.mu.Unlock()
	}
	slices.SortFunc(out, func(x, y target) int { return cmp.Compare(x.session.id, y.session.id) })
	return out
}

const whyDropped = "dropped by an operator (control)"

// drop shows the targets out. A publisher's name is not kept for it: whoever is
// to take its place need not have its key.
func drop(targets []target) {
	for _, t := range targets {
		if t.playing != nil {
			t.session.kick(rtmp.StatusPlayFailed, whyDropped)
			continue
		}
		t.session.condemned.Store(true)
		t.session.kick(statusUnpublished, whyDropped)
	}
}

// redirect moves the targets to another name. All are looked at before one is
// moved: a publisher that asks in vain would lose the name it has.
func redirect(targets []target, newName string) error {
	name, query, _ := strings.Cut(newName, "?")
	if err := value.ValidStreamName(name); err != nil {
		return &api.ControlError{Status: http.StatusBadRequest, Reason: "newname: " + err.Error()}
	}
	publisher := make(map[*application]*session)
	for _, t := range targets {
		rules := t.app.rules.Load()
		why := ""
		switch {
		case rules.keys.holds(name):
			return &api.ControlError{Status: http.StatusBadRequest, Reason: "newname is a stream key: name the stream"}
		case t.playing != nil:
			why = t.session.playVerdict(rules, name)
		case publisher[t.app] != nil:
			why = "several publishers are meant, and one can have the name"
		default:
			publisher[t.app] = t.session
			why = t.app.busyFor(name, t.session)
		}
		if why != "" {
			return &api.ControlError{Status: http.StatusConflict, Reason: fmt.Sprintf("client %d of application %q can't have %q: %s", t.session.id, t.app.name, name, why)}
		}
	}
	for _, t := range targets {
		t.session.begin(&move{stream: t.stream, playing: t.playing, name: name, query: query})
	}
	return nil
}

// busyFor says why a publisher can't have name in place of its own; empty if it
// can.
func (a *application) busyFor(name string, sess *session) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.claimed-- // its own
	err := a.mayClaimLocked(name, sess)
	a.claimed++
	if err != nil {
		return err.Error()
	}
	return ""
}
