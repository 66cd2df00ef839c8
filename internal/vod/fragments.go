package vod

import (
	"context"
	"errors"
	"fmt"
	"io"
)

const (
	maxMoof            = 4 << 20 // bytes
	maxFragmentSamples = 1 << 16 // of all tracks
)

// Fragments are the moof boxes of a file (ISO 14496-12 §8.8), one after the other. A
// file that is written goes up to its last whole fragment.
type fragments struct {
	r      io.ReaderAt
	size   func() int64
	tracks []*movieTrack
	first  int64 // where the boxes behind moov begin
	at     int64 // of the next box
	queues [][]sample
}

// next returns the next sample of the track that is first, by DTS; io.EOF at the end.
func (f *fragments) load() error {
	for n := 0; ; n++ {
		if n == maxBoxes {
			return errors.New("it has too many boxes")
		}
		b, err := f.box()
		if err != nil {
			return err
		}
		if b.kind != "moof" {
			continue
		}
		if err := f.read(b); err != nil {
			return err
		}
		for _, q := range f.queues {
			if len(q) > 0 {
				return nil
			}
		}
	}
}

// box goes over one box.
func (f *fragments) box() (box, error) {
	b, err := boxAt(f.r, f.at, f.size())
	if err != nil {
		return b, cutOff(err)
	}
	f.at = b.end
	return b, nil
}

// read takes the samples of a fragment.
func (f *fragments) read(moof box) error {
	if moof.size() > maxMoof {
		return fmt.Errorf("box \"moof\" of %d bytes, at most %d are read", moof.size(), maxMoof)
	}
	total := 0
	return children(f.r, moof, func(traf box) error {
		if traf.kind != "traf" {
			return nil
		}
		return f.readTrack(moof, traf, &total)
	})
}

// Flags of tfhd and trun (§8.8.7, §8.8.8).
const (
	hasBase        = 1
	hasDescription = 2
	hasDuration    = 8
	hasSize        = 0x10
	hasFlags       = 0x20
	baseIsMoof     = 0x20000

	runOffset     = 1
	runFirstFlags = 4
	runDuration   = 0x100
	runSize       = 0x200
	runFlags      = 0x400
	runShift      = 0x800

	notSync = 0x10000
)

// A fields is what is left of a box's content.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) uint32() uint32 {
	if len(f.b) < 4 {
		f.b, f.short = nil, true
		return 0
	}
	v := be.Uint32(f.b)
	f.b = f.b[4:]
	return v
}

func (f *fields) uint64() uint64 { return uint64(f.uint32())<<32 | uint64(f.uint32()) }

func (f *fields) optional(flags, flag, otherwise uint32) uint32 {
	if flags&flag == 0 {
		return otherwise
	}
	return f.uint32()
}

func (f *fragments) readTrack(moof, traf box, total *int) error {
	var t *movieTrack
	var queue *[]sample
	var duration, size, sampleFlags uint32
	var dts uint64
	base, data := moof.at, int64(-1)
	return children(f.r, traf, func(b box) error {
		switch b.kind {
		case "tfhd", "tfdt", "trun":
		default:
			return nil
		}
		c, err := content(f.r, b, 4)
		if err != nil {
			return err
		}
		flags := be.Uint32(c) & 0xffffff
		x := &fields{b: c[4:]}
		switch b.kind {
		case "tfhd":
			id := x.uint32()
			for i := range f.tracks {
				if f.tracks[i].id == id {
					t, queue = f.tracks[i], &f.queues[i]
				}
			}
			if t == nil {
				return nil
			}
			if flags&hasBase != 0 {
				base = int64(x.uint64())
			}
			x.optional(flags, hasDescription, 0)
			duration = x.optional(flags, hasDuration, t.defaultDuration)
			size = x.optional(flags, hasSize, t.defaultSize)
			sampleFlags = x.optional(flags, hasFlags, t.defaultFlags)
		case "tfdt":
			if c[0] == 1 {
				dts = x.uint64()
			} else {
				dts = uint64(x.uint32())
			}
		case "trun":
			if t == nil {
				return nil
			}
			n := x.uint32()
			if data < 0 {
				data = base
			}
			if flags&runOffset != 0 {
				data = base + int64(int32(x.uint32()))
			}
			first := x.optional(flags, runFirstFlags, sampleFlags)
			each := int64(0)
			for _, flag := range []uint32{runDuration, runSize, runFlags, runShift} {
				if flags&flag != 0 {
					each += 4
				}
			}
			if *total += int(min(n, maxFragmentSamples+1)); *total > maxFragmentSamples || int64(n)*each > int64(len(x.b)) {
				return fmt.Errorf("box \"trun\" says that it has %d samples", n)
			}
			for i := range n {
				s := sample{at: data, dts: dts}
				d := x.optional(flags, runDuration, duration)
				s.size = x.optional(flags, runSize, size)
				other := sampleFlags
				if i == 0 {
					other = first
				}
				s.sync = x.optional(flags, runFlags, other)&notSync == 0
				s.cts = int32(x.optional(flags, runShift, 0))
				if data < 0 || dts > maxTicks {
					return errors.New("box \"trun\" has a sample where or when none can be")
				}
				*queue = append(*queue, s)
				data += int64(s.size)
				dts += uint64(d)
			}
		}
		if x.short {
			return fmt.Errorf("box %q is too short", b.kind)
		}
		return nil
	})
}

// seek has load go on at the last fragment that has a sync sample of track lead which
// is not behind dts, from that sample on. The others begin at their samples from
// there on.
func (f *fragments) seek(ctx context.Context, lead int, dts uint64) error {
	f.at = f.first
	f.clear()
	best, found := f.first, false
	for n := 0; n < maxBoxes; n++ {
		if n%256 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		b, err := f.box()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if b.kind != "moof" {
			continue
		}
		f.clear()
		if err := f.read(b); err != nil {
			return err
		}
		q := f.queues[lead]
		if len(q) == 0 {
			continue
		}
		if q[0].dts > dts && found {
			break
		}
		if i := lastSync(q, dts); i >= 0 {
			best, found = b.at, true
		}
	}
	f.at = best
	f.clear()
	if err := f.load(); err != nil {
		return err
	}
	q := f.queues[lead]
	i := max(lastSync(q, dts), 0)
	if len(q) == 0 {
		return nil
	}
	from := f.tracks[lead].ms(q[i].dts) + f.tracks[lead].shift
	f.queues[lead] = q[i:]
	for j, t := range f.tracks {
		for j != lead && len(f.queues[j]) > 0 && t.ms(f.queues[j][0].dts)+t.shift < from {
			f.queues[j] = f.queues[j][1:]
		}
	}
	return nil
}

// lastSync is the last sync sample of q that is not behind dts; -1: there is none.
func lastSync(q []sample, dts uint64) int {
	for i := len(q) - 1; i >= 0; i-- {
		if q[i].sync && q[i].dts <= dts {
			return i
		}
	}
	return -1
}

func (f *fragments) clear() {
	for i := range f.queues {
		f.queues[i] = nil
	}
}
