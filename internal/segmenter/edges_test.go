package segmenter

import (
	"slices"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// A picture that follows a still one begins the next fragment, if it comes between
// 100 ms before that is due and a second after, and no later than the limit.
func TestWhereAPictureBehindAStillOneBeginsAFragment(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		target int
		back   int // when the picture comes, in ms
		want   string
	}{
		{"101 ms before the end", 4, 1899, "2299:20/0"},
		{"100 ms before it", 4, 1900, "1850:10/0 450n:10/0"},
		{"a second after it", 4, 3000, "2950:10/0 450n:10/0"},
		{"1001 ms after it", 4, 3001, "3401:20/0"},
		{"at the limit", 2, 2499, "2449:10/0 450n:10/0"},
		{"beyond it", 2, 2500, "2000:10/0 900n:10/0"},
	} {
		s := mediatest.NewScript(t).Pictures(0, 400, 40, 400).Pictures(c.back, c.back+400, 40, 400)
		for _, p := range s.Packets[1:] {
			p.Keyframe = false
		}
		if got := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, c.target).fragments(); got != c.want {
			t.Errorf("%s:\ngot  %q,\nwant %q", c.name, got, c.want)
		}
	}
}

// Delay is that of the packet that came earliest: of the pictures, and where there is
// none of the sound.
func TestTheDelayOfAFragment(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	s.At = 60 * sec
	s.Both(60000, 62201, 20000).Sounds(62220, 62900)
	var got []time.Duration
	g := New(func(g *Segment) { got = append(got, g.Delay) }, nil)
	g.SetRules(Rules{Fragment: 2 * sec, MaxFragment: 6 * sec})
	g.SetLimit(limitFor(2))
	for i, p := range s.Packets {
		late := 5 * ms // sound
		if p.Track.Kind == media.Video {
			late = time.Duration(30+i%3*10) * ms
		}
		g.Push(p, testStart, p.DTS+late)
	}
	g.Finish()
	// Where the sound goes on alone, it does so 20 ms later: what came with the last
	// picture counts.
	if want := []time.Duration{30 * ms, -15 * ms}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The messages of one picture have its times, also where those were moved, and are the
// stream's own where they were not.
func TestMessagesOfAPictureHaveItsTimes(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	part := func(at time.Duration, goesOn bool) *media.Packet {
		s.Put(s.Video, at, len(s.Packets) == 0)
		p := s.Packets[len(s.Packets)-1]
		p.Continues = goesOn
		return p
	}
	part(sec, false)
	own := part(sec, true)
	part(sec, false) // the same millisecond again: it is moved
	part(sec, true)
	late := part(sec+10*ms, true) // it says another time
	g := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 0)
	if len(g.segs) != 1 || len(g.segs[0].packets) != 5 {
		t.Fatal(g.fragments())
	}
	all := g.segs[0].packets
	if all[1] != own {
		t.Error("a message that needs no change is a copy")
	}
	for i, want := range []struct{ dts, pts time.Duration }{{sec, sec}, {sec, sec}, {sec + ms, sec + ms}, {sec + ms, sec + ms}, {sec + ms, sec + 11*ms}} {
		if p := all[i]; p.DTS != want.dts || p.DTS+p.CTS != want.pts {
			t.Errorf("message %d is decoded at %v and shown at %v, want %v", i, p.DTS, p.DTS+p.CTS, want)
		}
	}
	if late.DTS != sec+10*ms || late.CTS != 0 {
		t.Error("the stream's own packet was changed")
	}
}

// What packets keep of headers counts: of a fragment, and of sound that waits for the
// next one.
func TestHeadersCountAsMemoryOfAFragment(t *testing.T) {
	t.Parallel()
	mp3 := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 44100, Channels: 2}
	for name, sound := range map[string]*media.Track{"pictures": nil, "sound": mediatest.Track(t, media.CodecAAC, mediatest.AACLC44), "sound that waits": mp3} {
		s := mediatest.NewScript(t)
		s.GOP = 1000 * sec
		s.Play(100 * ms)
		from := len(s.Packets)
		for i := range 1000 {
			at := 100*ms + time.Duration(i)*ms
			if sound == nil {
				s.Put(s.Video, at, false)
			} else {
				s.Put(sound, at, false)
			}
		}
		for _, p := range s.Packets[from:] {
			p.Extra = &media.Extra{Headers: [][]byte{make([]byte, 60<<10)}}
		}
		most, all := 0, 0
		g := New(func(g *Segment) {
			n := 0
			for _, p := range g.packets {
				if p.Extra != nil {
					n += len(p.Extra.Headers[0])
				}
			}
			most, all = max(most, n), all+n
		}, nil)
		g.SetRules(Rules{Fragment: 500 * sec, MaxFragment: 1000 * sec})
		for _, p := range s.Packets {
			g.Push(p, testStart, 0)
			n := 0
			for _, p := range g.delayed {
				n += len(p.Extra.Headers[0])
			}
			if n > maxSegmentBytes {
				t.Fatalf("%s: headers of %d bytes wait", name, n)
			}
		}
		g.Finish()
		if most > maxSegmentBytes || all < 50<<20 {
			t.Errorf("%s: a fragment has headers of %d bytes, all %d", name, most, all)
		}
	}
}

// Behind fragments of sound alone pictures begin with a keyframe again, though one of
// their track came long ago.
func TestPicturesThatComeBackBeginWithAKeyframe(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t).Both(0, 2000, 2000).Sounds(2000, 70000).Both(70000, 71000, 100000)
	for _, p := range s.Packets {
		if p.DTS == 70*sec {
			p.Keyframe = false // it was lost
		}
	}
	s.Both(71000, 73000, 2000)
	c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 2)
	for i := range c.segs {
		if g := &c.segs[i]; g.Start > 69*sec && (g.Frames > 0) != (g.Start >= 71*sec) || !g.Independent {
			t.Errorf("the fragment from %v has %d pictures, independent %t", g.Start, g.Frames, g.Independent)
		}
	}
	if c.dropped != 25 {
		t.Errorf("%d packets dropped, want the 25 pictures before the keyframe", c.dropped)
	}
}

// A GOP of more than 300 pictures, or 4 MiB, is too long to be shown again.
func TestALongGOPIsNotShownAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		pictures int
		size     int
		again    bool
	}{
		{"300 pictures", 300, 20, true},
		{"301", 301, 20, false},
		{"4 MiB", 64, 4<<20/64 - 4, true},
		{"more than that", 64, 4 << 20 / 64, false},
	} {
		s := mediatest.NewScript(t)
		s.Audio, s.GOP, s.Frame, s.Size = nil, 1000*sec, 10*ms, c.size
		s.Play(time.Duration(c.pictures) * 10 * ms)
		s.At += 5 * sec
		s.Play(10 * ms)
		s.Packets[len(s.Packets)-1].Keyframe = false
		cut := cutUp(s.Packets, Rules{Fragment: 4 * sec, MaxFragment: 60 * sec}, 5)
		x := NewMPEGTS()
		for i := range cut.segs {
			g := &cut.segs[i]
			pts, _ := mediatest.PictureTimes(x.append(nil, g))
			if g.Frames == 0 && (len(pts) > 0) != c.again {
				t.Errorf("%s: a fragment without a picture of its own has %d: %s", c.name, len(pts), cut.fragments())
			}
		}
	}
}

// Pictures that are shown again follow each other by a tenth of a millisecond, the last
// one by three more.
func TestHowFastPicturesAreShownAgain(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	s.Audio = nil
	s.Play(400 * ms)
	var x standingPicture
	for _, p := range s.Packets {
		x.take(p)
	}
	again := x.again(sec, 2*sec)
	if len(again) != 10 {
		t.Fatalf("%d pictures", len(again))
	}
	for i, p := range again {
		want := sec + time.Duration(i)*100*time.Microsecond
		if i == 9 {
			want += 3 * ms
		}
		if p.DTS != want || p.CTS != 0 {
			t.Errorf("picture %d at %v and %v, want %v", i, p.DTS, p.CTS, want)
		}
	}
	// They fit where there is a moment left behind the last.
	end := sec + 10*100*time.Microsecond + 3*ms
	if len(x.again(sec, end)) != 0 || len(x.again(sec, end+1)) != 10 {
		t.Error("the room that they need is another one")
	}
}

// A picture without sound stands for fifteen seconds at most, whatever fragments last.
func TestAPictureStandsForFifteenSeconds(t *testing.T) {
	t.Parallel()
	for fragment, want := range map[time.Duration]time.Duration{5 * sec: 20 * sec, 5001 * ms: 5*sec + 2*5001*ms, 3 * sec: 18 * sec} {
		s := mediatest.NewScript(t).Pictures(0, 5001, 40, 1000)
		g := New(func(*Segment) {}, nil)
		g.SetRules(Rules{Fragment: fragment, MaxFragment: 60 * sec})
		for _, p := range s.Packets {
			g.Push(p, testStart, p.DTS)
		}
		for now := 5 * sec; now < 60*sec; now += 50 * ms {
			g.Tick(now)
		}
		if g.open.Start != want {
			t.Errorf("fragments of %v: it stands until %v, want %v", fragment, g.open.Start, want)
		}
	}
}

// Where the PES packets of sound begin: at half of the delay that is allowed, where
// their length would be too much, and where a frame is more than 20 ms from its place.
func TestWhereAPESPacketOfSoundEnds(t *testing.T) {
	t.Parallel()
	tr := media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 48000, Channels: 2, FrameSamples: 960} // 20 ms
	for _, c := range []struct {
		name string
		at   []int // ms
		size int
		want []int
	}{
		{"one after the other", []int{0, 20, 40, 60}, 10, []int{0}},
		{"half of the delay", []int{0, 20, 40, 60, 80, 100, 120, 140, 160}, 10, []int{0, 150}},
		{"20 ms late", []int{0, 40, 60}, 10, []int{0}},
		{"21 ms late", []int{0, 41, 61}, 10, []int{0, 41}},
		{"20 ms early", []int{20, 20}, 10, []int{20}},
		{"21 ms early", []int{20, 19}, 10, []int{20, 19}},
		{"60000 bytes", []int{0, 20, 40}, 20000, []int{0}},
		{"more", []int{0, 20, 40}, 20001, []int{0, 40}},
	} {
		g := &Segment{Duration: sec}
		g.Tracks[media.Audio] = &tr
		for _, at := range c.at {
			g.packets = append(g.packets, &media.Packet{Track: &tr, DTS: time.Duration(at) * ms, Data: make([]byte, c.size)})
		}
		x := NewMPEGTS()
		x.SetAudio(0, 300*ms)
		if c.name == "half of the delay" {
			for i, p := range g.packets {
				p.DTS = time.Duration(i) * 25 * ms // 5 ms late each
			}
		}
		var got []int
		for _, at := range mediatest.DecodeTimes(x.append(nil, g))[0x101] {
			got = append(got, int((at-1700*ms)/ms))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: PES packets at %v ms, want %v", c.name, got, c.want)
		}
	}
}

// Where composition times below 0 come later, the first pictures follow each other by a
// tick, until there is room: each is decoded before it is shown, and after the one
// before.
func TestPicturesAreDecodedInOrderWhereTheLeadGrows(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	s.Audio = nil
	s.Play(4 * sec)
	for i, p := range s.Packets {
		if p.DTS >= 2*sec {
			p.CTS = []time.Duration{-30 * ms, -80 * ms, 80 * ms, 0}[i%4]
		}
	}
	c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 2)
	if len(c.segs) != 2 {
		t.Fatal(c.fragments())
	}
	var o decodeOrder
	last, n := time.Duration(-1), 0
	for i := range c.segs {
		o.begin(&c.segs[i])
		for _, p := range c.segs[i].packets {
			q := o.place(p)
			if q.DTS <= last || q.CTS < 0 || q.DTS+q.CTS != p.DTS+p.CTS {
				t.Errorf("picture %d: decoded at %v after %v, shown at %v instead of %v", n, q.DTS, last, q.DTS+q.CTS, p.DTS+p.CTS)
			}
			if want := p.DTS - 80*ms; i == 1 && p.DTS >= 2080*ms && q.DTS != want {
				t.Errorf("picture %d: decoded at %v, want %v", n, q.DTS, want)
			}
			last, n = q.DTS, n+1
		}
	}
}

// Sound that comes back later than its silence ends is left out, and counted: the times
// of the sound go on.
func TestSoundThatComesBackTooLateIsLeftOut(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t).Both(0, 4000, 2000).Pictures(4000, 10000, 40, 2000)
	for at := 10000; at < 14000; at += 20 { // a second and a half behind the picture
		if at%40 == 0 {
			s.Put(s.Video, time.Duration(at)*ms, at%2000 == 0)
		}
		s.Put(s.Audio, time.Duration(at-1500)*ms, false)
	}
	c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 2)
	x := NewMPEGTS()
	x.SetAudio(2*ms, 300*ms)
	last, marks := time.Duration(-1), 0
	for i := range c.segs {
		ts := x.append(nil, &c.segs[i])
		for _, at := range mediatest.DecodeTimes(ts)[0x101] {
			if at <= last {
				t.Errorf("fragment %d: sound at %v after %v", i, at, last)
			}
			last = at
		}
		_, a := mediatest.Markers(t, ts)
		marks += len(a)
	}
	if out := int(x.Dropped()); out < 20 || out > 80 || marks != 200+200-out {
		t.Errorf("%d frames of sound are left out, %d are there", out, marks)
	}
}
