package hls

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A variant is what a publisher sends in place of a sound stream.
type variant struct {
	inBand bool // the parameter sets come with each keyframe, too
	header func(head, config []byte, sets media.Sets) []byte
	frame  func(head []byte, units [][]byte) []byte
}

func startCodes(code string, units ...[]byte) (out []byte) {
	for _, u := range units {
		out = append(append(out, code...), u...)
	}
	return out
}

func withLength(units ...[]byte) (out []byte) {
	for _, u := range units {
		out = binary.BigEndian.AppendUint16(out, uint16(len(u)))
		out = append(out, u...)
	}
	return out
}

const code4, code3 = "\x00\x00\x00\x01", "\x00\x00\x01"

// configRecord is an avcC or hvcC with the sets given, each list in one entry if glued.
func configRecord(c media.Codec, config []byte, glued bool, lists ...[][]byte) []byte {
	entries := func(list [][]byte) (n byte, b []byte) {
		if glued && len(list) > 0 {
			list = [][]byte{bytes.Join(list, nil)}
		}
		return byte(len(list)), withLength(list...)
	}
	if c == media.CodecHEVC {
		out := append(slices.Clone(config[:22]), byte(len(lists)))
		for i, list := range lists {
			n, b := entries(list)
			out = append(append(out, byte(32+i), 0, n), b...)
		}
		return out
	}
	n, sps := entries(lists[0])
	out := append(slices.Clone(config[:5]), 0xe0|n)
	out = append(out, sps...)
	n, pps := entries(lists[1])
	return append(append(out, n), pps...)
}

func coded(lists [][][]byte, code string) (out [][][]byte) {
	for _, list := range lists {
		var l [][]byte
		for _, s := range list {
			l = append(l, append([]byte(code), s...))
		}
		out = append(out, l)
	}
	return out
}

func listsOf(c media.Codec, s media.Sets) [][][]byte {
	if c == media.CodecHEVC {
		return [][][]byte{s.VPS, s.SPS, s.PPS}
	}
	return [][][]byte{s.SPS, s.PPS}
}

// What can be mended comes out as if it had been sent rightly.
func TestMendedVideo(t *testing.T) {
	t.Parallel()
	for codec, s := range splitters {
		variants := map[string]variant{
			"header without parameter sets": {true, func(head, config []byte, _ media.Sets) []byte {
				return append(head, configRecord(s.codec, config, false, nil, nil)...)
			}, nil},
			"no header": {true, func([]byte, []byte, media.Sets) []byte { return nil }, nil},
			"no header, start codes": {true, func([]byte, []byte, media.Sets) []byte { return nil }, func(head []byte, units [][]byte) []byte {
				return append(head, startCodes(code4, units...)...)
			}},
			"an empty header": {true, func(head, _ []byte, _ media.Sets) []byte { return head }, nil},
			"start codes in the header": {false, func(head, config []byte, sets media.Sets) []byte {
				return append(head, configRecord(s.codec, config, false, coded(listsOf(s.codec, sets), code4)...)...)
			}, nil},
			"short start codes in the header": {false, func(head, config []byte, sets media.Sets) []byte {
				return append(head, configRecord(s.codec, config, false, coded(listsOf(s.codec, sets), code3)...)...)
			}, nil},
			"all sets in one entry of the header": {false, func(head, config []byte, sets media.Sets) []byte {
				all := coded([][][]byte{slices.Concat(listsOf(s.codec, sets)...)}, code4)
				if s.codec == media.CodecHEVC {
					return append(head, configRecord(s.codec, config, true, all[0])...)
				}
				return append(head, configRecord(s.codec, config, true, all[0], nil)...)
			}, nil},
			"Annex B in place of the header": {false, func(head, _ []byte, sets media.Sets) []byte {
				return append(head, startCodes(code4, slices.Concat(listsOf(s.codec, sets)...)...)...)
			}, nil},
			"start codes in place of lengths": {false, nil, func(head []byte, units [][]byte) []byte {
				return append(head, startCodes(code4, units...)...)
			}},
			"short start codes in place of lengths": {false, nil, func(head []byte, units [][]byte) []byte {
				return append(head, startCodes(code3, units...)...)
			}},
			"start codes behind lengths": {false, nil, func(head []byte, units [][]byte) []byte {
				for _, u := range units {
					head = append(head, lengths(append([]byte(code4), u...))...)
				}
				return head
			}},
			"one length around start codes": {false, nil, func(head []byte, units [][]byte) []byte {
				return append(head, lengths(startCodes(code4, units...))...)
			}},
		}
		for name, v := range variants {
			t.Run(codec+": "+name, func(t *testing.T) {
				t.Parallel()
				sound := splitterTags(t, codec)
				var track *media.Track
				for _, p := range demuxed(t, sound) {
					if p.Track.Kind == media.Video {
						track = p.Track
						break
					}
				}
				sets := media.Sets{VPS: track.VPS, SPS: track.SPS, PPS: track.PPS}
				if v.inBand {
					sound = s.each(sound, func(head []byte, units [][]byte) [][]byte {
						if head[0]&0x70 == 0x10 {
							units = append(slices.Concat(listsOf(s.codec, sets)...), units...)
						}
						return [][]byte{body(head, units...)}
					})
				}
				sent := slices.Clone(sound)
				if v.frame != nil {
					sent = s.each(sent, func(head []byte, units [][]byte) [][]byte { return [][]byte{v.frame(slices.Clone(head), units)} })
				}
				if v.header != nil {
					i := slices.IndexFunc(sent, func(x tag) bool { return x.Type == flv.TagVideo })
					head := len(sent[i].Body) - len(track.Config)
					if sent[i].Body = v.header(slices.Clone(sent[i].Body[:head]), track.Config, sets); sent[i].Body == nil {
						sent = slices.Delete(sent, i, i+1)
					}
				}
				samePublished(t, sent, sound)
				for _, p := range demuxed(t, sent) {
					if p.Track.Kind == media.Video && (p.Track.Width != track.Width || p.Track.CodecString == "") {
						t.Fatalf("track %+v", p.Track)
					}
				}
			})
		}
	}
}

func adts(raw []byte, rate, channels byte, crc bool) []byte {
	n := len(raw) + 7
	h := []byte{0xff, 0xf1, 1<<6 | rate<<2 | channels>>2, 0, 0, 0, 0xfc}
	if crc {
		h[1], n = 0xf0, n+2
	}
	h[3], h[4], h[5] = channels<<6|byte(n>>11), byte(n>>3), byte(n<<5)|0x1f
	if crc {
		h = append(h, 0xaa, 0xbb)
	}
	return append(h, raw...)
}

func TestMendedAudio(t *testing.T) {
	t.Parallel()
	fourCC := func(b []byte) []byte { return append(append([]byte{0x90 | b[1]}, "mp4a"...), b[2:]...) }
	for name, f := range map[string]func(b []byte) []byte{
		"ADTS behind a header": func(b []byte) []byte { return append(b[:2:2], adts(b[2:], 3, 1, false)...) },
		"ADTS with CRC":        func(b []byte) []byte { return append(b[:2:2], adts(b[2:], 3, 1, true)...) },
		"ADTS without a header": func(b []byte) []byte {
			if b[1] == 0 {
				return nil
			}
			return append(b[:2:2], adts(b[2:], 3, 1, false)...)
		},
		"ADTS behind a broken header": func(b []byte) []byte {
			if b[1] == 0 {
				return []byte{0xaf, 0, 0xff}
			}
			return append(b[:2:2], adts(b[2:], 3, 1, false)...)
		},
		"ADTS by FourCC, without a header": func(b []byte) []byte {
			if b[1] == 0 {
				return nil
			}
			return fourCC(append(b[:2:2], adts(b[2:], 3, 1, false)...))
		},
		"SoundType bit": func(b []byte) []byte { return append([]byte{b[0] ^ 1}, b[1:]...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sound := flvTags(t, "testdata/slices.flv")
			var sent []tag
			for _, x := range sound {
				if x.Type == flv.TagAudio {
					if x.Body = f(x.Body); x.Body == nil {
						continue
					}
				}
				sent = append(sent, x)
			}
			samePublished(t, sent, sound)
		})
	}
}

// several puts n sound messages into one, at the time of the first.
func several(tags []tag, n int, body func(frames [][]byte) []byte) (out []tag) {
	var frames [][]byte
	at := 0
	for _, x := range tags {
		if x.Type != flv.TagAudio || x.Body[1] == 0 {
			out = append(out, x)
			continue
		}
		if len(frames) == 0 {
			at = len(out)
			out = append(out, x)
		}
		if frames = append(frames, adts(x.Body[2:], 3, 1, len(frames)%2 == 1)); len(frames) == n {
			out[at].Body = append(x.Body[:2:2], body(frames)...)
			frames = nil
		}
	}
	if frames != nil {
		out[at].Body = append([]byte{0xaf, 1}, body(frames)...)
	}
	return out
}

// Several ADTS frames in a message are as many frames, each at its time.
func TestSeveralADTSFramesInAMessage(t *testing.T) {
	t.Parallel()
	join := func(frames [][]byte) []byte { return bytes.Join(frames, nil) }
	for n := 2; n <= 5; n++ {
		sound := flvTags(t, "testdata/slices.flv")
		_, want := published(t, sound)
		_, got := published(t, several(flvTags(t, "testdata/slices.flv"), n, join))
		if g, w := elementary(got, 0x101), elementary(want, 0x101); len(w) == 0 || !bytes.Equal(g, w) {
			t.Errorf("%d frames in each: %d bytes of sound, want %d", n, len(g), len(w))
		}
		last := func(ts []byte) time.Duration { at := mediatest.DecodeTimes(ts)[0x101]; return at[len(at)-1] }
		if g, w := last(got), last(want); (g - w).Abs() > 300*time.Millisecond { // of max_audio_delay
			t.Errorf("%d frames in each: the last sound is at %v, want %v", n, g, w)
		}
	}
}

// What ends in the middle of a frame gives the frames before it, and is told.
func TestHalfADTSFrames(t *testing.T) {
	t.Parallel()
	d := flv.NewDemuxer(0, 0)
	raw := []byte{0x21, 0x10, 0x05}
	one := adts(raw, 3, 2, false)
	for name, c := range map[string]struct {
		body  []byte
		heard int
	}{
		"half a frame behind two":   {slices.Concat(one, one, one[:8]), 2},
		"bytes behind one":          {append(slices.Clone(one), 1, 2, 3), 1},
		"half a frame":              {one[:8], 0},
		"two raw data blocks in it": {append(append(slices.Clone(one[:6]), 0xfd), raw...), 0},
	} {
		d.Audio(0, []byte{0xaf, 0, 0x11, 0x90})
		p, err := d.Audio(0, append([]byte{0xaf, 1}, c.body...))
		if err != nil || len(p.Tag) != 2+len(c.body) {
			t.Fatalf("%s: %v, %v", name, p, err)
		}
		n := 0
		if p.ADTS {
			frames, _ := media.SplitADTS(p.Data)
			n = len(frames)
		} else if len(p.Data) > 0 {
			n = 1
		}
		if n != c.heard {
			t.Errorf("%s: %d frames, want %d", name, n, c.heard)
		}
		if d.Defects()&media.BrokenADTS == 0 {
			t.Errorf("%s: no defect", name)
		}
		d = flv.NewDemuxer(0, 0)
	}
}

// A header that says the same again is no change, whatever is around it.
func TestSameConfigurationInAnotherTag(t *testing.T) {
	t.Parallel()
	change := func(at int, to func(n int, b byte) byte) func(n int, b []byte) []byte {
		return func(n int, b []byte) []byte {
			b = slices.Clone(b)
			b[at] = to(n, b[at])
			return b
		}
	}
	pad := func(n int, b []byte) []byte { return append(slices.Clip(b), make([]byte, n)...) }
	for _, c := range []struct {
		name, codec string
		kind        uint8
		f           func(n int, b []byte) []byte
	}{
		{"the same bytes", "H.264", flv.TagVideo, func(_ int, b []byte) []byte { return b }},
		{"composition time", "H.264", flv.TagVideo, change(4, func(n int, _ byte) byte { return byte(n) })},
		{"frame type", "H.264", flv.TagVideo, change(0, func(n int, _ byte) byte { return 0x17 + byte(n%2)*0x10 })},
		{"zeros behind the record", "H.264", flv.TagVideo, pad},
		{"the record's own profile", "H.264", flv.TagVideo, change(6, func(n int, _ byte) byte { return byte(n) })},
		{"frame type", "HEVC", flv.TagVideo, change(0, func(n int, _ byte) byte { return 0x90 + byte(n%2)*0x10 })},
		{"zeros behind the record", "legacy HEVC", flv.TagVideo, pad},
		{"frame rate of the record", "HEVC", flv.TagVideo, change(5+20, func(n int, _ byte) byte { return byte(n) })},
		{"SoundType", "H.264", flv.TagAudio, change(0, func(n int, _ byte) byte { return 0xae + byte(n%2) })},
		{"rate and size bits", "H.264", flv.TagAudio, change(0, func(n int, _ byte) byte { return 0xa0 + byte(n%16) })},
		{"zeros behind the config", "H.264", flv.TagAudio, pad},
	} {
		t.Run(c.codec+": "+c.name, func(t *testing.T) {
			t.Parallel()
			s, sound := splitters[c.codec], splitterTags(t, c.codec)
			i := slices.IndexFunc(sound, func(x tag) bool { return x.Type == c.kind })
			var sent []tag
			n := 0
			for _, x := range sound {
				if head, _ := s.frame(x); head != nil && head[0]&0x70 == 0x10 {
					again := sound[i]
					again.Timestamp = x.Timestamp
					again.Body = c.f(n, again.Body)
					sent = append(sent, again)
					n++
				}
				sent = append(sent, x)
			}
			if n < 2 {
				t.Fatal("no header was repeated")
			}
			samePublished(t, sent, sound)
		})
	}
}

// A size that changes in the SPS of a keyframe alone is a change as by a new
// header: a discontinuity, and another RESOLUTION in the multivariant playlist.
func TestSizeThatChangesInBand(t *testing.T) {
	t.Parallel()
	avc := mediatest.Track(t, media.CodecH264, mediatest.AVCHigh1080)
	for codec, c := range map[string]struct {
		sets [][]byte
		want string
	}{
		"H.264":       {[][]byte{avc.SPS[0], avc.PPS[0]}, "1920x1080"},
		"HEVC":        {hevc720(t), "1280x720"},
		"legacy HEVC": {hevc720(t), "1280x720"},
	} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			s, tags, keys := splitters[codec], splitterTags(t, codec), 0
			changed := s.each(tags, func(head []byte, units [][]byte) [][]byte {
				if head[0]&0x70 == 0x10 {
					if keys++; keys == 2 { // the second GOP is another camera's
						units = slices.Concat(c.sets, units)
					}
				}
				return [][]byte{body(head, units...)}
			})
			if keys < 2 {
				t.Fatal("no keyframe to change at")
			}
			b := newBench(t)
			cfg := variants(b.dir)
			cfg.Fragment = time.Second
			packets := demuxed(t, changed)
			b.run(b.packager("show_low", cfg), packets, eof)
			if list := string(b.read("show_low.m3u8")); strings.Count(list, "#EXT-X-DISCONTINUITY\n") != 1 {
				t.Errorf("want 1 discontinuity:\n%s", list)
			}
			if m := b.master("show.m3u8"); len(m.Variants) != 1 || m.Variants[0].Resolution != c.want {
				t.Errorf("want %s:\n%s", c.want, b.read("show.m3u8"))
			}
		})
	}
}

// hevc720 are parameter sets of x265 for 1280x720.
func hevc720(t *testing.T) (sets [][]byte) {
	t.Helper()
	for _, s := range []string{
		"40010c01ffff01600000030090000003000003005d959409",
		"42010101600000030090000003000003005da00280802d16595952930bc05a020000030002000003003210",
		"4401c073c189",
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		sets = append(sets, b)
	}
	return sets
}
