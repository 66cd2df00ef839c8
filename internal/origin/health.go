package origin

import (
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/media"
)

// Examine logs what is newly wrong with what the publisher sends: a line for
// each finding, not for each time it is seen.
func (st *Stream) Examine() {
	var fragment time.Duration
	switch cfg := st.app.rules.Load().cfg.For(st.name); {
	case cfg.HLS != nil:
		fragment = cfg.HLS.Fragment
	case cfg.DASH != nil:
		fragment = cfg.DASH.Fragment
	}
	var found, cleared []doctor.Finding
	now := time.Now()
	st.write.Lock()
	by := st.writer
	if st.doctor != nil {
		found = st.doctor.Examine(now, fragment, nil)
		cleared = st.doctor.Cleared(nil)
	}
	st.write.Unlock()
	for _, f := range cleared {
		by.log.Info("what is published is better again",
			zap.String("stream", st.name), zap.String("finding", f.Name), zap.Duration("after", now.Sub(f.Since).Round(time.Second)))
	}
	for _, f := range found {
		log := by.log.Warn
		if f.Level == doctor.Note {
			log = by.log.Info
		}
		log("what is published could be better",
			zap.String("stream", st.name), zap.String("finding", f.Name), zap.String("advice", f.Advice))
	}
}

// complain has by's doctor take in what is wrong with its bit stream, and logs
// what is new: a broken encoder repeats itself. err is of the message that
// brought it up, if it was left out.
func (st *Stream) complain(by *Publication, defects media.Defects, now time.Time, err error) {
	var found []doctor.Finding
	st.write.Lock()
	if st.writer == by && st.doctor != nil {
		found = st.doctor.Bitstream(defects, now)
	}
	st.write.Unlock()
	for _, f := range found {
		by.log.Warn("bad media message",
			zap.String("stream", st.name), zap.String("finding", f.Name), zap.String("advice", f.Advice), zap.Error(err))
	}
}

// Health is what was measured of the present publisher, and what is wrong with the
// stream: its outputs first, then what the publisher sends.
func (st *Stream) Health() (doctor.Figures, []doctor.Finding) {
	found := st.outputs.failures()
	st.write.Lock()
	defer st.write.Unlock()
	if st.doctor == nil {
		return doctor.Figures{}, found
	}
	return st.doctor.Figures(), append(found, st.doctor.Findings()...)
}

// FailingOutputs counts the outputs that can't write, out of all that depend on no
// other server.
func (st *Stream) FailingOutputs() (failing, all int) { return st.outputs.failing() }

// WaitOutputs returns when every output has closed its files.
func (st *Stream) WaitOutputs() { st.outputs.wait() }
