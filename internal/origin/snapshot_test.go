package origin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
)

// A snapshot that waits for one player must not hold up the others: no lock but
// that player's own is held meanwhile.
func TestASnapshotHoldsNobodyUp(t *testing.T) {
	r := newRig(t, liveWith(""))
	_, players := r.crowd(10, 50)
	slow := players[len(players)-1]
	held := make(chan struct{})
	slow.held = held
	taken := make(chan api.Server)
	go func() { s, _, _ := r.service.Snapshot(time.Now()); taken <- s }()
	for i := range 20 { // publishes and plays go on in the same application
		name := fmt.Sprintf("cam%d", i)
		p, err := r.fake().publish("live", name)
		if err != nil {
			t.Fatal(err)
		}
		w, err := r.fake().play("live", name)
		if err != nil {
			t.Fatal(err)
		}
		w.Leave()
		p.Leave(true)
		select {
		case <-taken:
			t.Fatal("the snapshot has not waited for the player")
		default:
		}
	}
	close(held)
	if s := <-taken; len(s.Applications[0].Streams) < 10 {
		t.Errorf("%d streams", len(s.Applications[0].Streams))
	}
}

func TestWhatGoesOutIsMeasured(t *testing.T) {
	r := newRig(t, liveWith(""))
	r.crowd(1, 1)
	set := r.playerSets()[0]
	var windows map[*playerSet]*rateWindow
	var got []uint64
	for range 13 { // seconds
		windows = r.measurePlayers(windows)
		got = append(got, set.bwOut.Load())
		set.fan.BytesOut.Add(1000)
	}
	want := []uint64{0, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000, 8000}
	if !slices.Equal(got, want) {
		t.Errorf("%d bits/s, want %d", got, want)
	}
	if s, _, _ := r.service.Snapshot(time.Now()); s.Applications[0].Streams[0].BwOut != 8000 {
		t.Errorf("shown as %d", s.Applications[0].Streams[0].BwOut)
	}
}

// How long publishers of an application wait for a snapshot of it, at most: for
// the names, or for the players of one.
func BenchmarkSnapshotLock(b *testing.B) {
	b.Run("names", func(b *testing.B) {
		r := newRig(b, liveWith(""))
		r.crowd(1000, 5000)
		for b.Loop() {
			r.app("live").viewNames()
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "us/lock")
	})
	b.Run("players", func(b *testing.B) {
		r := newRig(b, liveWith(""))
		r.crowd(1, 5000)
		set := r.playerSets()[0]
		for b.Loop() {
			r.app("live").viewPlayers(set)
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "us/lock")
	})
}
