package doctor

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A contest is reported once for any number of publishers, and is over five minutes
// after the last take-over.
func TestContest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		every    time.Duration // between take-overs
		takeover int           // how many
		found    bool
	}{
		"two encoders":              {5 * s, 6, true},
		"the third take-over":       {5 * s, 3, true},
		"two take-overs":            {5 * s, 2, false},
		"take-overs in ten minutes": {5 * time.Minute, 3, true},
		"take-overs in an hour":     {20 * time.Minute, 3, false},
	} {
		now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
		var contest Contest
		var reports, cleared []Finding
		d := New(now)
		d.Contend(&contest)
		watch := func(length time.Duration) {
			for end := now.Add(length); now.Before(end); now = now.Add(s) {
				d.Packet(&media.Packet{Track: videoTrack, Keyframe: true}, now)
				reports = d.Examine(now, 0, reports)
				cleared = d.Cleared(cleared)
			}
		}
		found := func() bool {
			for _, f := range d.Findings() {
				if f.Name == "take_overs" {
					return f.Advice != "" && !f.Since.After(now)
				}
			}
			return false
		}
		for range c.takeover {
			watch(c.every)
			contest.TakenOver(now)
			d = New(now)
			d.Contend(&contest)
		}
		watch(2 * s)
		if found() != c.found {
			t.Errorf("%s: found is %t", name, found())
		}
		n := 0
		for _, f := range reports {
			if f.Name == "take_overs" {
				n++
			}
		}
		if want := map[bool]int{true: 1}[c.found]; n != want {
			t.Errorf("%s: reported %d times, want %d", name, n, want)
		}
		watch(5*time.Minute + 2*s)
		if found() {
			t.Errorf("%s: it stays although nobody is taken over", name)
		}
		d = New(now) // the next publisher's says nothing of it again
		d.Contend(&contest)
		watch(2 * s)
		m := 0
		for _, f := range cleared {
			if f.Name == "take_overs" {
				m++
			}
		}
		if m != n {
			t.Errorf("%s: reported %d times, cleared %d times", name, n, m)
		}
	}
}
