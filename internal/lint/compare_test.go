package lint

import (
	"testing"
	"time"
)

// A very short segment begins at about the moment at which the next one does: its content
// is that of the other playlist's short one, not of the one after it.
func TestTheContentOfAShortSegmentIsFound(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	list := func(late time.Duration) []placed {
		var all []placed
		for i, start := range []time.Duration{6 * time.Second, 8 * time.Second, 8*time.Second + 42*time.Millisecond} {
			start += late
			all = append(all, placed{uint64(i), uint64(i / 2), start, 0, at.Add(start)})
		}
		return all
	}
	video, audio := list(0), list(5*time.Millisecond)
	for i := range video {
		if y, known := sameContent(&video[i], audio); !known || y == nil || y.number != video[i].number {
			t.Errorf("segment %d is %+v", i, y)
		}
	}
}
