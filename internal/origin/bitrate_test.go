package origin

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
)

func TestABitRateOfTheFirstSecond(t *testing.T) {
	t.Parallel()
	from := time.Unix(1e9, 0)
	for _, c := range []struct {
		name     string
		snapshot live.Snapshot
		age      time.Duration
		want     int64
	}{
		{"before the first packet", live.Snapshot{}, 0, 0},
		{"a burst at the begin", live.Snapshot{FirstWrite: from, BytesIn: 100_000}, time.Millisecond, 3_200_000},
		{"half a second", live.Snapshot{FirstWrite: from, BytesIn: 100_000}, time.Second / 2, 1_600_000},
		{"more than a second", live.Snapshot{FirstWrite: from, BytesIn: 100_000}, 1600 * time.Millisecond, 500_000},
		{"with a figure", live.Snapshot{FirstWrite: from, BytesIn: 100_000, BwIn: 700_000}, 1600 * time.Millisecond, 700_000},
		{"silent for long", live.Snapshot{FirstWrite: from, BytesIn: 100_000}, time.Hour, 0},
	} {
		if got := bitRate(c.snapshot, from.Add(c.age)); got != c.want {
			t.Errorf("%s: %d bits/s, want %d", c.name, got, c.want)
		}
	}
}

func TestTheWindowOfABitrate(t *testing.T) {
	t.Parallel()
	const limit = 800_000 // 100 kB a second, 1.1 MB in ten with the tolerance
	for _, c := range []struct {
		name   string
		perSec func(second int) uint64
		after  int // seconds until it is too much; 0: never
	}{
		{"at the limit", func(int) uint64 { return 100_000 }, 0},
		{"nine percent above", func(int) uint64 { return 109_000 }, 0},
		{"twice the limit", func(int) uint64 { return 200_000 }, 6},
		{"ten seconds' worth at once, then nothing", func(s int) uint64 { return map[int]uint64{1: 1_000_000}[s] }, 0},
		{"ten seconds' worth at once, again and again", func(s int) uint64 { return map[int]uint64{1: 1_000_000, 8: 1_000_000}[s] }, 8},
		{"the same, eleven seconds apart", func(s int) uint64 { return map[int]uint64{1: 1_000_000, 12: 1_000_000}[s] }, 0},
		{"a rise after an hour", func(s int) uint64 { return map[bool]uint64{true: 150_000, false: 90_000}[s > 3600] }, 3604},
	} {
		var w rateWindow
		total, after := uint64(5000), 0
		w.add(total)
		for s := 1; s < 4000 && after == 0; s++ {
			total += c.perSec(s)
			if exceeds(w.add(total), limit) {
				after = s
			}
		}
		if after != c.after {
			t.Errorf("%s: too much after %d s, want %d", c.name, after, c.after)
		}
	}
	if exceeds(1<<60, 0) {
		t.Error("0 is a limit")
	}
}
