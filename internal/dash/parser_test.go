package dash

import (
	"testing"
	"time"

	parser "github.com/Eyevinn/dash-mpd/mpd"
)

// An independent parser reads the same out of an MPD that went into it.
func TestAnotherParserReadsTheMPDs(t *testing.T) {
	for name, m := range presentations {
		b, err := m.text()
		if err != nil {
			t.Fatal(err)
		}
		got, err := parser.MPDFromBytes(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := m.AvailabilityStartTime.Format(time.RFC3339Nano); len(got.Periods) != len(m.Periods) || instantOf(t, string(got.AvailabilityStartTime)).Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %d periods from %s, want %d from %s", name, len(got.Periods), got.AvailabilityStartTime, len(m.Periods), want)
		}
		for i, p := range m.Periods {
			q := got.Periods[i]
			if start, err := q.GetStart(); err != nil || start != parser.Duration(p.Start) {
				t.Errorf("%s: period %s starts at %v, want %v (%v)", name, p.ID, start, p.Start, err)
			}
			for k, s := range p.Sets {
				a := q.AdaptationSets[k]
				if a.SegmentTemplate.Media != s.Template.Media || *a.SegmentTemplate.PresentationTimeOffset != s.Template.Offset || len(a.SegmentTemplate.SegmentTimeline.S) != len(s.Template.Timeline.S) {
					t.Errorf("%s: period %s, %s: %+v, want %+v", name, p.ID, s.ContentType, a.SegmentTemplate, s.Template)
				}
				if r := a.Representations[0]; r.Codecs != s.Representation.Codecs || int64(r.Bandwidth) != s.Representation.Bandwidth {
					t.Errorf("%s: period %s, %s: %+v, want %+v", name, p.ID, s.ContentType, r, s.Representation)
				}
			}
		}
	}
}

func instantOf(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
