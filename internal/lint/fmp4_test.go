package lint

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// initOf is the initialization section of packets.
func initOf(t testing.TB, tracks ...*media.Track) []byte {
	t.Helper()
	var list []mp4.Track
	for i, tr := range tracks {
		list = append(list, mp4.Track{ID: uint32(i + 1), Media: tr})
	}
	b, err := mp4.AppendInit(mp4.AppendFileType(nil, "iso6", "cmfc"), time.Time{}, list...)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// cutMP4 makes fragments of packets, one for each GOP, or of several parts each.
func cutMP4(packets []*media.Packet, parts int) (out [][]byte) {
	begun := time.Duration(-1)
	var gop []*media.Packet
	var list [][]*media.Packet
	for _, p := range packets {
		if p.Keyframe && begun >= 0 {
			list, gop = append(list, gop), nil
		}
		begun = p.DTS
		gop = append(gop, p)
	}
	list = append(list, gop)
	next := [3]uint64{}
	for i, gop := range list {
		b := mp4.AppendSegmentType(nil)
		for part := range parts {
			b = appendPart(b, gop[part*len(gop)/parts:(part+1)*len(gop)/parts], i, &next)
		}
		out = append(out, b)
	}
	return out
}

// appendPart appends moof and mdat of packets. Samples last until the next of their
// track, the last one 40 ms or 1024 of 44100.
func appendPart(b []byte, packets []*media.Packet, n int, next *[3]uint64) []byte {
	frame := 40 * time.Millisecond
	if len(packets) > 1 && packets[0].Track == packets[1].Track {
		frame = packets[1].DTS - packets[0].DTS
	}
	runs := []mp4.Run{{TrackID: 1, Video: true}, {TrackID: 2}}
	for _, p := range packets {
		r, d := &runs[0], uint32(0)
		scale := mp4.Timescale(p.Track)
		if d = uint32(mp4.Ticks(frame, int64(scale))); p.Track.Kind == media.Audio {
			r, d = &runs[1], 1024
		}
		if len(r.Samples) == 0 {
			r.Start = next[r.TrackID]
			if r.Start == 0 {
				r.Start = uint64(mp4.Ticks(p.DTS, int64(scale)))
			}
		}
		r.Samples = append(r.Samples, mp4.Sample{Data: p.Data, Duration: d, Offset: int32(mp4.Ticks(p.CTS, int64(scale))), Sync: p.Keyframe || p.Track.Kind == media.Audio})
		next[r.TrackID] = r.Start
		for _, s := range r.Samples {
			next[r.TrackID] += uint64(s.Duration)
		}
	}
	var used []mp4.Run
	for _, r := range runs {
		if len(r.Samples) > 0 {
			used = append(used, r)
		}
	}
	return mp4.AppendFragment(b, uint32(n+1), used)
}

// fmp4 is an initialization section and n segments of 2 s.
func fmp4(t testing.TB, n int, change func(*mediatest.Script)) (section []byte, segments [][]byte) {
	s := mediatest.NewScript(t)
	s.Audio = nil
	if change != nil {
		change(s)
	}
	s.Play(time.Duration(n) * 2 * time.Second)
	tracks := []*media.Track{s.Video}
	if s.Audio != nil {
		tracks = append(tracks, s.Audio)
	}
	return initOf(t, tracks...), cutMP4(s.Packets, 2)
}

// without takes a box out of b.
func without(b []byte, kind string) []byte {
	i := bytes.Index(b, []byte(kind)) - 4
	n := int(binary.BigEndian.Uint32(b[i:]))
	return append(bytes.Clone(b[:i]), b[i+n:]...)
}

// patch changes bytes behind the type of a box.
func patch(b []byte, kind string, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	i := bytes.Index(b, []byte(kind)) + 4 + at
	copy(b[i:], with)
	return b
}

// based has the first tfhd of b say where the data are.
func based(b []byte) []byte {
	b = bytes.Clone(b)
	grow := func(kind string) int {
		i := bytes.Index(b, []byte(kind))
		binary.BigEndian.PutUint32(b[i-4:], binary.BigEndian.Uint32(b[i-4:])+8)
		return i
	}
	grow("moof")
	grow("traf")
	at := grow("tfhd")
	b[at+7] |= 1
	return slices.Concat(b[:at+12], make([]byte, 8), b[at+12:])
}

// hevc is a track of H.265.
func hevc(t testing.TB) *media.Track {
	unhex := func(s string) [][]byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return [][]byte{b}
	}
	sets := media.Sets{
		VPS: unhex("40010c01ffff022000000300900000030000030078959809"), PPS: unhex("4401c172b46240"),
		SPS: unhex("420101022000000300900000030000030078a00280802d1365959a4932bc05a020000003002000000781"),
	}
	track, err := media.ParseConfig(media.CodecHEVC, sets.Record(media.CodecHEVC, 4))
	if err != nil {
		t.Fatal(err)
	}
	return &track
}

// Fragmented MP4 with one fault each.
var fmp4Cases = []struct {
	name string
	make func(*testing.T) (section []byte, segments [][]byte)
	want want
}{
	{"a picture", func(t *testing.T) ([]byte, [][]byte) { return fmp4(t, 4, nil) }, want{}},
	{"picture and sound", func(t *testing.T) ([]byte, [][]byte) {
		return fmp4(t, 4, func(s *mediatest.Script) { s.Audio = mediatest.NewScript(t).Audio })
	}, want{}},
	{"no section", func(*testing.T) ([]byte, [][]byte) { return []byte("\x00\x00\x00\x10ftypiso6\x00\x00\x00\x00"), nil }, want{"init", 6}},
	{"a section without ftyp", func(t *testing.T) ([]byte, [][]byte) { i, s := fmp4(t, 1, nil); return without(i, "ftyp"), s }, want{"init-brand", 6}},
	{"gohlslib's brands", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 1, nil)
		return append(mp4.AppendFileType(nil, "mp42", "mp41", "isom", "hlsf"), without(i, "ftyp")...), s
	}, want{"init-brand", 6}},
	{"a section without mvex", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 1, nil)
		return patch(i, "mvex", -4, []byte("free")...), s
	}, want{"init-mvex", 6}},
	{"a section with a duration", func(t *testing.T) ([]byte, [][]byte) { i, s := fmp4(t, 1, nil); return patch(i, "mvhd", 31, 9), s }, want{"init-duration", 6}},
	{"a segment that is cut off", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 1, nil)
		return i, [][]byte{s[0][:len(s[0])-1]}
	}, want{"fragment", 10}},
	{"a segment without fragments", func(t *testing.T) ([]byte, [][]byte) {
		i, _ := fmp4(t, 1, nil)
		return i, [][]byte{mp4.AppendSegmentType(nil)}
	}, want{"fragment", 10}},
	{"a fragment of another track", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 1, nil)
		return i, [][]byte{bytes.ReplaceAll(s[0], []byte("\x00\x02\x00\x20\x00\x00\x00\x01"), []byte("\x00\x02\x00\x20\x00\x00\x00\x09"))}
	}, want{"fragment-track", 10}},
	{"a fragment without tfdt", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 1, nil)
		return i, [][]byte{patch(s[0], "tfdt", 0-4, []byte("free")...)}
	}, want{"fragment-tfdt", 10}},
	{"a fragment that says where in the file it is", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 1, nil)
		return i, [][]byte{based(s[0])}
	}, want{"fragment-base", 10}},
	{"a sync sample that is no IDR picture", func(t *testing.T) ([]byte, [][]byte) {
		s := mediatest.NewScript(t)
		s.Audio = nil
		for i := range 50 {
			s.Put(s.Video, time.Duration(i)*40*time.Millisecond, false)
		}
		s.Packets[0].Keyframe = true
		return initOf(t, s.Video), cutMP4(s.Packets, 1)
	}, want{"fragment-sync", 10}},
	{"a gap of 30 ms between segments", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 3, nil)
		_, late := fmp4(t, 3, func(s *mediatest.Script) { s.At = 30 * time.Millisecond })
		return i, [][]byte{s[0], late[1]}
	}, want{"decode-time", 13}},
	{"an overlap of 30 ms", func(t *testing.T) ([]byte, [][]byte) {
		i, s := fmp4(t, 3, func(s *mediatest.Script) { s.At = 30 * time.Millisecond })
		_, early := fmp4(t, 3, nil)
		return i, [][]byte{s[0], early[1]}
	}, want{"decode-time", 13}},
	{"avcC that is damaged", func(t *testing.T) ([]byte, [][]byte) { i, s := fmp4(t, 1, nil); return patch(i, "avcC", 0, 9), s }, want{"init", 6}},
	{"H.265", func(t *testing.T) ([]byte, [][]byte) { return initOf(t, hevc(t)), nil }, want{}},
	{"H.265 as hev1", func(t *testing.T) ([]byte, [][]byte) {
		return bytes.Replace(initOf(t, hevc(t)), []byte("hvc1\x00"), []byte("hev1\x00"), 1), nil
	}, want{"hev1", 6}},
}

func showFragments(t *testing.T, all seen) {
	for _, c := range fmp4Cases {
		t.Run("fMP4: "+c.name, func(t *testing.T) {
			section, bodies := c.make(t)
			text := edit(t, listOf(max(len(bodies), 1)), "SEQUENCE:0\n\n", "SEQUENCE:0\n#EXT-X-MAP:URI=\"i\"\n")
			m := parsePlaylist([]byte(text)).media
			var check segmentChecker
			faults := check.takeInit(m.segments[0], section)
			for i, b := range bodies {
				faults = append(faults, check.check(m.facts(), m.segments[i], b)...)
			}
			all.check(t, faults, c.want)
		})
	}
}
