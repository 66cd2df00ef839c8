package flv

import (
	"math"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	t.Parallel()
	const base = 5 * time.Second
	day := uint32(24 * 60 * 60 * 1000)
	for _, c := range []struct {
		name string
		in   []uint32
		want []int64 // ms after base
	}{
		{"the first packet is base, whatever its timestamp", []uint32{17000000, 17000040}, []int64{0, 40}},
		{"past 2^24", []uint32{1<<24 - 20, 1<<24 + 20}, []int64{0, 40}},
		{"wrap at 2^32", []uint32{math.MaxUint32 - 9, 10, 30}, []int64{0, 20, 40}},
		{"audio and video interleave across the wrap", []uint32{math.MaxUint32 - 19, 20, math.MaxUint32 - 4, 43}, []int64{0, 40, 15, 63}},
		{"a little behind is behind, not a wrap forward", []uint32{100, 140, 123, 180}, []int64{0, 40, 23, 80}},
		{"forward jump", []uint32{0, 40, 60040, 60080}, []int64{0, 40, 60040, 60080}},
		{"backward jump that stays after the first packet", []uint32{0, 60000, 1000, 1040}, []int64{0, 60000, 1000, 1040}},
		{"an encoder that starts again from 0 keeps its pace", []uint32{3600000, 3600040, 0, 40, 80}, []int64{0, 40, 0, 40, 80}},
		{"a second packet before the first one", []uint32{40, 0, 23, 80}, []int64{0, 0, 23, 80}},
		{"24 days ahead are ahead", []uint32{0, 24 * day}, []int64{0, int64(24 * day)}},
		{"25 days ahead are behind, hence base", []uint32{0, 25 * day, 25*day + 40}, []int64{0, 0, 40}},
		{"100 days in steps of 20", []uint32{0, 20 * day, 40 * day, uint32(60 * uint64(day) % (1 << 32)), uint32(80 * uint64(day) % (1 << 32)), uint32(100 * uint64(day) % (1 << 32))}, []int64{0, 20 * int64(day), 40 * int64(day), 60 * int64(day), 80 * int64(day), 100 * int64(day)}},
	} {
		clk := clock{base: base}
		for i, ts := range c.in {
			if got, want := clk.dts(ts), base+time.Duration(c.want[i])*time.Millisecond; got != want {
				t.Errorf("%s: timestamp %d (number %d): got %v, want %v", c.name, ts, i, got, want)
			}
		}
	}
}

func TestClockNeverOverflows(t *testing.T) {
	t.Parallel()
	clk := clock{base: maxDTS}
	ts, last := uint32(0), time.Duration(0)
	restarts := 0
	for range 5000 { // 5000 × 24 days are 340 years
		ts += 1<<31 - 1
		dts := clk.dts(ts)
		if dts < clk.base || dts > 2*maxDTS {
			t.Fatalf("DTS %v", dts)
		}
		if dts < last {
			restarts++
		}
		last = dts
	}
	if restarts == 0 {
		t.Error("the clock never started again")
	}
}

func TestHeadersDoNotStartTheClock(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(time.Minute, 0)
	if _, err := d.Video(0, unhex(avcStart)); err != nil {
		t.Fatal(err)
	}
	p, err := d.Video(90000, unhex(avcKey))
	if err != nil || p.DTS != time.Minute || p.Timestamp != 90000 {
		t.Errorf("got %+v, %v, want DTS 1m0s", p, err)
	}
}
