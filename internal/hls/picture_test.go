package hls

import (
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
)

func body(head []byte, units ...[]byte) []byte {
	return append(slices.Clone(head), lengths(units...)...)
}

// What HLS makes of a picture does not depend on how many messages it came in
// (H.264 §7.4.1.2.3, H.265 §7.4.2.4.4).
func TestPictureInSeveralMessages(t *testing.T) {
	t.Parallel()
	aud := map[media.Codec][]byte{media.CodecH264: {9, 0xf0}, media.CodecHEVC: {0x46, 1, 0x50}}
	sei := map[media.Codec][]byte{media.CodecH264: {6, 5, 1, 0x7e, 0x80}, media.CodecHEVC: {0x4e, 1, 5, 1, 0x7e, 0x80}}
	for codec, s := range splitters {
		for name, f := range map[string]struct {
			whole func(key bool, sets, units [][]byte) [][]byte
			split func(head []byte, key bool, sets, units [][]byte) [][]byte
		}{
			"each slice apart": {nil, func(head []byte, _ bool, _, units [][]byte) (out [][]byte) {
				for _, u := range units {
					out = append(out, body(head, u))
				}
				return out
			}},
			"each slice apart, frame type key for the first alone": {nil, func(head []byte, _ bool, _, units [][]byte) (out [][]byte) {
				for i, u := range units {
					if i > 0 {
						head = s.inter(head)
					}
					out = append(out, body(head, u))
				}
				return out
			}},
			"parameter sets and slices apart": {
				func(key bool, sets, units [][]byte) [][]byte {
					if key {
						return append(slices.Clone(sets), units...)
					}
					return units
				},
				func(head []byte, key bool, sets, units [][]byte) (out [][]byte) {
					if key {
						out = append(out, body(s.inter(head), sets...))
					}
					for _, u := range units {
						out = append(out, body(head, u))
					}
					return out
				},
			},
			"each parameter set apart, delimiter and SEI before them, inter but for the IDR": {
				func(key bool, sets, units [][]byte) [][]byte {
					front := [][]byte{aud[s.codec]}
					if key {
						front = append(front, sets...)
					}
					return append(append(front, sei[s.codec]), units...)
				},
				func(head []byte, key bool, sets, units [][]byte) (out [][]byte) {
					out = append(out, body(s.inter(head), aud[s.codec]))
					if key {
						for _, set := range sets {
							out = append(out, body(s.inter(head), set))
						}
					}
					out = append(out, body(s.inter(head), sei[s.codec]))
					return append(out, body(head, units...))
				},
			},
		} {
			t.Run(codec+": "+name, func(t *testing.T) {
				t.Parallel()
				tags := splitterTags(t, codec)
				var sets [][]byte
				for _, p := range demuxed(t, tags) {
					if p.Track.Kind == media.Video {
						sets = slices.Concat(p.Track.VPS, p.Track.SPS, p.Track.PPS)
						break
					}
				}
				key := func(head []byte) bool { return head[0]&0x70 == 0x10 }
				whole := s.each(tags, func(head []byte, units [][]byte) [][]byte {
					if f.whole != nil {
						units = f.whole(key(head), sets, units)
					}
					return [][]byte{body(head, units...)}
				})
				split := s.each(tags, func(head []byte, units [][]byte) [][]byte { return f.split(head, key(head), sets, units) })
				if len(split) <= len(whole) {
					t.Fatal("nothing was split")
				}
				samePublished(t, split, whole)
			})
		}
	}
}

// Two pictures of one millisecond stay two: encoders that can't keep up send them.
func TestPicturesOfOneTimestamp(t *testing.T) {
	t.Parallel()
	tags := flvTags(t, "testdata/slices.flv")
	frames := 0
	for i := range tags {
		if tags[i].Type == 9 {
			tags[i].Timestamp -= tags[i].Timestamp % 80
			frames++
		}
	}
	_, ts := published(t, tags)
	if got := countPES(ts)[0x100]; got != frames-2 { // the header, the end of sequence
		t.Errorf("got %d pictures of %d", got, frames-2)
	}
}
