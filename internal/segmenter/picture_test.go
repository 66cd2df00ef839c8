package segmenter

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Messages that go on with a picture whose beginning is not there are dropped, and
// counted; so is what would make a fragment larger than 24 MiB.
func TestPartsOfAPictureWithoutABeginning(t *testing.T) {
	t.Parallel()
	part := func(s *mediatest.Script, size int) {
		s.Put(s.Video, time.Duration(s.Serial)*20*ms, false)
		p := s.Packets[len(s.Packets)-1]
		p.Continues = true
		if size > 0 {
			p.Data = append(p.Data, make([]byte, size-len(p.Data))...)
			p.Tag = p.Data
		}
	}
	for name, c := range map[string]struct {
		play    func(*mediatest.Script)
		dropped int
		parts   int // that arrive
	}{
		"before any picture":                {func(s *mediatest.Script) { part(s, 0); s.Put(s.Video, 0, true); part(s, 0) }, 1, 1},
		"behind a picture that was dropped": {func(s *mediatest.Script) { s.Put(s.Video, 0, false); part(s, 0); s.Put(s.Video, 40*ms, true) }, 2, 0},
		"behind another encoder's":          {func(s *mediatest.Script) { s.Put(s.Video, 0, true); s.Epoch++; part(s, 0); s.Put(s.Video, 40*ms, true) }, 1, 0},
		"up to 24 MiB":                      {func(s *mediatest.Script) { s.Put(s.Video, 0, true); part(s, 24<<20-len(s.Packets[0].Data)) }, 0, 1},
		"a byte more":                       {func(s *mediatest.Script) { s.Put(s.Video, 0, true); part(s, 24<<20-len(s.Packets[0].Data)+1) }, 1, 0},
	} {
		s := mediatest.NewScript(t)
		s.Audio = nil
		c.play(s)
		g := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0)
		parts := 0
		for i := range g.segs {
			for _, p := range g.segs[i].packets {
				if p.Continues {
					parts++
				}
			}
		}
		if int(g.dropped) != c.dropped || parts != c.parts {
			t.Errorf("%s: %d dropped and %d parts, want %d and %d", name, g.dropped, parts, c.dropped, c.parts)
		}
	}
}
