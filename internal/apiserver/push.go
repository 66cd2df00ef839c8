package apiserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/apistate"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/output"
)

// pushStart sends live streams to another server until they end.
func (s *Server) pushStart(c *api.Caller, arg json.RawMessage) (any, error) {
	var pair []string
	var object struct{ Stream, Target string }
	switch {
	case json.Unmarshal(arg, &pair) == nil && len(pair) == 2:
		object.Stream, object.Target = pair[0], pair[1]
	case json.Unmarshal(arg, &object) != nil || object.Stream == "":
		return nil, refusal(http.StatusBadRequest, `write ["STREAM", "TARGET"] or {"stream":"STREAM", "target":"TARGET"}`)
	}
	started, already, err := s.startPushes(object.Stream, object.Target)
	if err != nil {
		return nil, err
	}
	s.log(c, "push_start", started)
	return map[string]int{"started": started, "already": already}, nil
}

func (s *Server) startPushes(streams, target string) (started, already int, err error) {
	if strings.HasPrefix(streams, "#") {
		return 0, 0, refusal(http.StatusBadRequest, "streams have no tags: write NAME, or NAME+ for its wildcard streams")
	}
	url, err := apistate.ParseTarget(target)
	if err != nil {
		return 0, 0, refusal(http.StatusBadRequest, err.Error())
	}
	kept, _ := s.o.State()
	live := false
	for _, st := range s.streams([]filter{newFilter(streams)}, true) {
		if !st.Publishing {
			continue
		}
		live = true
		fresh, err := s.o.Origin.StartPush(st.App, st.Name, apistate.Remote(url, kept.Wait))
		switch {
		case err != nil:
			return started, already, refusal(http.StatusConflict, err.Error())
		case fresh:
			started++
		default:
			already++
		}
	}
	if !live {
		return 0, 0, refusal(http.StatusNotFound, clip(streams)+" is not live: push_auto_add sends it whenever it is")
	}
	return started, already, nil
}

// pushList shows the pushes of the streams that are live, of the configuration too: id,
// stream, target, the target in use, log lines, status. Targets have no keys.
func (s *Server) pushList(*api.Caller, json.RawMessage) (any, error) {
	rows := [][]any{}
	for _, p := range s.o.Origin.Pushes("", "", "") {
		status := map[string]any{
			"active_seconds": 0, "bytes": p.Bytes, "mediatime": p.Duration.Milliseconds(), "current_target": p.Target,
			"state": pushState(&p), "application": p.App, "push": p.Name,
		}
		if !p.Since.IsZero() {
			status["active_seconds"] = int64(time.Since(p.Since) / time.Second)
		}
		logs := [][]any{}
		if p.Failing != "" {
			logs = append(logs, []any{seconds(p.FailingSince), "FAIL", p.Failing})
		}
		rows = append(rows, []any{p.ID(), p.Stream, p.Target, p.Target, logs, status})
	}
	return rows, nil
}

func pushState(p *origin.RunningPush) string {
	if p.Phase == "" {
		return output.Connecting
	}
	return p.Phase
}

// pushStop ends pushes: an id, ids, or the name of a stream. One of the configuration or of
// push_auto_add stays stopped until its stream ends.
func (s *Server) pushStop(c *api.Caller, arg json.RawMessage) (any, error) {
	var all []json.RawMessage
	if json.Unmarshal(arg, &all) != nil {
		all = []json.RawMessage{arg}
	}
	running := s.o.Origin.Pushes("", "", "")
	n := 0
	for _, one := range all {
		text := strings.Trim(string(one), `" `)
		id, err := strconv.ParseUint(text, 10, 64)
		f := newFilter(text)
		if text == "" || err != nil && f.name == "" {
			return nil, refusal(http.StatusBadRequest, `write the id of push_list, a list of them, or "STREAM"`)
		}
		for i := range running {
			p := &running[i]
			if (err == nil && p.ID() == id || err != nil && f.selects(p.App, p.Stream)) && s.o.Origin.StopPush(p) {
				n++
			}
		}
	}
	s.log(c, "push_stop", n)
	return map[string]int{"stopped": n}, nil
}
