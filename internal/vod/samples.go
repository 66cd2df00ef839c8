package vod

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// A sample is one coded frame in an MP4 file.
type sample struct {
	at   int64
	size uint32
	dts  uint64 // in the track's timescale
	cts  int32  // PTS - DTS
	sync bool
}

const (
	// maxSample is as much as goes into an RTMP message by default.
	maxSample = 10 << 20
	// maxTicks bounds timestamps: calculations with them do not overflow.
	maxTicks = 1 << 52
)

// Tables are where the samples of a track are (ISO 14496-12 §8.6.1, §8.7).
type tables struct {
	times   table // stts
	offsets table // ctts
	sizes   table // stsz
	size    uint32
	samples uint32
	chunks  table // stsc
	places  table // stco, co64
	syncs   table // stss
	allSync bool
}

// A tableCursor reads the samples of a track in their order.
type tableCursor struct {
	*tables
	n uint32 // the next sample

	timeRun  run
	dts      uint64
	shiftRun run
	syncAt   uint32 // entry of stss that is not before n

	chunkRun uint32 // entry of stsc
	chunk    uint32 // from 0
	inChunk  uint32 // samples of it that were read
	perChunk uint32
	pos      int64 // of the next sample
}

// A run is a place in a run-length coded table: left samples have the value of entry.
type run struct {
	entry, left, value uint32
	begun              bool
}

// next is the value of the next sample.
func (r *run) next(t *table) (uint32, error) {
	for r.left == 0 {
		if r.begun {
			r.entry++
		}
		e, err := t.entry(r.entry)
		if err != nil {
			return 0, err
		}
		r.begun = true
		r.left, r.value = be.Uint32(e), be.Uint32(e[4:])
	}
	r.left--
	return r.value, nil
}

// next returns the next sample; io.EOF: there is none.
func (c *tableCursor) next() (sample, error) {
	if c.n >= c.samples {
		return sample{}, io.EOF
	}
	if err := c.enterChunk(); err != nil {
		return sample{}, err
	}
	s := sample{at: c.pos, size: c.size, dts: c.dts, sync: c.allSync}
	if c.size == 0 {
		e, err := c.sizes.entry(c.n)
		if err != nil {
			return sample{}, err
		}
		s.size = be.Uint32(e)
	}
	delta, err := c.timeRun.next(&c.times)
	if err != nil {
		return sample{}, err
	}
	if c.offsets.n > 0 {
		v, err := c.shiftRun.next(&c.offsets)
		if err != nil {
			return sample{}, err
		}
		s.cts = int32(v)
	}
	for !c.allSync && c.syncAt < c.syncs.n {
		e, err := c.syncs.entry(c.syncAt)
		if err != nil {
			return sample{}, err
		}
		if number := be.Uint32(e); number > c.n {
			s.sync = number == c.n+1 // counted from 1
			break
		}
		c.syncAt++
	}
	if c.dts += uint64(delta); c.dts > maxTicks {
		return sample{}, errors.New("its timestamps are too large")
	}
	c.pos += int64(s.size)
	c.inChunk++
	c.n++
	return s, nil
}

// enterChunk goes to the next chunk when all of this one was read.
func (c *tableCursor) enterChunk() error {
	for skipped := 0; c.inChunk >= c.perChunk; skipped++ {
		if c.perChunk > 0 || c.inChunk > 0 {
			c.chunk++
			c.inChunk = 0
		}
		if err := c.findRun(); err != nil {
			return err
		}
		if err := c.place(); err != nil {
			return err
		}
		if c.perChunk == 0 {
			return errors.New("box \"stsc\" has a chunk without samples")
		}
	}
	return nil
}

// findRun finds the entry of stsc that holds for the chunk.
func (c *tableCursor) findRun() error {
	e, err := c.chunks.entry(c.chunkRun)
	if err != nil {
		return err
	}
	c.perChunk = be.Uint32(e[4:])
	if c.chunkRun+1 < c.chunks.n {
		first := be.Uint32(e)
		e, err := c.chunks.entry(c.chunkRun + 1)
		if err != nil {
			return err
		}
		if be.Uint32(e) <= first {
			return errors.New("box \"stsc\" is not in order")
		}
		if c.chunk+1 >= be.Uint32(e) {
			c.chunkRun++
			c.perChunk = be.Uint32(e[4:])
		}
	}
	return nil
}

// place is where the chunk begins.
func (c *tableCursor) place() error {
	e, err := c.places.entry(c.chunk)
	if err != nil {
		return err
	}
	if c.places.width == 8 {
		c.pos = int64(be.Uint64(e))
	} else {
		c.pos = int64(be.Uint32(e))
	}
	if c.pos < 0 {
		return errors.New("box \"co64\" has a place that can't be")
	}
	return nil
}

// seek has next go on at the last sync sample whose DTS is not behind one.
func (c *tableCursor) seek(ctx context.Context, dts uint64) error {
	n, err := c.at(ctx, dts)
	if err != nil {
		return err
	}
	if !c.allSync {
		if n, err = c.syncBefore(n); err != nil {
			return err
		}
	}
	return c.goTo(ctx, n)
}

// at is the last sample that is not behind dts.
func (c *tableCursor) at(ctx context.Context, dts uint64) (uint32, error) {
	var n, at uint64
	for i := range c.times.n {
		if i%4096 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		e, err := c.times.entry(i)
		if err != nil {
			return 0, err
		}
		count, delta := uint64(be.Uint32(e)), uint64(be.Uint32(e[4:]))
		if delta > 0 && at+count*delta > dts {
			n += (dts - at) / delta
			break
		}
		n += count
		if at += count * delta; at > maxTicks {
			return 0, errors.New("its timestamps are too large")
		}
	}
	return uint32(min(n, uint64(max(c.samples, 1)-1))), nil
}

// syncBefore is the last sync sample that is not behind sample n; the first if there
// is none.
func (c *tableCursor) syncBefore(n uint32) (uint32, error) {
	low, high := uint32(0), c.syncs.n // of the entries that are behind n
	for low < high {
		mid := low + (high-low)/2
		e, err := c.syncs.entry(mid)
		if err != nil {
			return 0, err
		}
		if be.Uint32(e) > n+1 {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low == 0 {
		return 0, nil
	}
	e, err := c.syncs.entry(low - 1)
	if err != nil {
		return 0, err
	}
	return max(be.Uint32(e), 1) - 1, nil
}

// goTo has next go on at sample n.
func (c *tableCursor) goTo(ctx context.Context, n uint32) error {
	*c = tableCursor{tables: c.tables}
	for i := uint32(0); ; i++ { // times
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if c.n == n {
			break
		}
		if _, err := c.timeRun.next(&c.times); err != nil {
			return err
		}
		skip := min(c.timeRun.left, n-c.n-1)
		c.dts += uint64(c.timeRun.value) * uint64(skip+1)
		if c.dts > maxTicks {
			return errors.New("its timestamps are too large")
		}
		c.timeRun.left -= skip
		c.n += skip + 1
	}
	for i, at := uint32(0), uint32(0); c.offsets.n > 0 && at < n; i++ {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := c.shiftRun.next(&c.offsets); err != nil {
			return err
		}
		skip := min(c.shiftRun.left, n-at-1)
		c.shiftRun.left -= skip
		at += skip + 1
	}
	return c.goToChunk(ctx, n)
}

// goToChunk finds the chunk of sample n, and its place in there.
func (c *tableCursor) goToChunk(ctx context.Context, n uint32) error {
	left := uint64(n)
	for i := range c.chunks.n {
		if i%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e, err := c.chunks.entry(i)
		if err != nil {
			return err
		}
		first, per := be.Uint32(e), uint64(be.Uint32(e[4:]))
		next := uint64(c.places.n) + 1
		if i+1 < c.chunks.n {
			if e, err = c.chunks.entry(i + 1); err != nil {
				return err
			}
			next = uint64(be.Uint32(e))
		}
		if first == 0 || next <= uint64(first) || per == 0 {
			return errors.New("box \"stsc\" is not in order")
		}
		if all := (next - uint64(first)) * per; left >= all {
			left -= all
			continue
		}
		c.chunkRun, c.perChunk = i, uint32(per)
		c.chunk = first - 1 + uint32(left/per)
		c.inChunk = uint32(left % per)
		if err := c.place(); err != nil {
			return err
		}
		for j := n - c.inChunk; j < n; j++ {
			if c.size > 0 {
				c.pos += int64(c.inChunk) * int64(c.size)
				break
			}
			e, err := c.sizes.entry(j)
			if err != nil {
				return err
			}
			c.pos += int64(be.Uint32(e))
		}
		return nil
	}
	return fmt.Errorf("box \"stsc\" has no place for sample %d", n)
}
