package mp4

import "time"

// A Sample is one coded frame.
type Sample struct {
	Data     []byte
	Duration uint32 // in the track's timescale
	Offset   int32  // of composition: PTS - DTS, may be negative
	Sync     bool   // decoding may begin here
}

// A Run is the samples of one track in a fragment, in decoding order.
type Run struct {
	TrackID uint32
	Start   uint64 // DTS of the first sample
	Video   bool   // samples have their own flags and offsets; all sound is alike
	Samples []Sample
}

// Flags of samples (ISO 14496-12 §8.8.3.1).
const (
	flagsSync  = 0x02000000 // depends on no other
	flagsDelta = 0x01010000 // depends on others, is no sync sample
)

// Flags of tfhd and trun (§8.8.7, §8.8.8).
const (
	tfhdDefaultFlags  = 0x20
	tfhdBaseIsMoof    = 0x20000
	trunDataOffset    = 1
	trunDuration      = 0x100
	trunSize          = 0x200
	trunFlags         = 0x400
	trunOffset        = 0x800
	boxHeader         = 8
	fragmentOverhead  = boxHeader + 16           // moof, mfhd
	runOverhead       = boxHeader + 20 + 20 + 20 // traf, tfhd, tfdt, trun
	videoSampleInTrun = 16
	audioSampleInTrun = 8
)

// size is how much traf takes.
func (r *Run) size() int {
	if r.Video {
		return runOverhead + len(r.Samples)*videoSampleInTrun
	}
	return runOverhead + len(r.Samples)*audioSampleInTrun
}

// AppendFragment appends moof (§8.8.4) and mdat with runs, which are not empty.
// Sequence numbers count fragments from 1. The samples of each run are adjacent
// and the last bytes of the output. It allocates only to grow b.
//
//	moof [mfhd, traf [tfhd, tfdt, trun]…] mdat [samples of each run]
func AppendFragment(b []byte, sequence uint32, runs []Run) []byte {
	b = appendFragmentHead(b, sequence, runs)
	for i := range runs {
		for j := range runs[i].Samples {
			b = append(b, runs[i].Samples[j].Data...)
		}
	}
	return b
}

// AppendProducerTime appends prft (ISO 14496-12 §8.16.5): media time at, in the ticks of the
// track, was at a time of day. It stands before the moof.
func AppendProducerTime(b []byte, trackID uint32, at uint64, day time.Time) []byte {
	const (
		version, likeCaptured = 1, 24 // a time that runs with the media, as that of its capture
		from1900To1970        = 2208988800
	)
	b, box := openFull(b, "prft", version, likeCaptured)
	b = be.AppendUint32(b, trackID)
	b = be.AppendUint32(b, uint32(day.Unix()+from1900To1970)) // NTP (RFC 5905 §6): seconds …
	b = be.AppendUint32(b, uint32(uint64(day.Nanosecond())<<32/1e9))
	b = be.AppendUint64(b, at)
	shut(b, box, 0)
	return b
}

// appendFragmentHead is AppendFragment without the samples.
func appendFragmentHead(b []byte, sequence uint32, runs []Run) []byte {
	moofSize := fragmentOverhead
	for i := range runs {
		moofSize += runs[i].size()
	}
	b, moof := open(b, "moof")
	b, at := openFull(b, "mfhd", 0, 0)
	b = be.AppendUint32(b, sequence)
	shut(b, at, 0)
	offset := moofSize + boxHeader
	for i := range runs {
		b = runs[i].append(b, offset)
		for j := range runs[i].Samples {
			offset += len(runs[i].Samples[j].Data)
		}
	}
	shut(b, moof, 0)
	b = be.AppendUint32(b, uint32(offset-moofSize))
	return append(b, "mdat"...)
}

// append appends traf. offset is that of the first sample, from the moof on.
func (r *Run) append(b []byte, offset int) []byte {
	b, traf := open(b, "traf")
	b, at := openFull(b, "tfhd", 0, tfhdBaseIsMoof|tfhdDefaultFlags)
	b = be.AppendUint32(b, r.TrackID)
	b = be.AppendUint32(b, flagsSync)
	shut(b, at, 0)
	b, at = openFull(b, "tfdt", 1, 0)
	b = be.AppendUint64(b, r.Start)
	shut(b, at, 0)
	if r.Video {
		b, at = openFull(b, "trun", 1, trunDataOffset|trunDuration|trunSize|trunFlags|trunOffset)
	} else {
		b, at = openFull(b, "trun", 1, trunDataOffset|trunDuration|trunSize)
	}
	b = be.AppendUint32(b, uint32(len(r.Samples)))
	b = be.AppendUint32(b, uint32(offset))
	for i := range r.Samples {
		s := &r.Samples[i]
		b = be.AppendUint32(b, s.Duration)
		b = be.AppendUint32(b, uint32(len(s.Data)))
		if !r.Video {
			continue
		}
		flags := uint32(flagsDelta)
		if s.Sync {
			flags = flagsSync
		}
		b = be.AppendUint32(b, flags)
		b = be.AppendUint32(b, uint32(s.Offset))
	}
	shut(b, at, 0)
	shut(b, traf, 0)
	return b
}
