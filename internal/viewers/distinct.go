package viewers

import (
	"math"
	"math/bits"
)

const (
	maxFew     = 256 // are counted one by one
	sketchBits = 12
	sketchSize = 1 << sketchBits
)

// distinct counts different IDs in bounded memory: a set while they are few, then
// a HyperLogLog sketch (Flajolet et al. 2007) of 4096 registers, whose error is
// 1.04/√4096 = 1.6 %. The IDs are hashes already.
type distinct struct {
	few    map[ID]struct{} // nil once there is a sketch
	sketch []uint8
	last   int  // the result of count
	stale  bool // the sketch has changed since
}

func (d *distinct) add(id ID) {
	if d.sketch != nil {
		d.note(id)
		return
	}
	if d.few == nil {
		d.few = make(map[ID]struct{})
	}
	d.few[id] = struct{}{}
	d.last = len(d.few)
	if len(d.few) > maxFew {
		d.sketch = make([]uint8, sketchSize)
		for id := range d.few {
			d.note(id)
		}
		d.few = nil
	}
}

// note updates the register that the first bits of the ID select: it holds the longest
// run of zeros behind them.
func (d *distinct) note(id ID) {
	r := &d.sketch[id>>(64-sketchBits)]
	zeros := uint8(bits.LeadingZeros64(uint64(id)<<sketchBits|1<<(sketchBits-1))) + 1
	if zeros > *r {
		*r, d.stale = zeros, true
	}
}

// count returns the estimate. It never decreases.
func (d *distinct) count() int {
	if !d.stale {
		return d.last
	}
	d.stale = false
	sum, empty := 0.0, 0
	for _, r := range d.sketch {
		sum += 1 / float64(uint64(1)<<r)
		if r == 0 {
			empty++
		}
	}
	const m = float64(sketchSize)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && empty > 0 {
		estimate = m * math.Log(m/float64(empty))
	}
	d.last = max(d.last, int(math.Round(estimate)))
	return d.last
}
