package apiserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/apistate"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// Count is how many sessions a call was about.
type Count struct {
	Sessions int `json:"sessions"`
}

// Invalidation says about whom to decide again.
type Invalidation struct {
	Application string `json:"application,omitempty" what:"unset: every application that has such a stream"`
	Stream      string `json:"stream"`
}

// Tag is a tag for a session.
type Tag struct {
	Tag string `json:"tag"`
}

// Pushes are the pushes that run, and those that the API keeps.
type Pushes struct {
	Running []RunningPush `json:"running"`
	Kept    []KeptPush    `json:"kept"`
	Wait    int           `json:"wait_seconds" what:"how long a push of the API waits after its first failure; 0: 3 s"`
}

// RunningPush is a push of a stream that is live.
type RunningPush struct {
	ID          uint64     `json:"id"`
	Application string     `json:"application"`
	Stream      string     `json:"stream"`
	Push        string     `json:"push" what:"the label of its block"`
	State       string     `json:"state" what:"live, connecting, waiting or stopped"`
	Target      string     `json:"target" what:"without its key"`
	Since       *time.Time `json:"since,omitempty"`
	Bytes       uint64     `json:"bytes"`
	Failing     string     `json:"failing,omitempty"`
}

// KeptPush is a push that the API has added.
type KeptPush struct {
	ID            string     `json:"id"`
	Application   string     `json:"application"`
	Stream        string     `json:"stream" what:"NAME: that stream alone; NAME+: its wildcard streams"`
	Target        string     `json:"target" what:"without its key"`
	Inhibit       []string   `json:"inhibit" what:"streams that it is not for"`
	NotBefore     *time.Time `json:"not_before,omitempty"`
	NotAfter      *time.Time `json:"not_after,omitempty"`
	WithoutEffect string     `json:"without_effect,omitempty" what:"why it has none"`
}

// NewPush is a push to be.
type NewPush struct {
	Stream    string     `json:"stream" what:"APPLICATION/NAME, or NAME where one application fits; NAME+ means its wildcard streams"`
	Target    string     `json:"target" what:"rtmp:// or rtmps://, with the key"`
	Inhibit   []string   `json:"inhibit,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty" what:"it runs from then on"`
	NotAfter  *time.Time `json:"not_after,omitempty" what:"it runs until then"`
	Once      bool       `json:"once,omitempty" what:"true: now, until the stream ends; it must be live"`
}

// PushIDs are what was added.
type PushIDs struct {
	Kept    []string `json:"kept" what:"the ids of pushes that are kept"`
	Started int      `json:"started" what:"how many were begun, of those for once"`
}

// Keys are the stream keys that the API keeps.
type Keys struct {
	Keys []Key `json:"keys"`
}

// Key is one of them.
type Key struct {
	ID            string `json:"id" what:"the beginning of the key's SHA-256"`
	Application   string `json:"application"`
	Stream        string `json:"stream"`
	WithoutEffect string `json:"without_effect,omitempty" what:"why it has none"`
}

// NewKey is a key to be.
type NewKey struct {
	Key    string `json:"key" what:"12 or more of A-Z a-z 0-9 . _ ~ -; it is never shown again"`
	Stream string `json:"stream" what:"APPLICATION/NAME, or NAME where one application fits"`
}

func (s *Server) restEndStream(q *restCall) (any, error) {
	app, name := q.path["application"], q.path["stream"]
	if s.figuresOf(app, name) == nil {
		return nil, noStream(q)
	}
	n := s.o.Origin.Kick(app, name, 0)
	s.o.Origin.StopSessions(origin.SessionFilter{App: app, Stream: name})
	s.log(q.caller, "end stream", n)
	return nil, nil
}

func (s *Server) restEndSessions(q *restCall) (any, error) {
	f := q.filter()
	if f == (origin.SessionFilter{}) {
		return nil, refusal(http.StatusBadRequest, "which sessions? name application, stream, tag or protocol")
	}
	n := s.o.Origin.StopSessions(f)
	s.log(q.caller, "end sessions", n)
	return Count{n}, nil
}

func (s *Server) restEndSession(q *restCall) (any, error) {
	id, err := sessionID(q.path["session"])
	if err != nil {
		return nil, err
	}
	n := s.o.Origin.StopSessions(origin.SessionFilter{ID: id})
	if n == 0 {
		return nil, refusal(http.StatusNotFound, "there is no session "+q.path["session"])
	}
	s.log(q.caller, "end session", n)
	return nil, nil
}

func (s *Server) restInvalidate(q *restCall) (any, error) {
	var want Invalidation
	if err := q.read(&want); err != nil {
		return nil, err
	}
	if want.Stream == "" {
		return nil, refusal(http.StatusBadRequest, "which stream? stream is missing")
	}
	n := s.o.Origin.InvalidateSessions(want.Application, want.Stream)
	s.log(q.caller, "invalidate", n)
	return Count{n}, nil
}

func (s *Server) restTag(q *restCall) (any, error) {
	id, err := sessionID(q.path["session"])
	if err != nil {
		return nil, err
	}
	var want Tag
	if err := q.read(&want); err != nil {
		return nil, err
	}
	if err := checkTag(want.Tag); err != nil {
		return nil, err
	}
	if s.o.Origin.TagSessions(origin.SessionFilter{ID: id}, want.Tag) == 0 {
		return nil, refusal(http.StatusNotFound, "there is no session "+q.path["session"])
	}
	s.log(q.caller, "tag", 1)
	return nil, nil
}

func (s *Server) restPushes(*restCall) (any, error) {
	kept, cfg := s.o.State()
	out := Pushes{Running: []RunningPush{}, Kept: []KeptPush{}, Wait: kept.Wait}
	for _, p := range s.o.Origin.Pushes("", "", "") {
		one := RunningPush{
			ID: p.ID(), Application: p.App, Stream: p.Stream, Push: p.Name, State: pushState(&p), Target: p.Target, Bytes: p.Bytes, Failing: p.Failing,
		}
		if !p.Since.IsZero() {
			one.Since = new(p.Since.UTC())
		}
		out.Running = append(out.Running, one)
	}
	for i := range kept.Pushes {
		p := &kept.Pushes[i]
		one := KeptPush{
			ID: p.ID, Application: p.App, Stream: p.Streams, Target: shownTarget(p), Inhibit: append([]string{}, p.Inhibit...), WithoutEffect: noEffect(cfg, p),
		}
		if p.NotBefore != 0 {
			one.NotBefore = new(time.Unix(p.NotBefore, 0).UTC())
		}
		if p.NotAfter != 0 {
			one.NotAfter = new(time.Unix(p.NotAfter, 0).UTC())
		}
		out.Kept = append(out.Kept, one)
	}
	return out, nil
}

func (s *Server) restAddPush(q *restCall) (any, error) {
	var want NewPush
	if err := q.read(&want); err != nil {
		return nil, err
	}
	out := PushIDs{Kept: []string{}}
	if want.Once {
		if len(want.Inhibit) > 0 || want.NotBefore != nil || want.NotAfter != nil {
			return nil, refusal(http.StatusBadRequest, "inhibit, not_before and not_after are for a push that is kept")
		}
		started, already, err := s.startPushes(want.Stream, want.Target)
		if err != nil {
			return nil, err
		}
		s.log(q.caller, "push", started)
		out.Started = started + already
		return out, nil
	}
	p := autoPush{Stream: want.Stream, Target: want.Target}
	if len(want.Inhibit) > 0 {
		p.Inhibit, _ = json.Marshal(want.Inhibit) // strings: it can't fail
	}
	if want.NotBefore != nil {
		p.ScheduleTime = json.Number(strconv.FormatInt(want.NotBefore.Unix(), 10))
	}
	if want.NotAfter != nil {
		p.CompleteTime = json.Number(strconv.FormatInt(want.NotAfter.Unix(), 10))
	}
	added, there, err := s.addPushes([]autoPush{p})
	if err != nil {
		return nil, err
	}
	s.log(q.caller, "keep push", len(added))
	out.Kept = append(added, there...)
	return out, nil
}

func (s *Server) restEndPush(q *restCall) (any, error) {
	word := q.path["push"]
	n := 0
	if id := number(word); id > 0 {
		for _, p := range s.o.Origin.Pushes("", "", "") {
			if p.ID() == id && s.o.Origin.StopPush(&p) {
				n++
			}
		}
	}
	if n == 0 {
		var err error
		if n, err = s.removePushes(func(p *apistate.Push) bool { return p.ID == word }); err != nil {
			return nil, err
		}
	}
	if n == 0 {
		return nil, refusal(http.StatusNotFound, "no push runs that has this id, and none is kept: "+clip(word))
	}
	s.log(q.caller, "end push", n)
	return nil, nil
}

func (s *Server) restKeys(*restCall) (any, error) {
	kept, cfg := s.o.State()
	out := Keys{Keys: []Key{}}
	for i := range kept.Keys {
		k := &kept.Keys[i]
		out.Keys = append(out.Keys, Key{ID: k.SHA256[:idLength], Application: k.App, Stream: k.Stream, WithoutEffect: whyNoKey(cfg, k)})
	}
	return out, nil
}

func (s *Server) restAddKey(q *restCall) (any, error) {
	var want NewKey
	if err := q.read(&want); err != nil {
		return nil, err
	}
	k, err := s.addKey(want.Key, want.Stream)
	if err != nil {
		return nil, err
	}
	s.log(q.caller, "add key", 1)
	return Key{ID: k.SHA256[:idLength], Application: k.App, Stream: k.Stream}, nil
}

func (s *Server) restDeleteKey(q *restCall) (any, error) {
	n, err := s.deleteKeys([]string{"sha256:" + q.path["key"]})
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, refusal(http.StatusNotFound, "the API keeps no key of this id: "+clip(q.path["key"]))
	}
	s.log(q.caller, "delete key", n)
	return nil, nil
}

// removePushes forgets pushes that are kept.
func (s *Server) removePushes(which func(*apistate.Push) bool) (n int, err error) {
	err = s.o.Change(func(next *apistate.State, _ *config.Config) error {
		left := next.Pushes[:0:0]
		for i := range next.Pushes {
			if !which(&next.Pushes[i]) {
				left = append(left, next.Pushes[i])
			}
		}
		n = len(next.Pushes) - len(left)
		next.Pushes = left
		return nil
	})
	return n, err
}
