package segmenter

import (
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Where there is sound nothing is let stand: if that stops too the network hangs.
func TestNothingStandsWhereThereIsSound(t *testing.T) {
	s := mediatest.NewScript(t).Play(5 * sec)
	g := &Segmenter{rules: Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, emit: func(*Segment) {}}
	for _, p := range s.Packets {
		g.Push(p, testStart, p.DTS)
	}
	if at, ok := g.Due(); ok {
		t.Errorf("due at %v", at)
	}
	silent := slices.DeleteFunc(s.Packets, func(p *media.Packet) bool { return p.Track.Kind == media.Audio })
	g = &Segmenter{rules: Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, emit: func(*Segment) {}}
	for _, p := range silent {
		g.Push(p, testStart, p.DTS)
	}
	if at, ok := g.Due(); !ok || at != 8*sec {
		t.Errorf("without sound due at %v, %t; want 8s", at, ok)
	}
	// One picture stands for maxStill at most.
	for now := 5 * sec; now < 60*sec; now += 100 * time.Millisecond {
		g.Tick(now)
	}
	if end := g.open.Start; end < 5*sec+maxStill-3*sec || end > 5*sec+maxStill {
		t.Errorf("the last picture stood until %v", end)
	}
}
