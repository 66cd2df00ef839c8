package packager

import "testing"

func TestRenditionsHaveOneTargetDurationUnlessASegmentIsLonger(t *testing.T) {
	t.Parallel()
	var l Ladder
	for i, c := range []struct{ own, want int }{{2, 2}, {1, 2}, {2, 2}, {3, 3}, {2, 2}} {
		if got := l.Target(c.own); got != c.want {
			t.Errorf("%d: %d, want %d for a rendition that would have %d", i, got, c.want, c.own)
		}
	}
	if got := (*Ladder)(nil).Target(4); got != 4 {
		t.Errorf("a stream by itself: %d", got)
	}
}
