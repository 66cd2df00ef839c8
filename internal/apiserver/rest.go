package apiserver

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/rtmpd/rtmpd/internal/api"
)

// A route is a call of REST. The OpenAPI document is made of the same table.
type route struct {
	method, path string // below /v1; a part in braces is a parameter
	scope        string // that the caller must have; empty: none
	summary      string
	query        []param
	body         any // a value of the type of the body; nil: none is read
	status       int // of a good answer
	answer       any // a value of its type; nil: there is none
	do           func(s *Server, q *restCall) (any, error)
}

// A param is a parameter in the query.
type param struct{ name, what string }

// A restCall is a request to a route.
type restCall struct {
	caller *api.Caller
	path   map[string]string // parameters
	query  map[string]string
	body   []byte
}

// read reads the body into v. Members that are not known are a mistake.
func (q *restCall) read(v any) error {
	d := json.NewDecoder(bytes.NewReader(q.body))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return refusal(http.StatusBadRequest, "the body is not what openapi.json says: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.More() {
		return refusal(http.StatusBadRequest, "the body is more than one object")
	}
	return nil
}

var (
	byApplication = param{"application", "only those of this application"}
	byStream      = param{"stream", "only those of the stream of this name"}
	byTag         = param{"tag", "only those with this tag"}
	byProtocol    = param{"protocol", "only those that watch by this: rtmp, hls or dash"}
)

func routes() []route {
	return []route{
		{"GET", "/openapi.json", "", "This document", nil, nil, 200, map[string]any{}, (*Server).restOpenAPI},
		{"GET", "/version", "read", "What serves this", nil, nil, 200, Version{}, (*Server).restVersion},
		{"GET", "/health", "read", "Whether all is well, and what is not", nil, nil, 200, Health{}, (*Server).restHealth},
		{"GET", "/streams", "read", "The streams that there are", []param{byApplication, {"ready", "true: only those that can be watched"}}, nil, 200, Streams{}, (*Server).restStreams},
		{"GET", "/streams/{application}/{stream}", "read", "One stream", nil, nil, 200, Stream{}, (*Server).restStream},
		{"DELETE", "/streams/{application}/{stream}", "keys", "End a stream: disconnect its publisher and those who watch", nil, nil, 204, nil, (*Server).restEndStream},
		{"GET", "/sessions", "read", "Who watches", []param{byApplication, byStream, byTag, byProtocol}, nil, 200, Sessions{}, (*Server).restSessions},
		{"DELETE", "/sessions", "sessions", "End the sessions that the query selects; one parameter at least", []param{byApplication, byStream, byTag, byProtocol}, nil, 200, Count{}, (*Server).restEndSessions},
		{"POST", "/sessions/invalidate", "sessions", "Decide again about those who watch, and those who were refused", nil, Invalidation{}, 200, Count{}, (*Server).restInvalidate},
		{"DELETE", "/sessions/{session}", "sessions", "End one session", nil, nil, 204, nil, (*Server).restEndSession},
		{"POST", "/sessions/{session}/tags", "sessions", "Give a session a tag", nil, Tag{}, 204, nil, (*Server).restTag},
		{"GET", "/pushes", "read", "The pushes of the streams that are live, and those that the API keeps", nil, nil, 200, Pushes{}, (*Server).restPushes},
		{"POST", "/pushes", "push", "Send a stream to another server: whenever it is live, or once", nil, NewPush{}, 201, PushIDs{}, (*Server).restAddPush},
		{"DELETE", "/pushes/{push}", "push", "End a push that runs, or forget one that is kept", nil, nil, 204, nil, (*Server).restEndPush},
		{"GET", "/keys", "keys", "The stream keys that the API keeps", nil, nil, 200, Keys{}, (*Server).restKeys},
		{"POST", "/keys", "keys", "Keep a stream key", nil, NewKey{}, 201, Key{}, (*Server).restAddKey},
		{"DELETE", "/keys/{key}", "keys", "Forget a stream key; whoever publishes with it is disconnected", nil, nil, 204, nil, (*Server).restDeleteKey},
		{"GET", "/recordings", "read", "What is being recorded", []param{byApplication, byStream}, nil, 200, Recordings{}, (*Server).restRecordings},
	}
}

// fits returns the parameters of a path if it is of the route.
func (rt *route) fits(path string) (map[string]string, bool) {
	want, got := strings.Split(rt.path, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	params := make(map[string]string)
	for i, part := range want {
		name, isParam := strings.CutPrefix(part, "{")
		switch {
		case isParam && got[i] != "":
			params[strings.TrimSuffix(name, "}")] = got[i]
		case part != got[i]:
			return nil, false
		}
	}
	return params, true
}

// serveREST answers a call of REST.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, c api.Caller, path string) {
	var allowed []string
	for _, rt := range routes() {
		params, ok := rt.fits(path)
		if !ok {
			continue
		}
		if rt.method != r.Method {
			allowed = append(allowed, rt.method)
			continue
		}
		status, answer, err := s.call(&rt, r, &c, params)
		switch {
		case err != nil:
			answerError(w, err)
		case rt.answer == nil:
			w.WriteHeader(rt.status)
		default:
			writeJSON(w, status, answer)
		}
		return
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		answerError(w, refusal(http.StatusMethodNotAllowed, "this is called with "+strings.Join(allowed, ", ")))
		return
	}
	answerError(w, refusal(http.StatusNotFound, "there is no such call: openapi.json lists them"))
}

// call carries out a call.
func (s *Server) call(rt *route, r *http.Request, c *api.Caller, params map[string]string) (status int, answer any, err error) {
	if rt.scope != "" && !c.May(rt.scope) {
		return 0, nil, refusal(http.StatusForbidden, "this token may not: its scopes lack "+rt.scope)
	}
	q := restCall{caller: c, path: params, query: make(map[string]string)}
	for name, values := range r.URL.Query() {
		known := false
		for _, p := range rt.query {
			known = known || p.name == name
		}
		switch {
		case !known:
			return 0, nil, refusal(http.StatusBadRequest, "there is no parameter "+clip(name))
		case len(values) != 1 || values[0] == "":
			return 0, nil, refusal(http.StatusBadRequest, name+" is empty, or there twice: leave it out to mean all")
		}
		q.query[name] = values[0]
	}
	if rt.body != nil {
		if q.body, err = readBody(r); err != nil {
			return 0, nil, err
		}
	}
	answer, err = rt.do(s, &q)
	return rt.status, answer, err
}
