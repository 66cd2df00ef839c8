package segmenter

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

func TestDecodeOrderCopiesNothingWithoutNeed(t *testing.T) {
	s := mediatest.NewScript(t).Play(time.Second)
	var o decodeOrder
	g := &Segment{packets: s.Packets}
	if n := testing.AllocsPerRun(10, func() {
		o = decodeOrder{}
		o.begin(g)
		for _, p := range g.packets {
			if o.place(p) != p {
				t.Fatal("a copy")
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
