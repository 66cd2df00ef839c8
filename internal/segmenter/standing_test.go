package segmenter

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A stillStream is motion for 8 s and pictures far apart after that.
type stillStream struct {
	every   time.Duration
	sound   bool
	b       bool // B pictures
	hevc    bool //
	keyType byte // nal_unit_type of HEVC keyframes
	keyed   func(n int) bool
}

func (c *stillStream) packets(t *testing.T) []*media.Packet {
	s := mediatest.NewScript(t)
	n := 0
	video := func(at time.Duration) {
		s.Put(s.Video, at, c.keyed(n))
		n++
	}
	for at := time.Duration(0); at < 8*sec; at += 40 * time.Millisecond {
		video(at)
	}
	for at := 8 * sec; at < 48*sec; at += c.every {
		video(at)
	}
	if c.b {
		mediatest.Reordered(s.Packets)
	}
	if c.hevc {
		tr := *s.Video
		tr.Codec = media.CodecHEVC
		for _, p := range s.Packets {
			p.Track = &tr
			kind := byte(1) // TRAIL_R
			if p.Keyframe {
				kind = c.keyType
			}
			p.Data = slices.Concat([]byte{0, 0, 0, p.Data[3] + 1, kind << 1, 1}, p.Data[5:])
		}
	}
	if c.sound {
		for at := time.Duration(0); at < 48*sec; at += 20 * time.Millisecond {
			s.Put(s.Audio, at, false)
		}
	}
	slices.SortStableFunc(s.Packets, func(a, b *media.Packet) int { return int(a.DTS - b.DTS) })
	return s.Packets
}

// Every fragment of a still picture begins with a keyframe and has pictures from
// its start to its end, as players take them to last, with sound and without,
// whatever the pictures' distance; in motion nothing is there twice.
func TestEveryFragmentOfAStillPictureHasIt(t *testing.T) {
	t.Parallel()
	gop := func(n int) bool { return n%49 == 0 }
	for kind, c := range []stillStream{
		{keyed: gop},
		{keyed: gop, b: true},
		{keyed: gop, hevc: true, keyType: 19},
		{keyed: gop, hevc: true, keyType: 21, b: true},
		{keyed: func(n int) bool { return n == 0 }}, // 200 pictures and more
		{keyed: func(n int) bool { return n%40 == 0 }},
		{keyed: func(n int) bool { return n >= 200 || n%49 == 0 }}, // each that stands is a keyframe
	} {
		for _, c.sound = range []bool{true, false} {
			for _, c.every = range []time.Duration{1500 * time.Millisecond, 2 * sec, 4 * sec, 10 * sec} {
				t.Run(fmt.Sprintf("%s, sound %t, B pictures %t, type %d, kind %d", c.every, c.sound, c.b, c.keyType, kind), func(t *testing.T) {
					t.Parallel()
					c.check(t)
				})
			}
		}
	}
}

func (c *stillStream) check(t *testing.T) {
	cut := cutUp(c.packets(t), Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 2)
	x := &MPEGTS{sync: 2 * time.Millisecond, maxDelay: 300 * time.Millisecond}
	const zero = int64(153000) // of the transport stream, in ticks
	last := int64(0)
	var all []int64
	for i := range cut.segs {
		g := &cut.segs[i]
		b := x.append(nil, g)
		if g.Duration <= standing {
			continue // the last one may be a frame of sound
		}
		pts, dts := mediatest.PictureTimes(b)
		if len(pts) == 0 {
			t.Errorf("fragment %d from %v of %v has no picture", i, g.Start, g.Duration)
			continue
		}
		if g.Start < 6*sec && len(pts) != g.Frames {
			t.Errorf("fragment %d in motion has %d pictures, not %d", i, len(pts), g.Frames)
		}
		at := func(ticks int64) time.Duration { return time.Duration(ticks-zero) * sec / 90000 }
		lasts := int64(0)
		if n := len(dts); n > 1 {
			lasts = dts[n-1] - dts[n-2]
		}
		if hole := at(slices.Min(pts)) - g.Start; hole > standing {
			t.Errorf("fragment %d from %v has no picture for %v", i, g.Start, hole)
		}
		if hole := g.Start + g.Duration - at(slices.Max(pts)+lasts); hole > standing {
			t.Errorf("fragment %d from %v of %v has no picture for the last %v", i, g.Start, g.Duration, hole)
		} else if hole < -maxBeyond-2*frameGuess && g.Start >= 6*sec {
			t.Errorf("fragment %d from %v of %v: its last picture is taken to last %v longer", i, g.Start, g.Duration, -hole)
		}
		for k := range dts {
			if dts[k] <= last || dts[k] > pts[k] {
				t.Errorf("fragment %d from %v: DTS %d after %d, PTS %d", i, g.Start, dts[k], last, pts[k])
			}
			last = dts[k]
		}
		all = append(all, pts...)
	}
	slices.Sort(all)
	if n := len(all); len(slices.Compact(all)) != n {
		t.Errorf("two pictures are shown at one time")
	}
}

// What is shown again is shown in its proper order.
func TestPicturesShownAgainKeepTheirOrder(t *testing.T) {
	c := stillStream{every: 4 * sec, b: true, keyed: func(n int) bool { return n%50 == 0 }}
	var s standingPicture
	for _, p := range c.packets(t)[:20] {
		s.take(p)
	}
	again := s.again(10*sec, 12*sec)
	order := func(packets []*media.Packet) (order []int) {
		for i := range packets {
			order = append(order, i)
		}
		slices.SortFunc(order, func(a, b int) int {
			return int(packets[a].DTS + packets[a].CTS - packets[b].DTS - packets[b].CTS)
		})
		return order
	}
	if got, want := order(again), order(s.pictures); !slices.Equal(got, want) || slices.IsSorted(want) {
		t.Errorf("shown in the order %v, not %v", got, want)
	}
}

// A keyframe that decoders can't meet again where it was not sent is not shown
// again: an I picture of H.264 that is no IDR picture. A CRA picture goes as a BLA
// picture, and without the pictures before it; the stream's own packets stay.
func TestWhichKeyframesAreShownAgain(t *testing.T) {
	h264 := mediatest.Track(t, media.CodecH264, mediatest.AVCHigh1080)
	hevc := *h264
	hevc.Codec = media.CodecHEVC
	for _, c := range []struct {
		name  string
		track *media.Track
		unit  []byte
		want  []byte // nil: not at all
	}{
		{"IDR", h264, []byte{0x65, 0x88}, []byte{0x65, 0x88}},
		{"I picture", h264, []byte{0x61, 0x88}, nil},
		{"IDR_W_RADL", &hevc, []byte{19 << 1, 1, 0x80}, []byte{19 << 1, 1, 0x80}},
		{"CRA_NUT", &hevc, []byte{21 << 1, 1, 0x80}, []byte{18 << 1, 1, 0x80}},
		{"TRAIL_R", &hevc, []byte{1 << 1, 1, 0x80}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := append([]byte{0, 0, 0, byte(len(c.unit))}, c.unit...)
			data = data[:len(data):len(data)]
			before := bytes.Clone(data)
			var s standingPicture
			s.take(&media.Packet{Track: c.track, DTS: sec, CTS: 80 * time.Millisecond, Keyframe: true, Data: data})
			s.take(&media.Packet{Track: c.track, DTS: sec + 40*time.Millisecond, Data: data}) // leading
			s.take(&media.Packet{Track: c.track, DTS: sec + 80*time.Millisecond, CTS: 40 * time.Millisecond, Data: data})
			if s.known != (c.want != nil) {
				t.Fatalf("known %t", s.known)
			}
			if c.want == nil {
				return
			}
			again := s.again(2*sec, 3*sec)
			if len(again) != 2 || !bytes.Equal(again[0].Data[4:], c.want) || again[1].Data[4] != c.unit[0] {
				t.Errorf("%d pictures", len(again))
			}
			if !bytes.Equal(data, before) {
				t.Error("the stream's own packet was changed")
			}
		})
	}
}
