package packager

import (
	"testing"
	"time"
)

func segments(durations ...float64) []Segment {
	var l []Segment
	for _, d := range durations {
		l = append(l, Segment{Duration: time.Duration(d * float64(time.Second))})
	}
	return l
}

func TestWindow(t *testing.T) {
	tests := []struct {
		name      string
		durations []float64
		target    int
		length    time.Duration
		gone      int
	}{
		{"as many as fill playlist_length", []float64{3, 3, 3, 3, 3, 3}, 3, 12 * time.Second, 2},
		{"none goes while what is left would be too short", []float64{3, 3, 3, 3}, 3, 10 * time.Second, 0},
		{"three target durations at least", []float64{2, 2, 2, 2, 2, 2}, 4, time.Second, 0},
		{"three target durations exactly", []float64{4, 4, 4, 4}, 4, time.Second, 1},
		{"three entries at least", []float64{9, 9, 9}, 3, time.Second, 0},
		{"a playlist shorter than a fragment", []float64{5, 5, 5, 5}, 5, time.Second, 1},
		{"two entries", []float64{5, 5}, 5, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := Window{Seq: 7, Segments: segments(tt.durations...)}
			l.Segments[0].Discontinuity = true
			if got := len(l.Trim(max(tt.length, 3*time.Duration(tt.target)*time.Second))); got != tt.gone {
				t.Errorf("%d segments went, want %d", got, tt.gone)
			}
			wantDisc := uint64(0)
			if tt.gone > 0 {
				wantDisc = 1
			}
			if l.Seq != 7+uint64(tt.gone) || l.Disc != wantDisc || len(l.Segments) != len(tt.durations)-tt.gone {
				t.Errorf("%+v", l)
			}
		})
	}
	event := Window{Event: true, Segments: segments(1, 1, 1, 1, 1, 1, 1, 1)}
	if len(event.Trim(time.Second)) != 0 {
		t.Error("an event lost segments")
	}
}
