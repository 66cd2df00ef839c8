package hls

import (
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// metric is the figure of a counter, with its only label's value if it has one,
// or the count of a histogram.
func (b *bench) metric(name, label string) float64 {
	b.Helper()
	r := prometheus.NewPedanticRegistry()
	if err := b.count.Register(r); err != nil {
		b.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() != name || label != "" && m.GetLabel()[0].GetValue() != label {
				continue
			}
			if f.GetType() == dto.MetricType_HISTOGRAM {
				return float64(m.GetHistogram().GetSampleCount())
			}
			return m.GetCounter().GetValue()
		}
	}
	b.Fatalf("no metric %s of %q", name, label)
	return 0
}

func TestMetricsCountWhatIsWritten(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t).Play(20 * time.Second)
	p := b.packager("test", testConfig(b.dir))
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, skip: map[int]uint64{200: 33}})
	st := p.Snapshot()
	for _, c := range []struct {
		name, label string
		want        float64
	}{
		{"rtmpd_hls_fragment_write_seconds", "", float64(st.Segments)},
		{"rtmpd_hls_fragment_bytes_total", "", float64(st.Bytes)},
		{"rtmpd_hls_playlists_written_total", "", float64(st.Segments) + 1}, // and the one with ENDLIST
		{"rtmpd_hls_write_errors_total", "", 0},
		{"rtmpd_hls_fragments_lost_total", "disk", 0},
		{"rtmpd_hls_skipped_packets_total", "lapped", 33},
		{"rtmpd_hls_skipped_packets_total", "unfit", float64(st.Dropped) - 33},
	} {
		if got := b.metric(c.name, c.label); got != c.want {
			t.Errorf("%s %s: %v, want %v", c.name, c.label, got, c.want)
		}
	}
	if st.Segments == 0 || st.Dropped == 33 {
		t.Errorf("nothing was tried: %+v", st)
	}
}

func TestMetricsCountWhatADiskLoses(t *testing.T) {
	b := newBench(t)
	failed := 0.
	b.fault = func(op, _ string) error {
		if op == "write" && b.clock.Now().Sub(testStart) > 20*time.Second {
			failed++
			return syscall.ENOSPC
		}
		return nil
	}
	p := b.packager("test", testConfig(b.dir))
	b.runFeed(p, &feed{packets: mediatest.NewScript(t).Play(60 * time.Second).Packets, clock: b.clock, stop: eof})
	st := p.Snapshot()
	if got := b.metric("rtmpd_hls_fragments_lost_total", "disk"); got != float64(st.Lost) || got == 0 {
		t.Errorf("%v fragments lost, want %d", got, st.Lost)
	}
	if got := b.metric("rtmpd_hls_write_errors_total", ""); got != float64(st.Errors) || got != failed || got == 0 {
		t.Errorf("%v errors, want %d and %v", got, st.Errors, failed)
	}
}
