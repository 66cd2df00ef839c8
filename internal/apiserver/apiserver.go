// Package apiserver answers api locations: MistServer's commands as its scripts send
// them, and the same as REST below v1.
//
//	POST /api2 {"active_streams":true}   a command is a name and an argument: mist.go has the table
//	GET  /api2/ws                        what changes, over a WebSocket
//	GET  /api2/v1/streams                REST: rest.go has the table
//
// Run keeps the history of the last ten minutes for totals; its goroutine is the caller's.
package apiserver

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/apistate"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

// Options are what a Server is made with.
type Options struct {
	Origin  *origin.Origin
	Version string
	Log     *zap.Logger
	// Wanted reports whether there is an api location: without one no history is kept.
	Wanted func() bool
	Lines  *Lines // of the log
	// Health is that of the server, as health locations show it.
	Health func() api.Health
	// State is what the API has changed, and the configuration without that.
	State func() (*apistate.State, *config.Config)
	// Change changes it: all that change does to next, or nothing.
	Change func(change func(next *apistate.State, cfg *config.Config) error) error
}

// A Server answers the requests of all api locations.
type Server struct {
	o       Options
	history history
	sockets atomic.Int64 // WebSockets
}

// New returns a Server.
func New(o Options) *Server { return &Server{o: o} }

// Handler returns what serves the api location at a path.
func (s *Server) Handler(_ config.API, at string) func(http.ResponseWriter, *http.Request, api.Caller) {
	older := path.Base(at) == "api" // MistServer's /api says in each answer who asks
	return func(w http.ResponseWriter, r *http.Request, c api.Caller) {
		h := w.Header()
		if h["Cache-Control"] == nil {
			h.Set("Cache-Control", "no-store")
		}
		h.Set("X-Content-Type-Options", "nosniff")
		if websocket.IsUpgrade(r) {
			if c.Path == "/ws" || c.Path == "" && path.Base(at) == "ws" {
				s.serveSocket(w, r, c)
				return
			}
			http.Error(w, "the WebSocket is "+strings.TrimSuffix(at, "/")+"/ws", http.StatusNotFound)
			return
		}
		switch rest, v1 := strings.CutPrefix(c.Path, "/v1"); {
		case v1 && (rest == "" || rest[0] == '/'):
			s.serveREST(w, r, c, rest)
		case c.Path == "" || c.Path == "/":
			s.serveMist(w, r, &c, older)
		default:
			writeJSON(w, http.StatusNotFound, problem{"there is no such call: MistServer's are " + strings.TrimSuffix(at, "/") + "?command=JSON, REST is " + strings.TrimSuffix(at, "/") + "/v1"})
		}
	}
}

// A problem is an answer that says what is wrong.
type problem struct {
	Error string `json:"error"`
}

// refusal is why a call is not carried out.
func refusal(status int, reason string) error {
	return &api.ControlError{Status: status, Reason: reason}
}

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 16 << 20

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err == nil && len(b) > maxAnswer {
		status = http.StatusInsufficientStorage
		b, err = json.Marshal(problem{"the answer is too long: ask for fewer streams or fields"})
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // a client that went away
}

// seconds are whole seconds of Unix time.
func seconds(t time.Time) int64 { return t.Unix() }
