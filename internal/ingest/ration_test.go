package ingest

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// A ration is 60 changes at once and two more each second after that, however they
// are spread; it never saves up more than 60.
func TestARationIsABurstAndTwoASecond(t *testing.T) {
	t.Parallel()
	start := time.Now()
	for _, c := range []struct {
		name  string
		every time.Duration // between two tries
		tries int
		want  int // of them allowed
	}{
		{"all at once", 0, 1000, 60},
		{"for ever at two a second", 500 * time.Millisecond, 2000, 2000},
		{"ten a second for a minute", 100 * time.Millisecond, 600, 60 + 120},
		{"a hundred a second for ten seconds", 10 * time.Millisecond, 1000, 60 + 20},
	} {
		var r ration
		got := 0
		for i := range c.tries {
			if r.take(start.Add(time.Duration(i) * c.every)) {
				got++
			}
		}
		if got < c.want-1 || got > c.want+1 {
			t.Errorf("%s: %d of %d allowed, want %d", c.name, got, c.tries, c.want)
		}
	}

	var r ration
	now := start
	for _, pause := range []time.Duration{0, time.Second, 24 * time.Hour, time.Hour} {
		now = now.Add(pause)
		want := min(60, int(2*pause/time.Second))
		if pause == 0 {
			want = 60
		}
		for got := range 70 {
			if !r.take(now) {
				if got != want {
					t.Errorf("%d at once after a pause of %s, want %d", got, pause, want)
				}
				break
			}
		}
	}
}

// Only a header that is another one than before takes from the ration; the two
// tracks and the extra headers of either count together.
func TestPacketsOfOneHeaderTakeNothing(t *testing.T) {
	t.Parallel()
	track := func(kind media.Kind) *media.Track { return &media.Track{Kind: kind} }
	now := time.Now()
	var h headers
	video, audio := track(media.Video), track(media.Audio)
	for range 1000 {
		if !h.allow(&media.Packet{Track: video}, now) || !h.allow(&media.Packet{Track: audio}, now) {
			t.Fatal("packets whose header stays the same are refused")
		}
	}
	changes := 0
	for ; changes < 200; changes++ {
		kind := media.Video
		if changes%2 == 1 {
			kind = media.Audio
		}
		if !h.allow(&media.Packet{Track: track(kind)}, now) {
			break
		}
	}
	if changes != 58 { // of 60, the first two headers took one each
		t.Errorf("%d changes at once are allowed after the first two headers, want 58", changes)
	}
	if !h.allow(&media.Packet{Track: track(media.Video)}, now.Add(500*time.Millisecond)) {
		t.Error("no change is allowed half a second later")
	}
}
