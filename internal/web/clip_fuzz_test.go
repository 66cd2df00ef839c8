package web

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/clip"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func FuzzClipWindow(f *testing.F) {
	for _, q := range []string{"", "last=30s", "last=5", "from=2026-11-30T20:15:00Z&to=1796069700.5", "last=1h&from=1", "from=&to=%zz", "from=1e300&to=NaN"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		fuzztime.Bound(t)
		pick, err := clipWindow(query)
		if (pick == nil) == (err == nil) {
			t.Fatal("neither a window nor an error")
		}
		if err == nil {
			pick([]clip.Segment{{Duration: 1}})
		}
	})
}
