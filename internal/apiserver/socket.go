package apiserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

const (
	// maxSockets bounds the WebSockets: each looks at all streams by itself.
	maxSockets = 64
	// lookEvery is how often a WebSocket looks for changes.
	lookEvery = 500 * time.Millisecond
	// pingEvery is well below the time after which proxies close what is silent.
	pingEvery = 10 * time.Second
)

// serveSocket pushes what changes, in MistServer's frames, until the client or the server
// ends: ["auth",true], ["stream",[NAME,STATUS,VIEWERS,INPUTS,OUTPUTS,TAGS]], ["log",LINE].
// The query says what: streams=1, and logs=N for the last N lines of the log and those to
// come. Without either it is streams. What the client sends is not read.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request, c api.Caller) {
	query := r.URL.Query()
	logs, err := strconv.Atoi(query.Get("logs"))
	wantsLog := err == nil && logs >= 0
	streams := query.Has("streams") && query.Get("streams") != "0" || !wantsLog
	switch {
	case !c.May("read"):
		answerError(w, refusal(http.StatusForbidden, "this token may not: its scopes lack read"))
		return
	case query.Has("logs") && !wantsLog:
		answerError(w, refusal(http.StatusBadRequest, "logs is the number of lines"))
		return
	case s.sockets.Add(1) > maxSockets:
		s.sockets.Add(-1)
		w.Header().Set("Retry-After", "30")
		answerError(w, refusal(http.StatusServiceUnavailable, "too many WebSockets: ask without one"))
		return
	}
	defer s.sockets.Add(-1)
	conn, err := websocket.Accept(w, r)
	if err != nil {
		return // it was answered
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = conn.Drain() // whatever the reason: the client is gone
	}()
	code, why := s.push(conn, &c, streams, wantsLog, logs, gone)
	conn.Close(code, why) // ends Drain
	<-gone
}

// push sends until the connection is to be closed, and says why.
func (s *Server) push(conn *websocket.Conn, c *api.Caller, streams, wantsLog bool, logs int, gone <-chan struct{}) (code uint16, why string) {
	send := func(frame ...any) bool {
		text, err := json.Marshal(frame)
		return err == nil && conn.Send(text) == nil
	}
	if !send("auth", true) {
		return websocket.GoingAway, ""
	}
	told := make(map[string]streamState)
	next := s.o.Lines.before(logs)
	ping, look := time.NewTicker(pingEvery), time.NewTicker(lookEvery)
	defer ping.Stop()
	defer look.Stop()
	for {
		if streams && !s.sendStreams(told, send) {
			return websocket.GoingAway, ""
		}
		if wantsLog {
			var lines []logLine
			for lines, next = s.o.Lines.since(next); len(lines) > 0; lines = lines[1:] {
				if !send("log", lines[0].row()) {
					return websocket.GoingAway, ""
				}
			}
		}
		select {
		case <-gone:
			return websocket.GoingAway, ""
		case <-c.Ending:
			return websocket.GoingAway, "the server stops or was reconfigured"
		case <-look.C:
		case <-ping.C:
			if conn.Ping() != nil {
				return websocket.GoingAway, ""
			}
		}
	}
}

// A streamState is what a WebSocket tells of a stream.
type streamState struct {
	status                   string
	viewers, inputs, outputs int
}

// sendStreams sends what has changed since it was told.
func (s *Server) sendStreams(told map[string]streamState, send func(...any) bool) bool {
	tell := func(name string, now streamState) bool {
		return send("stream", []any{name, now.status, now.viewers, now.inputs, now.outputs, []string{}})
	}
	seen := make(map[string]bool)
	for _, st := range s.streams(nil, true) {
		seen[st.name] = true
		now := streamState{status: status(st.Figures), viewers: st.Players + st.Viewers, outputs: st.Outputs}
		if st.Publishing {
			now.inputs = 1
		}
		if told[st.name] == now {
			continue
		}
		if told[st.name] = now; !tell(st.name, now) {
			return false
		}
	}
	for name := range told {
		if !seen[name] {
			delete(told, name)
			if !tell(name, streamState{status: "Offline"}) {
				return false
			}
		}
	}
	return true
}
