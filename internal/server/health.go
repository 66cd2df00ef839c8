package server

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// watchHealth examines every publisher once a second until ctx ends.
func (s *Server) watchHealth(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.origin.EachStream((*origin.Stream).Examine)
			s.lookAtHealth()
		}
	}
}

// lookAtHealth makes the answer of health locations. They are open to strangers,
// and so must cost nothing.
func (s *Server) lookAtHealth() {
	var snap api.Snapshot
	s.count(&snap)
	for _, b := range s.running() {
		snap.HooksDown = append(snap.HooksDown, b.HooksDown()...)
	}
	snap.Examine()
	var h api.Health
	h.Add(snap.Findings)
	failing, outputs := 0, 0
	s.origin.EachStream(func(st *origin.Stream) {
		_, found := st.Health()
		h.Add(found)
		f, all := st.FailingOutputs()
		failing += f
		outputs += all
	})
	h.OK = failing == 0 || failing < outputs
	s.healthNow.Store(&h)
	s.examined.Store(new(time.Now()))
}

// Examined is when every stream was last looked at. That is once a second, unless the
// server stands still.
func (s *Server) Examined() time.Time {
	if at := s.examined.Load(); at != nil {
		return *at
	}
	return s.started
}

// Health is how the server was a second ago, at most.
func (s *Server) Health() api.Health {
	h := api.Health{OK: true}
	if now := s.healthNow.Load(); now != nil {
		h = *now
	}
	h.OK = h.OK && !s.stopping()
	return h
}

// serveHealth answers health locations: 503 when the server can't do its job.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	h := s.Health()
	if !h.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, h.Text())
}
