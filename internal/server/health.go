package server

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/doctor"
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
		}
	}
}

// examine logs what is newly wrong with what the publisher sends: a line for
// each finding, not for each time it is seen.
func (st *stream) examine() {
	var fragment time.Duration
	if cfg := st.app.rules.Load().cfg.For(st.name); cfg.HLS != nil {
		fragment = cfg.HLS.Fragment
	}
	var found []doctor.Finding
	st.write.Lock()
	sess := st.writer
	if st.doctor != nil {
		found = st.doctor.Examine(time.Now(), fragment, nil)
	}
	st.write.Unlock()
	for _, f := range found {
		log := sess.log.Warn
		if f.Level == doctor.Note {
			log = sess.log.Info
		}
		log("what is published could be better",
			zap.String("stream", st.name), zap.String("finding", f.Name), zap.String("advice", f.Advice))
	}
}

// health is what the doctor of the present publisher has found.
func (st *stream) health() (doctor.Figures, []doctor.Finding) {
	st.write.Lock()
	defer st.write.Unlock()
	if st.doctor == nil {
		return doctor.Figures{}, nil
	}
	return st.doctor.Figures(), st.doctor.Findings()
}
