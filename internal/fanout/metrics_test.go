package fanout

import (
	"errors"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// metrics are the hub's, by name, and its first label's value behind a blank.
func (h *rig) metrics() map[string]*dto.Metric {
	h.t.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := h.hub.Register(r); err != nil {
		h.t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	out := make(map[string]*dto.Metric)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			if len(m.GetLabel()) > 0 {
				name += " " + m.GetLabel()[0].GetValue()
			}
			out[name] = m
		}
	}
	return out
}

func TestFlushesAreTimedWhileThereArePlayers(t *testing.T) {
	h := newRig(t)
	h.write(100, 100)
	flushes := func() uint64 { return h.metrics()["rtmpd_fanout_flush_seconds"].GetHistogram().GetSampleCount() }
	if n := flushes(); n != 0 {
		t.Errorf("%d flushes to nobody", n)
	}
	_, c, w := h.join(patient)
	h.write(30, 100)
	if got, _ := frames(t, c, w, h.frame-1); len(got) == 0 {
		t.Fatal("nothing came")
	}
	h.write(1, 100)
	for end := 0; flushes() == 0; end++ { // a player has its frames before the pass is over
		if end > 1000 {
			t.Fatal("no flush was timed")
		}
		h.write(1, 100)
	}
	hist := h.metrics()["rtmpd_fanout_flush_seconds"].GetHistogram()
	if s := hist.GetSampleSum(); s <= 0 || s > 60*float64(hist.GetSampleCount()) {
		t.Errorf("%v s in %d flushes", s, hist.GetSampleCount())
	}
}

func TestClosedPlayersAreCountedByReason(t *testing.T) {
	h := newRig(t)
	for name, why := range map[string]error{
		"slow": ErrSlow, "stuck": ErrStuck, "control": ErrControl, "refused": errors.New("no track that it can take"), "": ErrClosed,
	} {
		p, _, _ := h.join(patient)
		p.fail(why)
		p.fail(why) // once
		for reason, m := range h.metrics() {
			if name != "" && reason == "rtmpd_players_closed_total "+name && m.GetCounter().GetValue() != 1 {
				t.Errorf("%s: counted %v times", name, m.GetCounter().GetValue())
			}
		}
	}
	sum := 0.
	for name, m := range h.metrics() {
		if len(name) > 27 && name[:27] == "rtmpd_players_closed_total " {
			sum += m.GetCounter().GetValue()
		}
	}
	if sum != 4 {
		t.Errorf("%v players counted in all, want 4", sum)
	}
}
