package lint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

// fragments cuts packets at keyframes, or every 2 s where there is no picture, and makes
// MPEG-TS of them.
func fragments(packets []*media.Packet) (out [][]byte) {
	var video, audio *media.Track
	for _, p := range packets {
		if p.Track.Kind == media.Video {
			video = p.Track
		} else {
			audio = p.Track
		}
	}
	m := mpegts.NewMuxer(video, audio)
	var b []byte
	begun := time.Duration(-1)
	for _, p := range packets {
		if begun < 0 || p.Keyframe || video == nil && p.DTS-begun >= 2*time.Second {
			if b != nil {
				out = append(out, b)
			}
			b, begun = m.AppendTables(nil), p.DTS
		}
		if p.Track.Kind == media.Video {
			b = m.AppendVideo(b, p)
		} else {
			b = m.AppendAudio(b, []*media.Packet{p}, p.DTS)
		}
	}
	return append(out, b)
}

// stream is n segments of 2 s, as scripts make them.
func stream(t testing.TB, n int, change func(*mediatest.Script)) [][]byte {
	s := mediatest.NewScript(t)
	if change != nil {
		change(s)
	}
	return fragments(s.Play(time.Duration(n) * 2 * time.Second).Packets)
}

// withSEI puts an SEI unit with the payload in front of each picture.
func withSEI(packets []*media.Packet, payload []byte) {
	unit := slices.Concat([]byte{6, 4, byte(len(payload))}, payload, []byte{0x80})
	for i, p := range packets {
		if p.Track.Kind == media.Video {
			q := *p
			q.Data = slices.Concat([]byte{0, 0, 0, byte(len(unit))}, unit, p.Data)
			packets[i] = &q
		}
	}
}

// Segments with one fault each. bodies are segments 0, 1, … of a playlist with a target
// duration of 2 s, each with EXTINF 2.
var segmentCases = []struct {
	name   string
	bodies func(*testing.T) [][]byte
	edit   func(*mediaPlaylist) // of the playlist
	want   want
}{
	{"picture and sound", func(t *testing.T) [][]byte { return stream(t, 4, nil) }, nil, want{}},
	{"a picture alone", func(t *testing.T) [][]byte { return stream(t, 3, func(s *mediatest.Script) { s.Audio = nil }) }, nil, want{}},
	{"B pictures", func(t *testing.T) [][]byte {
		s := mediatest.NewScript(t).Play(6 * time.Second)
		mediatest.Reordered(s.Packets)
		return fragments(s.Packets)
	}, nil, want{}},
	{"timestamps that wrap", func(t *testing.T) [][]byte {
		return stream(t, 3, func(s *mediatest.Script) { s.At = tsWrap - 3*time.Second })
	}, nil, want{}},
	{"a discontinuity", func(t *testing.T) [][]byte {
		return append(stream(t, 2, nil), stream(t, 1, func(s *mediatest.Script) { s.At = time.Hour })...)
	}, func(m *mediaPlaylist) { m.segments[2].breaks = true }, want{}},
	{"bit rates that are right", func(t *testing.T) [][]byte { return stream(t, 2, nil) }, func(m *mediaPlaylist) { m.segments[0].bitrate = 105 }, want{}},
	{"packed audio", func(*testing.T) [][]byte { return [][]byte{packed(90000), packed(3 * 90000)} }, func(m *mediaPlaylist) { m.independent = false }, want{}},
	{"subtitles", func(*testing.T) [][]byte {
		return [][]byte{[]byte("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000\n\n")}
	}, nil, want{}},

	{"nothing", func(*testing.T) [][]byte { return [][]byte{{}} }, nil, want{"segment-empty", 10}},
	{"a page of HTML", func(*testing.T) [][]byte { return [][]byte{[]byte("<html>not found")} }, nil, want{"segment-format", 10}},
	{"tables alone", func(t *testing.T) [][]byte { return [][]byte{stream(t, 1, nil)[0][:2*188]} }, func(m *mediaPlaylist) { m.target = 0 }, want{"segment-silent", 10}},
	{"half a packet at the end", func(t *testing.T) [][]byte {
		b := stream(t, 1, nil)
		b[0] = append(b[0], 0x47, 1, 2)
		return b
	}, nil, want{"ts-sync", 10}},
	{"a PMT that is damaged", func(t *testing.T) [][]byte {
		b := stream(t, 1, nil)
		broken := bytes.Clone(b[0][188:376])
		broken[30] ^= 1
		broken[3] = broken[3]&0xf0 | 1
		return [][]byte{append(b[0], broken...)}
	}, nil, want{"ts-crc", 10}},
	{"no PAT", func(t *testing.T) [][]byte { return [][]byte{stream(t, 1, nil)[0][188:]} }, nil, want{"ts-tables", 10}},
	{"tables behind a picture", func(t *testing.T) [][]byte {
		b := stream(t, 1, nil)[0]
		null := append([]byte{0x47, 0x1f, 0xff, 0x10}, make([]byte, 184)...)
		return [][]byte{append(null, b...)}
	}, nil, want{"ts-tables-first", 10}},
	{"two programs", func(t *testing.T) [][]byte {
		b := stream(t, 1, nil)[0]
		copy(b, twoPrograms())
		return [][]byte{b}
	}, nil, want{"ts-program", 10}},
	{"a packet that is lost", func(t *testing.T) [][]byte {
		b := stream(t, 1, func(s *mediatest.Script) { s.Audio = nil; s.Size = 2000 })[0]
		return [][]byte{append(bytes.Clone(b[:188*30]), b[188*31:]...)}
	}, nil, want{"ts-continuity", 10}},
	{"counters that begin again in each segment, as nginx-rtmp's", func(t *testing.T) [][]byte {
		a := stream(t, 1, nil)
		b := stream(t, 1, func(s *mediatest.Script) { s.At = 2 * time.Second })
		return [][]byte{a[0], b[0]}
	}, nil, want{"ts-continuity-segment", 13}},
	{"no clock", func(t *testing.T) [][]byte {
		b := stream(t, 1, nil)[0]
		for i := 0; i < len(b); i += 188 {
			if b[i+3]&0x20 != 0 && b[i+4] > 0 {
				b[i+5] &^= 0x10
			}
		}
		return [][]byte{b}
	}, nil, want{"ts-clock", 10}},
	{"H.265", func(t *testing.T) [][]byte {
		s := mediatest.NewScript(t)
		s.Audio = nil
		video := hevc(t)
		for i := range 50 {
			s.Put(video, time.Duration(i)*40*time.Millisecond, i == 0)
			s.Packets[i].Data[4], s.Packets[i].Data[5] = map[bool]byte{true: 19 << 1, false: 1 << 1}[i == 0], 1
		}
		return fragments(s.Packets)
	}, nil, want{"hevc-ts", 10}},
	{"no keyframe", func(t *testing.T) [][]byte {
		s := mediatest.NewScript(t)
		for i := range 50 {
			s.Put(s.Video, time.Duration(i)*40*time.Millisecond, false)
		}
		return fragments(s.Packets)
	}, func(m *mediaPlaylist) { m.independent = false }, want{"segment-keyframe", 10}},
	{"a keyframe in the middle of an independent segment", func(t *testing.T) [][]byte {
		s := mediatest.NewScript(t)
		for i := range 50 {
			s.Put(s.Video, time.Duration(i)*40*time.Millisecond, i == 25)
		}
		f := fragments(s.Packets)
		return [][]byte{append(f[0], f[1]...)}
	}, nil, want{"independent-segments", 10}},
	{"a recovery point in place of an IDR picture", func(t *testing.T) [][]byte {
		s := mediatest.NewScript(t)
		for i := range 50 {
			s.Put(s.Video, time.Duration(i)*40*time.Millisecond, false)
		}
		withSEI(s.Packets[:1], []byte{0x84})
		s.Packets[0].Data[5] = seiRecoveryPoint
		return fragments(s.Packets)
	}, nil, want{}},
	{"timestamps that go back in a segment", func(t *testing.T) [][]byte {
		f := stream(t, 2, func(s *mediatest.Script) { s.Audio = nil })
		g := stream(t, 2, func(s *mediatest.Script) { s.Audio = nil; s.At = time.Second })
		renumber(f[0], g[0])
		return [][]byte{append(f[0], g[0]...)}
	}, nil, want{"timestamps-back", 10}},
	{"the same segment again", func(t *testing.T) [][]byte {
		f := stream(t, 2, nil)
		again := bytes.Clone(f[0])
		renumber(f[0], again)
		return [][]byte{f[0], again}
	}, nil, want{"timestamps-back", 13}},
	{"a minute that is missing", func(t *testing.T) [][]byte {
		f := stream(t, 1, nil)
		g := stream(t, 1, func(s *mediatest.Script) { s.At = time.Minute })
		renumber(f[0], g[0])
		return [][]byte{f[0], g[0]}
	}, nil, want{"timestamps-jump", 13}},
	{"sound that is no longer there", func(t *testing.T) [][]byte {
		f := stream(t, 1, nil)
		g := stream(t, 1, func(s *mediatest.Script) { s.Audio = nil; s.At = 2 * time.Second })
		renumber(f[0], g[0])
		return [][]byte{f[0], g[0]}
	}, nil, want{"discontinuity-missing", 13}},
	{"another codec", func(t *testing.T) [][]byte {
		f := stream(t, 1, nil)
		g := stream(t, 1, func(s *mediatest.Script) {
			s.Audio = &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 44100, Channels: 1, FrameSamples: 1152}
			s.At = 2 * time.Second
		})
		renumber(f[0], g[0])
		return [][]byte{f[0], g[0]}
	}, nil, want{"discontinuity-missing", 13}},
	{"another picture size", func(t *testing.T) [][]byte {
		f := stream(t, 1, nil)
		g := stream(t, 1, func(s *mediatest.Script) {
			s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
			s.At = 2 * time.Second
		})
		renumber(f[0], g[0])
		return [][]byte{f[0], g[0]}
	}, nil, want{"discontinuity-encoding", 13}},
	{"a segment of 2.9 s", func(t *testing.T) [][]byte {
		return stream(t, 3, func(s *mediatest.Script) { s.GOP = 2920 * time.Millisecond })[:2]
	}, nil, want{"segment-long", 10}},
	{"EXTINF that is 0.24 s too long", func(t *testing.T) [][]byte {
		return stream(t, 2, func(s *mediatest.Script) { s.GOP = 1760 * time.Millisecond })[:2]
	}, nil, want{"extinf-media", 10}},
	{"EXTINF that is 80 ms too long each time", func(t *testing.T) [][]byte {
		return stream(t, 5, func(s *mediatest.Script) { s.GOP = 1920 * time.Millisecond })[:5]
	}, nil, want{"extinf-drift", 22}},
	{"a bit rate that is not right", func(t *testing.T) [][]byte { return stream(t, 1, nil) }, func(m *mediaPlaylist) { m.segments[0].bitrate = 500 }, want{"bitrate", 10}},
	{"a fragment without a map", func(*testing.T) [][]byte { return [][]byte{[]byte("\x00\x00\x00\x08moof")} }, nil, want{"map-missing", 10}},
	{"AAC without its timestamp", func(*testing.T) [][]byte { return [][]byte{packed(0)[73:]} }, nil, want{"packed-audio", 10}},
	{"ID3 without a timestamp", func(*testing.T) [][]byte {
		return [][]byte{bytes.Replace(packed(0), []byte("apple"), []byte("other"), 1)}
	}, nil, want{"packed-audio", 10}},
	{"subtitles without a clock", func(*testing.T) [][]byte { return [][]byte{[]byte("WEBVTT\n\n")} }, nil, want{"webvtt", 10}},
}

// packed is 2 s of packed audio that begins at a timestamp.
func packed(at uint64) []byte {
	owner := []byte(id3Owner)
	frame := slices.Concat([]byte("PRIV"), []byte{0, 0, 0, byte(len(owner) + 8), 0, 0}, owner, binary.BigEndian.AppendUint64(nil, at))
	b := slices.Concat([]byte("ID3\x04\x00\x00\x00\x00\x00"), []byte{byte(len(frame))}, frame)
	track := media.Track{Codec: media.CodecAAC, AudioObjectType: 2, SampleRate: 48000, Channels: 2, ChannelConfig: 2, FrameSamples: 1024}
	for range 94 {
		h, _ := media.ADTSHeader(&track, 8)
		b = append(append(b, h[:]...), make([]byte, 8)...)
	}
	return b
}

// twoPrograms is a PAT.
func twoPrograms() []byte {
	s := []byte{0, 0xb0, 17, 0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0, 0, 2, 0xf0, 1}
	sum := ^uint32(0)
	for _, c := range s {
		sum ^= uint32(c) << 24
		for range 8 {
			sum = sum<<1 ^ sum>>31*0x04c11db7
		}
	}
	b := append([]byte{0x47, 0x40, 0, 0x10, 0}, binary.BigEndian.AppendUint32(s, sum)...)
	return append(b, bytes.Repeat([]byte{0xff}, 188-len(b))...)
}

// renumber has the continuity counters of b go on where those of a end.
func renumber(a, b []byte) {
	last := map[uint16]byte{}
	for i := 0; i < len(a); i += 188 {
		last[binary.BigEndian.Uint16(a[i+1:])&0x1fff] = a[i+3] & 0xf
	}
	for i := 0; i < len(b); i += 188 {
		pid := binary.BigEndian.Uint16(b[i+1:]) & 0x1fff
		if b[i+3]&0x10 != 0 {
			last[pid] = (last[pid] + 1) & 0xf
		}
		b[i+3] = b[i+3]&0xf0 | last[pid]
	}
}

// listOf is a playlist of n segments of 2 s.
func listOf(n int) string {
	var b strings.Builder
	b.WriteString("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA-SEQUENCE:0\n\n\n")
	for i := range n {
		fmt.Fprintf(&b, "#EXT-X-PROGRAM-DATE-TIME:2026-11-30T08:00:%02d.000Z\n#EXTINF:2.000,\n%d.ts\n", 2*i, i)
	}
	return b.String()
}

func showSegments(t *testing.T, all seen) {
	for _, c := range segmentCases {
		t.Run(c.name, func(t *testing.T) {
			bodies := c.bodies(t)
			m := parsePlaylist([]byte(listOf(len(bodies)))).media
			if c.edit != nil {
				c.edit(m)
			}
			var check segmentChecker
			var faults []fault
			for i, s := range m.segments {
				faults = append(faults, check.check(m.facts(), s, bodies[i])...)
			}
			all.check(t, faults, c.want)
		})
	}
}
