package clip

import (
	"fmt"
	"io"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// transport makes fragments of segments of MPEG-TS.
type transport struct {
	open   Open
	file   []byte // scratch
	number uint32

	tracks [2]*media.Track // by media.Kind; nil: there is none
	base   int64           // ticks of 90 kHz that are taken off the times of the segments
	grid   int64           // where the next frame of sound is, in its ticks; -1: not known
	step   int64           // between the last two pictures, in ticks of 90 kHz
}

const clock90k = 90000

// A unit is what one PES packet has.
type unit struct {
	pts, dts int64
	random   bool
	data     []byte
}

// An unpacked segment.
type unpacked struct {
	types [2]uint8 // stream types; 0: none
	units [2][]unit
}

// unpack reads a segment.
func (t *transport) unpack(name string) (u unpacked, err error) {
	if t.file, err = readAll(t.open, name, t.file); err != nil {
		return u, err
	}
	byPID := make(map[uint16][]unit)
	var r mpegts.Reader
	sum := r.Read(t.file, func(p *mpegts.PES) {
		if p.HasPTS {
			byPID[p.PID] = append(byPID[p.PID], unit{p.PTS, p.DTS, p.Random, append([]byte(nil), p.Data...)})
		}
	})
	for _, s := range sum.Streams {
		kind := media.Audio
		if s.Type == mpegts.TypeH264 || s.Type == mpegts.TypeHEVC {
			kind = media.Video
		}
		if u.types[kind] == 0 {
			u.types[kind], u.units[kind] = s.Type, byPID[s.PID]
		}
	}
	return u, nil
}

// header implements source.
func (t *transport) header(s *Segment) ([]byte, error) {
	u, err := t.unpack(s.Files[0])
	if err != nil {
		return nil, err
	}
	var tracks [2]*media.Track
	var inits [][]byte
	for kind := range tracks {
		if len(u.units[kind]) == 0 {
			continue
		}
		track, frame, err := trackOf(media.Kind(kind), &u)
		if err != nil {
			return nil, err
		}
		init, err := mp4.AppendTrackInit(nil, mp4.Track{ID: uint32(kind) + 1, Media: track, Frame: frame})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCoded, err)
		}
		tracks[kind], inits = track, append(inits, init)
	}
	if inits == nil {
		return nil, fmt.Errorf("%w: a fragment has neither pictures nor sound", ErrCoded)
	}
	t.tracks = tracks
	return join(inits)
}

// trackOf says how the media of a kind are coded; frame is one of them.
func trackOf(kind media.Kind, u *unpacked) (t *media.Track, frame []byte, err error) {
	var config []byte
	codec := media.CodecAAC
	switch typ := u.types[kind]; typ {
	case mpegts.TypeH264, mpegts.TypeHEVC:
		codec = media.CodecH264
		if typ == mpegts.TypeHEVC {
			codec = media.CodecHEVC
		}
		var sets media.Sets
		for i := range u.units[kind] {
			media.AnnexB(u.units[kind][i].data, func(n []byte) { sets.Put(codec, n) })
			if len(sets.SPS) > 0 && len(sets.PPS) > 0 {
				break
			}
		}
		if len(sets.SPS) == 0 || len(sets.PPS) == 0 {
			return nil, nil, fmt.Errorf("%w: a fragment has no parameter sets", ErrCoded)
		}
		config = sets.Record(codec, 4)
	case mpegts.TypeADTS:
		raw, _ := media.SplitADTS(u.units[kind][0].data)
		if len(raw) == 0 {
			return nil, nil, fmt.Errorf("%w: its sound is damaged", ErrCoded)
		}
		frame = raw[0]
		config = media.ADTSConfig(u.units[kind][0].data, frame)
	default:
		return nil, nil, fmt.Errorf("%w: its sound is no AAC; hls format = \"fmp4\" can do that", ErrCoded)
	}
	track, err := media.ParseConfig(codec, config)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrCoded, err)
	}
	track.Kind = kind
	return &track, frame, nil
}

// begin implements source.
func (t *transport) begin(s *Segment, at time.Duration) error {
	u, err := t.unpack(s.Files[0])
	if err != nil {
		return err
	}
	first := int64(-1)
	for kind := range u.units {
		if len(u.units[kind]) > 0 && (first < 0 || between(first, u.units[kind][0].dts) < 0) {
			first = u.units[kind][0].dts
		}
	}
	t.base, t.grid = first-int64(at/time.Millisecond)*(clock90k/1000), -1
	return nil
}

// between is the distance from a to b, modulo 2^33.
func between(a, b int64) int64 { return (b - a) << 31 >> 31 }

// write implements source.
func (t *transport) write(w io.Writer, s *Segment) error {
	u, err := t.unpack(s.Files[0])
	if err != nil {
		return err
	}
	var runs []mp4.Run
	if t.tracks[media.Video] != nil && len(u.units[media.Video]) > 0 {
		if r := t.pictures(u.units[media.Video]); len(r.Samples) > 0 {
			runs = append(runs, r)
		}
	}
	if t.tracks[media.Audio] != nil && len(u.units[media.Audio]) > 0 {
		if r := t.sound(u.units[media.Audio]); len(r.Samples) > 0 {
			runs = append(runs, r)
		}
	}
	if len(runs) == 0 {
		return nil
	}
	t.number++
	_, err = w.Write(mp4.AppendFragment(nil, t.number, runs))
	return err
}

// at is a time of the clip, in ticks of 90 kHz.
func (t *transport) at(ticks int64) int64 { return max(between(t.base, ticks), 0) }

func (t *transport) pictures(units []unit) mp4.Run {
	r := mp4.Run{TrackID: uint32(media.Video) + 1, Video: true}
	codec := t.tracks[media.Video].Codec
	for i := range units {
		p := &units[i]
		data, key := lengths(codec, p.data)
		if len(data) == 0 {
			continue
		}
		dts := t.at(p.dts)
		if n := len(r.Samples); n == 0 {
			r.Start = uint64(dts)
		} else {
			t.step = max(dts-t.at(units[i-1].dts), 1)
			r.Samples[n-1].Duration = uint32(min(t.step, 1<<31))
		}
		r.Samples = append(r.Samples, mp4.Sample{Data: data, Duration: uint32(max(min(t.step, 1<<31), 1)), Offset: int32(between(p.dts, p.pts)), Sync: key || p.random})
	}
	return r
}

// lengths puts NAL unit lengths where a byte stream has start codes, and leaves access
// unit delimiters out. key: it is a random access point.
func lengths(codec media.Codec, b []byte) (out []byte, key bool) {
	if !media.IsAnnexB(b) {
		return nil, false
	}
	out = make([]byte, 0, len(b)+16)
	media.AnnexB(b, func(n []byte) {
		typ := n[0] & 0x1f
		delimiter, random := typ == 9, typ == 5
		if codec == media.CodecHEVC {
			typ = n[0] >> 1 & 0x3f
			delimiter, random = typ == 35, typ >= 16 && typ <= 21
		}
		if delimiter {
			return
		}
		key = key || random
		out = append(be.AppendUint32(out, uint32(len(n))), n...)
	})
	return out, key
}

// maxDrift is how far sound is from the count of its samples before that begins anew.
const maxDrift = 60 * time.Millisecond

func (t *transport) sound(units []unit) mp4.Run {
	r := mp4.Run{TrackID: uint32(media.Audio) + 1}
	track := t.tracks[media.Audio]
	scale := int64(mp4.Timescale(track))
	lasts := int64(max(track.FrameSamples, 1))
	if track.SampleRate > 0 {
		lasts = lasts * scale / int64(track.SampleRate)
	}
	drift := int64(maxDrift/time.Millisecond) * scale / 1000
	for i := range units {
		at := t.at(units[i].pts) * scale / clock90k
		if t.grid < 0 || at-t.grid > drift || t.grid-at > drift {
			if n := len(r.Samples); n > 0 && at > t.grid {
				r.Samples[n-1].Duration += uint32(min(at-t.grid, 1<<30))
			}
			t.grid = max(at, t.grid)
		}
		raw, _ := media.SplitADTS(units[i].data)
		for _, frame := range raw {
			if len(r.Samples) == 0 {
				r.Start = uint64(t.grid)
			}
			r.Samples = append(r.Samples, mp4.Sample{Data: frame, Duration: uint32(lasts), Sync: true})
			t.grid += lasts
		}
	}
	return r
}
