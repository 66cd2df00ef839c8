package server

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/media"
)

// watchHealth has every publisher's doctor judge once a second until ctx ends.
func (s *Server) watchHealth(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.eachStream((*stream).examine)
			s.lookAtHealth()
		}
	}
}

// lookAtHealth makes the answer of health locations. They are open to strangers,
// and so must cost nothing.
func (s *Server) lookAtHealth() {
	var snap api.Snapshot
	s.count(&snap)
	s.mu.Lock()
	services := slices.Clone(s.services)
	s.mu.Unlock()
	for _, v := range services {
		snap.HooksDown = append(snap.HooksDown, v.hooksDown()...)
	}
	snap.Examine()
	var h api.Health
	h.Add(snap.Findings)
	failing, outputs := 0, 0
	s.eachStream(func(st *stream) {
		_, found := st.health()
		h.Add(found)
		f, all := st.outputs.failures()
		failing += len(f)
		outputs += all
	})
	h.OK = failing == 0 || failing < outputs
	s.healthNow.Store(&h)
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

// examine logs what is newly wrong with what the publisher sends: a line for
// each finding, not for each time it is seen.
func (st *stream) examine() {
	var fragment time.Duration
	if cfg := st.app.rules.Load().cfg.For(st.name); cfg.HLS != nil {
		fragment = cfg.HLS.Fragment
	}
	var found, cleared []doctor.Finding
	now := time.Now()
	st.write.Lock()
	sess := st.writer
	if st.doctor != nil {
		found = st.doctor.Examine(now, fragment, nil)
		cleared = st.doctor.Cleared(nil)
	}
	st.write.Unlock()
	for _, f := range cleared {
		sess.log.Info("what is published is better again",
			zap.String("stream", st.name), zap.String("finding", f.Name), zap.Duration("after", now.Sub(f.Since).Round(time.Second)))
	}
	for _, f := range found {
		log := sess.log.Warn
		if f.Level == doctor.Note {
			log = sess.log.Info
		}
		log("what is published could be better",
			zap.String("stream", st.name), zap.String("finding", f.Name), zap.String("advice", f.Advice))
	}
}

// complain has sess's doctor take in what is wrong with its bit stream, and logs
// what is new: a broken encoder repeats itself. err is of the message that
// brought it up, if it was left out.
func (st *stream) complain(sess *session, defects media.Defects, now time.Time, err error) {
	var found []doctor.Finding
	st.write.Lock()
	if st.writer == sess && st.doctor != nil {
		found = st.doctor.Bitstream(defects, now)
	}
	st.write.Unlock()
	for _, f := range found {
		sess.log.Warn("bad media message",
			zap.String("stream", st.name), zap.String("finding", f.Name), zap.String("advice", f.Advice), zap.Error(err))
	}
}

// health is what was measured of the present publisher, and what is wrong with the
// stream: its outputs first, then what the publisher sends.
func (st *stream) health() (doctor.Figures, []doctor.Finding) {
	found, _ := st.outputs.failures()
	st.write.Lock()
	defer st.write.Unlock()
	if st.doctor == nil {
		return doctor.Figures{}, found
	}
	return st.doctor.Figures(), append(found, st.doctor.Findings()...)
}
