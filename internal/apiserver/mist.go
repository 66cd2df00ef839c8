package apiserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"runtime"
	"slices"

	"github.com/rtmpd/rtmpd/internal/api"
)

// A command is one of MistServer's.
type command struct {
	name  string
	scope string // what its caller must be allowed
	// do carries it out. nothing is the answer of one that has none.
	do func(s *Server, c *api.Caller, arg json.RawMessage) (answer any, err error)
}

type nothing struct{}

// commands are those that there are, in the order in which those of one request are
// carried out: what acts comes first, so that what shows sees it done.
func commands() []command {
	return []command{
		{"authorize", "", (*Server).authorize},

		{"streamkey_del", "keys", (*Server).streamKeyDel},
		{"streamkey_add", "keys", (*Server).streamKeyAdd},
		{"push_auto_remove", "push", (*Server).pushAutoRemove},
		{"push_settings", "push", (*Server).pushSettings},
		{"push_auto_add", "push", (*Server).pushAutoAdd},
		{"push_stop", "push", (*Server).pushStop},
		{"push_stop_graceful", "push", (*Server).pushStop},
		{"push_start", "push", (*Server).pushStart},
		{"nuke_stream", "keys", (*Server).nukeStream},
		{"stop_sessions", "sessions", (*Server).stopSessions},
		{"stop_sessid", "sessions", (*Server).stopSessID},
		{"stop_tag", "sessions", (*Server).stopTag},
		{"tag_sessid", "sessions", (*Server).tagSessID},
		{"invalidate_sessions", "sessions", (*Server).invalidateSessions},

		{"version", "read", (*Server).version},
		{"capabilities", "read", (*Server).capabilities},
		{"active_streams", "read", (*Server).activeStreams},
		{"stats_streams", "read", (*Server).statsStreams},
		{"clients", "read", (*Server).clients},
		{"totals", "read", (*Server).totals},
		{"log", "read", (*Server).logLines},
		{"push_list", "read", (*Server).pushList},
		{"push_auto_list", "read", (*Server).pushAutoList},
		{"auto_push", "read", (*Server).autoPushMap},
		{"streamkeys", "keys", (*Server).streamKeys},
	}
}

// unserved are calls of MistServer that are not here, and what there is instead.
var unserved = map[string]string{
	"browse":          "nobody sees the server's files through an API",
	"addstream":       "streams need no rows: any name that an application and its keys let in may be published",
	"deletestream":    "streams need no rows: nuke_stream ends one",
	"streams":         "streams need no rows: active_streams lists those that are live",
	"config":          "the configuration is a file: saving it reloads",
	"save":            "the configuration is a file: saving it reloads; what the API changes is kept by itself",
	"config_backup":   "the configuration is a file",
	"config_restore":  "the configuration is a file",
	"config_reload":   "rtmpd reload, or save the file",
	"variable_add":    "a configuration has env() and file() instead of variables",
	"variable_list":   "a configuration has env() and file() instead of variables",
	"variable_remove": "a configuration has env() and file() instead of variables",
	"addjwks":         "tokens { jwks = … } names the keys of JWT",
	"deletejwks":      "tokens { jwks = … } names the keys of JWT",
	"bandwidth":       "limits { bandwidth = … } in the configuration limits it; max_bandwidth that of one stream",
	"shutdown":        "rtmpd stop",
	"clearstatlogs":   "the log is kept where the configuration says",
	"tag_stream":      "streams have no tags; a session has: tag_sessid",
	"untag_stream":    "streams have no tags; a session has: tag_sessid",
	"stream_tags":     "streams have no tags; a session has: tag_sessid",
	"tags":            "streams have no tags; a session has: tag_sessid",
	"load":            "metrics locations have the load of the machine",
	"proc_list":       "exec blocks of the configuration run programs",
	"playlist":        "rtmpd plays no lists",
	"minimal":         "",
}

// serveMist answers MistServer's commands.
func (s *Server) serveMist(w http.ResponseWriter, r *http.Request, c *api.Caller, older bool) {
	var asked map[string]json.RawMessage
	var err error
	if r.Method == http.MethodDelete {
		err = refusal(http.StatusMethodNotAllowed, "commands are sent with GET or POST")
	} else {
		asked, err = readCommands(r)
	}
	if err != nil {
		answerError(w, err)
		return
	}
	status, answer := s.carryOut(c, asked, older)
	writeJSON(w, status, answer)
}

// carryOut carries out commands, and returns the answer of each under its name. The status
// is that of the last one that was refused if all were.
func (s *Server) carryOut(c *api.Caller, asked map[string]json.RawMessage, older bool) (status int, answer map[string]any) {
	answer = make(map[string]any)
	_, explicit := asked["authorize"]
	if older || len(asked) == 0 {
		asked["authorize"] = nil
	}
	status = http.StatusOK
	good := 0
	refuse := func(name string, code int, why string) { answer[name], status = problem{why}, code }
	for _, cmd := range commands() {
		arg, there := asked[cmd.name]
		if !there {
			continue
		}
		delete(asked, cmd.name)
		if cmd.scope != "" && !c.May(cmd.scope) {
			refuse(cmd.name, http.StatusForbidden, "this token may not: its scopes lack "+cmd.scope)
			continue
		}
		out, err := cmd.do(s, c, arg)
		if code, why := statusOf(err); err != nil {
			refuse(cmd.name, code, why)
			continue
		}
		if cmd.name != "authorize" || explicit {
			good++
		}
		if _, none := out.(nothing); !none {
			answer[cmd.name] = out
		}
	}
	names := make([]string, 0, len(asked))
	for name := range asked {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		why, known := unserved[name]
		switch {
		case known && why == "":
		case known:
			refuse(name, http.StatusNotFound, why)
		default:
			refuse(clip(name), http.StatusNotFound, "rtmpd has no such call")
		}
	}
	if good > 0 {
		status = http.StatusOK
	}
	return status, answer
}

// clip bounds what is repeated of a request.
func clip(text string) string {
	const most = 64
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// statusOf is the status of HTTP for an error, and what is said.
func statusOf(err error) (status int, reason string) {
	var why *api.ControlError
	switch {
	case err == nil:
		return http.StatusOK, ""
	case errors.As(err, &why):
		return why.Status, why.Reason
	}
	return http.StatusInternalServerError, err.Error()
}

func answerError(w http.ResponseWriter, err error) {
	status, reason := statusOf(err)
	writeJSON(w, status, problem{reason})
}

// authorize says who asks. Whoever gets here was let in before.
func (s *Server) authorize(c *api.Caller, _ json.RawMessage) (any, error) {
	return map[string]any{"status": "OK", "scopes": c.Scopes}, nil
}

func (s *Server) version(*api.Caller, json.RawMessage) (any, error) {
	return map[string]any{"version": s.o.Version, "release": "rtmpd"}, nil
}

// capabilities are MistServer's figures of the machine and of what is served.
func (s *Server) capabilities(*api.Caller, json.RawMessage) (any, error) {
	connectors := map[string]any{}
	for name, what := range map[string]string{"RTMP": "publish and play", "HLS": "play", "CMAF": "play: HLS and DASH with fragmented MP4"} {
		connectors[name] = map[string]any{"name": name, "desc": what}
	}
	return map[string]any{
		"connectors": connectors,
		"cpu":        []any{map[string]any{"cores": runtime.NumCPU(), "threads": runtime.GOMAXPROCS(0)}},
		"pid":        os.Getpid(),
	}, nil
}
