package vod

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/rtmpd/rtmpd/internal/bmff"
)

// maxBoxes is how many may stand beside each other: fragments of a day are some 200000.
const maxBoxes = 1 << 20

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
		if b.Kind != "moof" {
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
	b, err := bmff.At(f.r, f.at, f.size())
	if err != nil {
		return b, cutOff(err)
	}
	f.at = b.End
	return b, nil
}

// read takes the samples of a fragment.
func (f *fragments) read(moof box) error {
	tracks, err := bmff.ReadFragment(f.r, moof, func(id uint32) (bmff.Defaults, bool) {
		if i := f.track(id); i >= 0 {
			return f.tracks[i].defaults, true
		}
		return bmff.Defaults{}, false
	})
	for _, t := range tracks {
		queue := &f.queues[f.track(t.Track)]
		for _, s := range t.Samples {
			*queue = append(*queue, sample{at: s.At, size: s.Size, dts: s.DTS, cts: s.CTS, sync: s.Sync})
		}
	}
	return err
}

// track is the place of a track; -1: it is not played.
func (f *fragments) track(id uint32) int {
	return slices.IndexFunc(f.tracks, func(t *movieTrack) bool { return t.id == id })
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
		if b.Kind != "moof" {
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
			best, found = b.At, true
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
