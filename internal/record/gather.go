package record

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A gathering holds the first packets of a file until it is known which tracks the
// file has: both, or what there is after a second.
type gathering struct {
	tracks  [2]*media.Track // by media.Kind
	waiting []*media.Packet
	one     [1]*media.Packet
	settled bool
	zero    time.Duration // DTS of the first packet
	newest  time.Duration
}

// gatherTime is how long the second track may take to appear.
const gatherTime = time.Second

// add takes p and returns the packets to write now, which are valid until the next
// call.
func (g *gathering) add(p *media.Packet) []*media.Packet {
	if g.empty() {
		g.zero, g.newest = p.DTS, p.DTS
	}
	g.newest = max(g.newest, p.DTS)
	if g.settled {
		g.one[0] = p
		return g.one[:]
	}
	g.zero = min(g.zero, p.DTS)
	if g.tracks[p.Track.Kind] == nil {
		g.tracks[p.Track.Kind] = p.Track
	}
	g.waiting = append(g.waiting, p)
	if g.tracks[media.Video] != nil && g.tracks[media.Audio] != nil || p.DTS-g.zero >= gatherTime {
		return g.settle()
	}
	return nil
}

// takes says whether a track like t is one of the file's, or may be.
func (g *gathering) takes(t *media.Track) bool {
	if have := g.tracks[t.Kind]; have != nil {
		return mp4.SameCoding(have, t)
	}
	return !g.settled
}

// settle returns the packets that wait: no more tracks are waited for.
func (g *gathering) settle() []*media.Packet {
	g.settled = true
	all := g.waiting
	g.waiting = nil
	return all
}

func (g *gathering) empty() bool { return g.tracks == [2]*media.Track{} }

// size is how many bytes wait.
func (g *gathering) size() (n int64) {
	for _, p := range g.waiting {
		n += int64(len(p.Data))
	}
	return n
}
