package apiserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// A done says how many sessions a call was about.
type done struct {
	Sessions int `json:"sessions"`
}

// pairs are the streams of that name that there are: live, or watched.
func (s *Server) pairs(filters []filter) (out []origin.SessionFilter) {
	seen := make(map[origin.SessionFilter]bool)
	add := func(app, name string) {
		f := origin.SessionFilter{App: app, Stream: name}
		if selected(filters, app, name) && !seen[f] {
			seen[f] = true
			out = append(out, f)
		}
	}
	figures := s.o.Origin.EachFigures()
	for i := range figures {
		add(figures[i].App, figures[i].Name)
	}
	for _, one := range s.o.Origin.Sessions(origin.SessionFilter{}) {
		add(one.App, one.Stream)
	}
	return out
}

// invalidateSessions has the viewers of streams decided upon again.
func (s *Server) invalidateSessions(c *api.Caller, arg json.RawMessage) (any, error) {
	names, err := texts(arg)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, f := range newFilters(names) {
		if f.wildcards {
			for _, p := range s.pairs([]filter{f}) {
				n += s.o.Origin.InvalidateSessions(p.App, p.Stream)
			}
			continue
		}
		// Also where nobody watches: whoever was refused is asked about again.
		if f.name == "" {
			return nil, refusal(http.StatusBadRequest, "which stream? an empty name would mean all")
		}
		n += s.o.Origin.InvalidateSessions(f.app, f.name)
	}
	s.log(c, "invalidate_sessions", n)
	return done{n}, nil
}

// stopSessions ends the sessions of streams: "stream", a list of them, or {stream: protocol}.
func (s *Server) stopSessions(c *api.Caller, arg json.RawMessage) (any, error) {
	protocols := make(map[string]string)
	if json.Unmarshal(arg, &protocols) != nil {
		clear(protocols)
		names, err := texts(arg)
		if err != nil {
			return nil, refusal(http.StatusBadRequest, `write "STREAM", ["STREAM", …] or {"STREAM":"PROTOCOL"}`)
		}
		for _, name := range names {
			protocols[name] = ""
		}
	}
	n := 0
	for name, protocol := range protocols {
		if name == "" {
			return nil, refusal(http.StatusBadRequest, "which stream? an empty name would mean all")
		}
		for _, f := range s.pairs([]filter{newFilter(name)}) {
			f.Protocol = protocol
			n += s.o.Origin.StopSessions(f)
		}
	}
	s.log(c, "stop_sessions", n)
	return done{n}, nil
}

// sessionIDs reads the ids of sessions: numbers, or texts with one.
func sessionIDs(arg json.RawMessage) ([]uint64, error) {
	var all []json.RawMessage
	if json.Unmarshal(arg, &all) != nil {
		all = []json.RawMessage{arg}
	}
	var ids []uint64
	for _, one := range all {
		id, err := sessionID(strings.Trim(string(one), `" `))
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func sessionID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, refusal(http.StatusBadRequest, clip(text)+" is no session: clients has them, as sessid")
	}
	return id, nil
}

func (s *Server) stopSessID(c *api.Caller, arg json.RawMessage) (any, error) {
	ids, err := sessionIDs(arg)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, id := range ids {
		n += s.o.Origin.StopSessions(origin.SessionFilter{ID: id})
	}
	s.log(c, "stop_sessid", n)
	return done{n}, nil
}

func (s *Server) stopTag(c *api.Caller, arg json.RawMessage) (any, error) {
	tags, err := texts(arg)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, tag := range tags {
		if tag == "" {
			return nil, refusal(http.StatusBadRequest, "which tag? an empty one would mean all sessions")
		}
		n += s.o.Origin.StopSessions(origin.SessionFilter{Tag: tag})
	}
	s.log(c, "stop_tag", n)
	return done{n}, nil
}

// tagSessID gives sessions tags: {id: tag}.
func (s *Server) tagSessID(c *api.Caller, arg json.RawMessage) (any, error) {
	var tags map[string]string
	if json.Unmarshal(arg, &tags) != nil {
		return nil, refusal(http.StatusBadRequest, `write {"SESSID":"TAG"}`)
	}
	n := 0
	for text, tag := range tags {
		id, err := sessionID(text)
		if err != nil {
			return nil, err
		}
		if err := checkTag(tag); err != nil {
			return nil, err
		}
		n += s.o.Origin.TagSessions(origin.SessionFilter{ID: id}, tag)
	}
	s.log(c, "tag_sessid", n)
	return done{n}, nil
}

func checkTag(tag string) error {
	if tag == "" || len(tag) > viewers.MaxTag || strings.ContainsFunc(tag, func(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune("[]", r) }) {
		return refusal(http.StatusBadRequest, "a tag has 1 to "+strconv.Itoa(viewers.MaxTag)+" bytes, and no [ or ]")
	}
	return nil
}

// nukeStream ends streams: the publisher, the wait for it, and who watches.
func (s *Server) nukeStream(c *api.Caller, arg json.RawMessage) (any, error) {
	names, err := texts(arg)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, name := range names {
		if name == "" {
			return nil, refusal(http.StatusBadRequest, "which stream? an empty name would mean all")
		}
		for _, f := range s.pairs([]filter{newFilter(name)}) {
			n += s.o.Origin.Kick(f.App, f.Stream, 0)
			s.o.Origin.StopSessions(f)
		}
	}
	s.log(c, "nuke_stream", n)
	return map[string]int{"streams": n}, nil
}

// log writes the one line about a call that changes something.
func (s *Server) log(c *api.Caller, call string, n int) {
	s.o.Log.Info("api", zap.String("call", call), zap.String("by", c.Name), zap.Stringer("remote", c.Address), zap.Int("count", n))
}
