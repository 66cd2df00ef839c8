package server

import (
	"context"
	"time"

	"go.uber.org/zap"

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

// health is what the doctor of the present publisher has found.
func (st *stream) health() (doctor.Figures, []doctor.Finding) {
	st.write.Lock()
	defer st.write.Unlock()
	if st.doctor == nil {
		return doctor.Figures{}, nil
	}
	return st.doctor.Figures(), st.doctor.Findings()
}
