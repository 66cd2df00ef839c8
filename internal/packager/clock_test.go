package packager

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/segmenter"
)

const (
	sec = time.Second
	ms  = time.Millisecond
)

// testStart is when every test begins.
var testStart = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestDatesGoOnByMediaTime(t *testing.T) {
	type frag struct {
		start, delay time.Duration
		wall         time.Duration // how far the wall clock was set on meanwhile
		disc         bool
	}
	ms := time.Millisecond
	tests := []struct {
		name  string
		frags []frag
		want  []time.Duration // after testStart
	}{
		{"jitter does not show", []frag{{0, 50 * ms, 0, false}, {2 * sec, 400 * ms, 0, false}, {4 * sec, 0, 0, false}}, []time.Duration{50 * ms, 2*sec + 50*ms, 4*sec + 50*ms}},
		{"drift is slewed", []frag{{0, 0, 0, false}, {2 * sec, 1500 * ms, 0, false}, {4 * sec, 1500 * ms, 0, false}}, []time.Duration{0, 2040 * ms, 4080 * ms}},
		{"up to the second that is allowed", []frag{{0, 0, 0, false}, {2 * sec, 1010 * ms, 0, false}, {4 * sec, 1010 * ms, 0, false}}, []time.Duration{0, 2010 * ms, 4010 * ms}},
		{"a wall clock that is set is no leap", []frag{{0, 0, 0, false}, {2 * sec, 0, time.Hour, false}, {4 * sec, 0, time.Hour, false}}, []time.Duration{0, 2040 * ms, 4080 * ms}},
		{"nor one that is set back", []frag{{0, 0, 0, false}, {2 * sec, 0, -time.Hour, false}, {4 * sec, 0, -time.Hour, false}}, []time.Duration{0, 1960 * ms, 3920 * ms}},
		{"a discontinuity sets it anew", []frag{{0, 0, 0, false}, {2 * sec, 600 * ms, time.Hour, true}}, []time.Duration{0, time.Hour + 2600*ms}},
		{"it does not run back over what was dated", []frag{{0, 500 * ms, 0, false}, {2 * sec, 0, 0, true}, {4 * sec, 0, 0, false}}, []time.Duration{500 * ms, 2500 * ms, 4500 * ms}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c wallClock
			for i, f := range tt.frags {
				g := &segmenter.Segment{Start: f.start, Duration: 2 * sec, Delay: f.delay, Discontinuity: f.disc}
				if got := c.date(g, g.Duration, time.Duration(testStart.UnixNano())+f.wall).Sub(testStart); got != tt.want[i] {
					t.Errorf("fragment %d: %v, want %v", i, got, tt.want[i])
				}
			}
		})
	}
}

// A date follows the wall clock once that is more than a second away, by at most a
// fiftieth of the fragment's length; at a discontinuity at once, but not back over
// what was dated already.
func TestHowDatesFollowTheWallClock(t *testing.T) {
	t.Parallel()
	const start = 1000 * time.Hour // Unix time
	for _, c := range []struct {
		name string
		away time.Duration // the wall clock is set by that, before the second fragment
		disc bool
		want time.Duration // how far the second fragment, of 2 s, is from where the first ended
	}{
		{"set forward by a second", sec, false, 0},
		{"by a second and 10 ms", 1010 * ms, false, 10 * ms},
		{"by a second and 40 ms", 1040 * ms, false, 40 * ms},
		{"by an hour", time.Hour, false, 40 * ms},
		{"set back by a second", -sec, false, 0},
		{"back by a second and 10 ms", -1010 * ms, false, -10 * ms},
		{"back by an hour", -time.Hour, false, -40 * ms},
		{"a discontinuity an hour later", time.Hour, true, time.Hour},
		{"one 400 ms later", 400 * ms, true, 400 * ms},
		{"one 999 ms before", -999 * ms, true, 0},
		{"one a second before", -sec, true, -sec},
	} {
		var w wallClock
		first := segmenter.Segment{Start: 5 * sec, Duration: 2 * sec, Delay: 3 * sec}
		// It arrived 3 s after its place on the timeline.
		if got := w.date(&first, first.Duration, start); !got.Equal(time.Unix(0, int64(start+8*sec))) {
			t.Errorf("%s: the first fragment is of %s", c.name, got.UTC())
		}
		second := segmenter.Segment{Start: 7 * sec, Duration: 2 * sec, Delay: 3 * sec, Discontinuity: c.disc}
		got := w.date(&second, second.Duration, start+c.away)
		if d := got.Sub(time.Unix(0, int64(start+10*sec))); d != c.want {
			t.Errorf("%s: the second fragment is %s off, want %s", c.name, d, c.want)
		}
		// A third at the same drift of the clock is slewed once more, or follows.
		third := segmenter.Segment{Start: 9 * sec, Duration: 2 * sec, Delay: 3 * sec}
		next := w.date(&third, third.Duration, start+c.away).Sub(got)
		if want := 2 * sec; c.disc && next != want || (next-want).Abs() > 40*ms {
			t.Errorf("%s: the third is %s after it", c.name, next)
		}
	}
}
