package segmenter

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// fragments describes fragments in one line: EXTINF in ms, D a discontinuity before
// it, n that it begins without a keyframe, and how many pictures and frames of sound
// it has. What was dropped is at the end.
func (c *cutting) fragments() string {
	var out []string
	for i := range c.segs {
		g := &c.segs[i]
		text := fmt.Sprint(g.Duration.Milliseconds())
		if g.Discontinuity {
			text += "D"
		}
		if !g.Independent {
			text += "n"
		}
		var n [2]int
		for _, p := range g.packets {
			n[p.Track.Kind]++
		}
		out = append(out, fmt.Sprintf("%s:%d/%d", text, n[media.Video], n[media.Audio]))
	}
	if c.dropped > 0 {
		out = append(out, fmt.Sprint("dropped ", c.dropped))
	}
	return strings.Join(out, " ")
}

// Each bound of the segmenter, where it holds and a millisecond beyond.
func TestWhereTheBoundsOfTimestampsAre(t *testing.T) {
	t.Parallel()
	two := Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}
	ten := Rules{Fragment: 10 * sec, MaxFragment: 10 * sec}
	for _, c := range []struct {
		name  string
		rules Rules
		play  func(*mediatest.Script)
		want  string
	}{
		// A GOP may be 10 ms short of a fragment: RTMP counts milliseconds.
		{"a keyframe 10 ms early", two, func(s *mediatest.Script) { s.Pictures(0, 1990, 40, 1990).Pictures(1990, 3000, 40, 5000) }, "1990:50/0 1040:26/0"},
		{"a keyframe 11 ms early", two, func(s *mediatest.Script) { s.Pictures(0, 1989, 40, 1989).Pictures(1989, 3000, 40, 5000) }, "3029:76/0"},

		// A kind that goes back by more than a second has jumped.
		{"back by a second", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000).Pictures(960, 2000, 40, 5000) }, "1987:76/0"},
		{"back by a second and 1 ms", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000).Pictures(959, 2000, 40, 5000) }, "2000:50/0 1080D:27/0"},
		// So has one alone that leaps by more than 15 seconds.
		{"a leap of 15 s", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000).Pictures(16960, 17960, 40, 5000) }, "10000:50/0 6960:0/0 1000:25/0"},
		{"a leap of 15 s and 1 ms", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000).Pictures(16961, 17961, 40, 5000) }, "2000:50/0 1000D:25/0"},
		{"pictures that come back beside the sound", ten, func(s *mediatest.Script) {
			s.Both(0, 2000, 2000).Sounds(2000, 22000).Both(22000, 23000, 5000)
		}, "10000:50/499 10000:0/500 2000:0/101 1000:25/50"},

		// Sound and picture of one timeline are at most 10 s apart.
		{"sound 10 s ahead", ten, func(s *mediatest.Script) { s.Pictures(0, 40, 40, 40).Sounds(10000, 10040).Pictures(40, 1000, 40, 5000) }, "1000:25/2"},
		{"sound 10 s and 1 ms ahead", ten, func(s *mediatest.Script) { s.Pictures(0, 40, 40, 40).Sounds(10001, 10040).Pictures(40, 1000, 40, 5000) }, "1000:25/0 dropped 2"},
		{"sound 10 s behind", ten, func(s *mediatest.Script) {
			s.Pictures(11000, 11040, 40, 40).Sounds(1000, 1040).Pictures(11040, 12000, 40, 5000)
		}, "1000:25/2"},
		{"sound 10 s and 1 ms behind", ten, func(s *mediatest.Script) {
			s.Pictures(11000, 11040, 40, 40).Sounds(999, 1020).Pictures(11040, 12000, 40, 5000)
		}, "1000:25/1 dropped 1"},
		// Fifty packets that do not fit are dropped, then the timeline is fitted to them.
		{"sound from elsewhere", ten, func(s *mediatest.Script) { s.Pictures(0, 40, 40, 40).Sounds(60000, 61200).Pictures(40, 1000, 40, 5000) }, "1000:25/10 dropped 50"},
		{"pictures from elsewhere", ten, func(s *mediatest.Script) { s.Sounds(0, 100).Pictures(60000, 62400, 40, 40).Sounds(100, 200) }, "100:0/5 400D:10/0 dropped 55"},

		// A timeline that began with a jump is spared the next one for half a second.
		{"a jump 500 ms after one", ten, func(s *mediatest.Script) {
			s.Pictures(0, 1000, 40, 1000).Pictures(50000, 50501, 20, 1000).Pictures(90000, 90400, 40, 1000)
		}, "1000:25/0 520D:26/0 400D:10/0"},
		{"a jump 480 ms after one", ten, func(s *mediatest.Script) {
			s.Pictures(0, 1000, 40, 1000).Pictures(50000, 50481, 20, 1000).Pictures(90000, 90400, 40, 1000)
		}, "1000:25/0 500D:25/0 dropped 10"},
		{"fifty-one leftovers of a jump", ten, func(s *mediatest.Script) {
			s.Pictures(0, 1000, 40, 1000).Pictures(50000, 50080, 40, 1000).Pictures(90000, 92400, 40, 40)
		}, "1000:25/0 80D:2/0 400D:10/0 dropped 50"},

		// The last picture lasts as long as the one before, up to a second.
		{"a last step of a second", ten, func(s *mediatest.Script) { s.Pictures(0, 400, 40, 400).Pictures(1360, 1400, 40, 400) }, "2360:11/0"},
		{"a last step of a second and 1 ms", ten, func(s *mediatest.Script) { s.Pictures(0, 400, 40, 400).Pictures(1361, 1401, 40, 400) }, "1401:11/0"},
		{"one picture", ten, func(s *mediatest.Script) { s.Pictures(0, 40, 40, 40) }, "40:1/0"},

		// Another encoder that begins within a second of the end leaves no hole in EXTINF.
		{"another encoder a second later", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000); s.Epoch++; s.Pictures(3000, 4000, 40, 2000) }, "3000:50/0 1000D:25/0"},
		{"another encoder 1001 ms later", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000); s.Epoch++; s.Pictures(3001, 4000, 40, 2000) }, "2000:50/0 1000D:25/0"},
		{"another encoder a second before", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000); s.Epoch++; s.Pictures(1000, 2000, 40, 2000) }, "2000:50/0 1000D:25/0"},
		{"another encoder 1001 ms before", ten, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 2000); s.Epoch++; s.Pictures(999, 2000, 40, 2000) }, "2000:50/0 1040D:26/0"},

		// Sound that began alone is measured by its own clock until a picture comes.
		{"the first picture 80 ms after the sound", ten, func(s *mediatest.Script) { s.Sounds(0, 100).Pictures(160, 1160, 40, 2000) }, "1160:25/5"},
		{"the first picture 81 ms after the sound", ten, func(s *mediatest.Script) { s.Sounds(0, 100).Pictures(161, 1161, 40, 2000) }, "1080:25/5"},
		{"the first picture 80 ms before the sound", ten, func(s *mediatest.Script) { s.Sounds(1000, 1100).Pictures(1000, 2000, 40, 2000) }, "1000:25/5"},
		{"the first picture 81 ms before the sound", ten, func(s *mediatest.Script) { s.Sounds(1001, 1100).Pictures(1000, 2000, 40, 2000) }, "1080:25/5"},

		// Sound goes on alone: fragments are cut by it after a second without a picture.
		{"sound alone for 5 s", two, func(s *mediatest.Script) { s.Both(0, 1000, 1000).Sounds(1000, 6000) }, "2000:25/99 2000:0/100 2000:0/100 20:0/1"},
		{"pictures again after 960 ms", two, func(s *mediatest.Script) { s.Both(0, 1600, 1600).Sounds(1600, 2520).Both(2520, 4520, 2000) }, "2520:40/126 2000:50/100"},
		{"pictures again after 1960 ms", two, func(s *mediatest.Script) { s.Both(0, 1600, 1600).Sounds(1600, 3520).Both(3520, 4520, 2000) }, "2560:40/127 960:0/49 1000:25/50"},
	} {
		s := mediatest.NewScript(t)
		c.play(s)
		got := cutUp(s.Packets, c.rules, 0).fragments()
		if got != c.want {
			t.Errorf("%s:\ngot  %q,\nwant %q", c.name, got, c.want)
		}
	}
}

// The same for a playlist whose TARGETDURATION is known: a fragment lasts at most that
// and 499 ms.
func TestWhereTheBoundsOfFragmentsAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		target         int
		fragment, most int // s
		play           func(*mediatest.Script)
		want           string
	}{
		// A fragment ends at a keyframe if the next one would come too late.
		{"two GOPs that just fit", 5, 5, 15, func(s *mediatest.Script) { s.Pictures(0, 8247, 2749, 2749) }, "5498:2/0 40:1/0"},
		{"two GOPs that do not fit", 5, 5, 15, func(s *mediatest.Script) { s.Pictures(0, 8250, 2750, 2750) }, "2750:1/0 2750:1/0 40:1/0"},
		{"a keyframe half a second after a cut", 5, 5, 15, func(s *mediatest.Script) { s.Pictures(0, 5980, 20, 5980).Pictures(5980, 7000, 20, 5980) }, "5480:274/0 500n:25/0 1020:51/0"},
		{"a keyframe 480 ms after a cut", 5, 5, 15, func(s *mediatest.Script) { s.Pictures(0, 5960, 20, 5960).Pictures(5960, 7000, 20, 5960) }, "5480:274/0 1520n:76/0"},

		// Without a keyframe it ends before it is too long.
		{"a picture that ends at the limit", 5, 5, 15, func(s *mediatest.Script) { s.Pictures(0, 6110, 611, 20000) }, "5499:9/0 611n:1/0"},
		{"a picture that ends 9 ms after it", 5, 5, 15, func(s *mediatest.Script) { s.Pictures(0, 6120, 612, 20000) }, "4896:8/0 1224n:2/0"},
		{"max_fragment", 20, 2, 6, func(s *mediatest.Script) { s.Pictures(0, 7000, 40, 20000) }, "6000:150/0 1000n:25/0"},
		{"sound, and no picture for 280 ms", 2, 2, 6, func(s *mediatest.Script) { s.Both(0, 2201, 20000).Sounds(2220, 5000) }, "2480:56/123 2000:0/100 540:0/27"},
		{"sound, and no picture for 240 ms", 2, 2, 6, func(s *mediatest.Script) { s.Both(0, 2241, 20000).Sounds(2260, 5000) }, "2499:57/124 2001:0/100 520:0/26"},

		// A hole of up to half a second is EXTINF; a longer one is a discontinuity.
		{"a hole of 500 ms", 2, 2, 6, func(s *mediatest.Script) { s.Both(0, 2001, 20000).Both(2520, 3520, 20000) }, "2499:51/101 1021:25/50"},
		{"a hole of 501 ms", 2, 2, 6, func(s *mediatest.Script) { s.Both(0, 2001, 20000).Both(2521, 3521, 20000) }, "2040:51/101 1000D:25/50"},

		// A stream without sound may stand still: fragments without a picture follow.
		{"a picture of 4 s", 2, 2, 6, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 20000).Pictures(6000, 6400, 40, 20000) }, "2000:50/0 2000:0/0 2000:0/0 400:10/0"},
		// The next one begins a fragment, 50 ms early, and not the end of one.
		{"a picture of 4 s and no keyframe", 2, 2, 6, func(s *mediatest.Script) {
			s.Pictures(0, 2000, 40, 20000).Pictures(6000, 6400, 40, 20000)
			s.Packets[50].Keyframe = false
		}, "2000:50/0 2000:0/0 1950:0/0 450n:10/0"},
		{"a picture of 4001 ms and no keyframe", 2, 2, 6, func(s *mediatest.Script) {
			s.Pictures(0, 2000, 40, 20000).Pictures(6001, 6401, 40, 20000)
			s.Packets[50].Keyframe = false
		}, "2000:50/0 2000:0/0 2000:0/0 401n:10/0"},
		{"a picture of 15 s", 2, 2, 6, func(s *mediatest.Script) { s.Pictures(0, 2001, 40, 20000).Pictures(17000, 17400, 40, 20000) }, "2040:51/0 2000:0/0 2000:0/0 2000:0/0 2000:0/0 2000:0/0 2000:0/0 2000:0/0 960:0/0 400:10/0"},
		{"a fragment shorter than the target", 4, 2, 6, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 20000).Pictures(7000, 7400, 40, 20000) }, "2000:50/0 2000:0/0 2000:0/0 1000:0/0 400:10/0"},
		{"a fragment longer than the target", 2, 3, 6, func(s *mediatest.Script) { s.Pictures(0, 2000, 40, 20000).Pictures(7000, 7400, 40, 20000) }, "2499:50/0 2499:0/0 2002:0/0 400:10/0"},
		// It is one without sound when there was none for more than 5 s.
		{"sound 5 s ago", 2, 2, 6, func(s *mediatest.Script) {
			s.Both(0, 1000, 1000).Pictures(1000, 5000, 40, 1000).Pictures(8000, 8100, 40, 1000)
		}, "2000:50/50 2000:50/0 1000:25/0 120D:3/0"},
		{"sound 5040 ms ago", 2, 2, 6, func(s *mediatest.Script) {
			s.Both(0, 1000, 1000).Pictures(1000, 5040, 40, 1000).Pictures(8040, 8100, 40, 1000)
		}, "2000:50/50 2000:50/0 2000:26/0 2000:0/0 120:2/0"},
	} {
		s := mediatest.NewScript(t)
		c.play(s)
		r := Rules{Fragment: time.Duration(c.fragment) * sec, MaxFragment: time.Duration(c.most) * sec}
		if got := cutUp(s.Packets, r, c.target).fragments(); got != c.want {
			t.Errorf("%s:\ngot  %q,\nwant %q", c.name, got, c.want)
		}
	}
}

// A track that was silent for a minute is not in the fragments any more.
func TestAfterAMinuteTheSoundIsGone(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t).Both(0, 2000, 1000).Pictures(2000, 61960, 40, 1000).Pictures(61960, 66000, 40, 1000)
	c := cutUp(s.Packets, Rules{Fragment: 900 * ms, MaxFragment: 6 * sec}, 0)
	for i := range c.segs {
		g := &c.segs[i]
		// The fragment from 61 s ends when the sound has been away for 60 s.
		if gone := g.Start >= 61*sec; (g.Tracks[media.Audio] == nil) != gone || g.Discontinuity != (g.Start == 61*sec) {
			t.Errorf("the fragment from %s: sound %t, discontinuity %t", g.Start, g.Tracks[media.Audio] != nil, g.Discontinuity)
		}
	}
	if len(c.segs) < 60 {
		t.Errorf("%d fragments", len(c.segs))
	}
}

// With aligned slicing, too, a picture may stand for fragments that have no packet.
func TestAStandingPictureWithAlignedSlicing(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t).Pictures(0, 2000, 40, 2000).Pictures(7000, 7400, 40, 2000)
	c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec, Aligned: true}, 2)
	if got, want := c.sum(), 7400*ms; got != want || c.dropped > 0 {
		t.Errorf("%s of %s: %s", got, want, c.fragments())
	}
}

// A fragment of sound alone, behind a cut that the sound made, lasts as long as the
// sound, however soon after the last picture the stream ends or breaks off.
func TestALastFragmentOfSoundAloneLastsAsLongAsTheSound(t *testing.T) {
	t.Parallel()
	for _, end := range []time.Duration{2520 * ms, 2600 * ms, 2900 * ms, 3150 * ms, 3300 * ms, 4200 * ms} {
		for name, then := range map[string]func(*mediatest.Script){
			"the stream ends":            func(*mediatest.Script) {},
			"another encoder comes":      func(s *mediatest.Script) { s.Epoch++; s.Play(sec) },
			"another encoder comes late": func(s *mediatest.Script) { s.Epoch++; s.At += 5 * sec; s.Play(sec) },
			"the timestamps leap":        func(s *mediatest.Script) { s.At += 100 * sec; s.Play(sec) },
		} {
			s := mediatest.NewScript(t)
			s.GOP = 20 * sec
			s.Play(2200 * ms)
			video := s.Video
			s.Video = nil
			s.Play(end - s.At)
			s.Video = video
			n := len(s.Packets)
			then(s)
			alone := cutUp(s.Packets[:n], Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 2)
			last := alone.segs[len(alone.segs)-1]
			c := cutUp(s.Packets, Rules{Fragment: 2 * sec, MaxFragment: 6 * sec}, 2)
			if len(alone.segs) < 2 || len(c.segs) < len(alone.segs) {
				t.Fatalf("%v: no cut by the sound: %s", end, c.fragments())
			}
			got := c.segs[len(alone.segs)-1]
			if got.Start != last.Start || (got.Start+got.Duration-end).Abs() > 30*ms {
				t.Errorf("%s at %v: the last fragment is %v at %v: %s", name, end, got.Duration, got.Start, c.fragments())
			}
		}
	}
}
