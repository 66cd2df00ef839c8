package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mpegts"
)

const (
	ms = time.Millisecond
	s  = time.Second
)

// A source is a synthetic publisher. Its zero value is one of 30 frames and a
// keyframe every two seconds, with AAC of 48 kHz, without a problem for a minute.
type source struct {
	seconds          int
	fps              float64
	gop              int // frames
	noVideo, noAudio bool
	audioEnds        time.Duration
	key              func(frame int) bool
	cts              func(frame int) time.Duration
	size             func(frame int) int
	stamp            func(due time.Duration) time.Duration
	lost             func(due time.Duration) bool
	arrives          func(due time.Duration) time.Duration
	begins           uint32 // first timestamp
}

type arrival struct {
	at, due time.Duration
	p       *media.Packet
}

var (
	videoTrack = &media.Track{Kind: media.Video, Codec: media.CodecH264, NALULength: 4}
	audioTrack = &media.Track{Kind: media.Audio, Codec: media.CodecAAC, Config: []byte{0x11, 0x90}, AudioObjectType: 2, ChannelConfig: 2, FrameSamples: 1024}
)

// packets returns the packets in order of arrival, in bursts of the server's read tick.
func (src source) packets() []arrival {
	if src.seconds == 0 {
		src.seconds = 60
	}
	if src.fps == 0 {
		src.fps = 30
	}
	if src.gop == 0 {
		src.gop = int(2 * src.fps)
	}
	end := time.Duration(src.seconds) * s
	var out []arrival
	add := func(track *media.Track, due time.Duration, key bool, cts time.Duration, size int) {
		if src.lost != nil && src.lost(due) {
			return
		}
		stamp, at := due, due
		if src.stamp != nil {
			stamp = src.stamp(due)
		}
		if src.arrives != nil {
			at = src.arrives(due)
		}
		const beat = 100 * ms
		at = (at + beat - 1) / beat * beat
		out = append(out, arrival{at, due, &media.Packet{
			Track: track, Timestamp: src.begins + uint32(stamp/ms), Keyframe: key, CTS: cts, Tag: make([]byte, size),
		}})
	}
	for i := 0; !src.noVideo; i++ {
		due := time.Duration(float64(i) / src.fps * 1e9)
		if due >= end {
			break
		}
		key := i%src.gop == 0
		if src.key != nil {
			key = src.key(i)
		}
		cts, size := time.Duration(0), 10_000
		if src.cts != nil {
			cts = src.cts(i)
		}
		if src.size != nil {
			size = src.size(i)
		}
		if key {
			size *= 5
		}
		add(videoTrack, due, key, cts, size)
	}
	for i := 0; !src.noAudio; i++ {
		due := time.Duration(i) * 1024 * s / 48000
		if due >= end || src.audioEnds > 0 && due >= src.audioEnds {
			break
		}
		add(audioTrack, due, false, 0, 300)
	}
	slices.SortStableFunc(out, func(a, b arrival) int {
		if a.at != b.at {
			return int(a.at - b.at)
		}
		return int(a.due - b.due)
	})
	return out
}

// examined holds the findings of a source.
type examined struct {
	*Doctor
	reports []Finding // in the order of their coming
	peaks   Figures   // the worst of all seconds
}

func examine(src source, fragment time.Duration) examined { return play(src.packets(), fragment) }

func play(packets []arrival, fragment time.Duration) examined {
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	e := examined{Doctor: New(start)}
	e.Carries = mpegts.Supports
	next := s
	tick := func() {
		e.reports = e.Examine(start.Add(next), fragment, e.reports)
		f := e.Figures()
		e.peaks.Jitter, e.peaks.Late = max(e.peaks.Jitter, f.Jitter), max(e.peaks.Late, f.Late)
		next += s
	}
	for _, a := range packets {
		for a.at >= next {
			tick()
		}
		e.Packet(a.p, start.Add(a.at))
	}
	return e
}

func names(fs []Finding) string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Name)
	}
	slices.Sort(out)
	return strings.Join(slices.Compact(out), " ")
}

// A full upload: what is sent from 20 s on falls behind by a tenth, up to 3 s,
// when the encoder throws away those three seconds, again and again.
func congested(due time.Duration) time.Duration {
	if due < 20*s {
		return due
	}
	return due + (due-20*s)/10%(3*s)
}

func dropped(due time.Duration) bool { return due >= 50*s && (due-20*s)%(30*s) < 3*s }

// stall delays by d what is due from begin on; the backlog then arrives within catchUp.
func stall(begin, d, catchUp time.Duration) func(time.Duration) time.Duration {
	return func(due time.Duration) time.Duration {
		if due < begin || due > begin+d+catchUp {
			return due
		}
		return begin + d + time.Duration(float64(due-begin)/float64(d+catchUp)*float64(catchUp))
	}
}

// later delays by d for good what is due from begin on: the encoder and its clock
// stopped.
func later(begin, d time.Duration) func(time.Duration) time.Duration {
	return func(due time.Duration) time.Duration {
		if due < begin {
			return due
		}
		return due + d
	}
}

func lumps(every time.Duration) func(time.Duration) time.Duration {
	return func(due time.Duration) time.Duration { return (due + every - 1) / every * every }
}

func TestWhatIsWrongIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		source
		fragment time.Duration
		want     string
	}{
		"a healthy stream":                             {source{}, 5 * s, ""},
		"a healthy stream without HLS":                 {source{}, 0, ""},
		"29.97 frames and a fragment as long as a GOP": {source{fps: 30000. / 1001, gop: 60}, 2 * s, ""},
		"60 frames":                                     {source{fps: 60}, 3 * s, ""},
		"five frames, as of slides":                     {source{fps: 5}, 5 * s, ""},
		"one frame a second":                            {source{fps: 1}, 5 * s, ""},
		"timestamps that wrap":                          {source{begins: 1<<32 - 20_000}, 5 * s, ""},
		"a network that delays by up to 150 ms":         {source{arrives: func(due time.Duration) time.Duration { return due + due%(150*ms) }}, 5 * s, ""},
		"media that had been waiting for three seconds": {source{arrives: func(due time.Duration) time.Duration { return max(due, 3*s) }}, 5 * s, ""},
		"a clock that is fast by 0.1 percent":           {source{stamp: func(due time.Duration) time.Duration { return due + due/1000 }}, 5 * s, ""},
		"a clock that is slow by 0.1 percent":           {source{stamp: func(due time.Duration) time.Duration { return due - due/1000 }}, 5 * s, ""},

		"keyframes every ten seconds":                 {source{gop: 300}, 5 * s, "gop_longer_than_fragment"},
		"keyframes every ten seconds, no HLS":         {source{gop: 300}, 0, "gop_long"},
		"no keyframe but the first":                   {source{gop: 1 << 30}, 5 * s, "gop_longer_than_fragment"},
		"two seconds are too long for one":            {source{}, s, "gop_longer_than_fragment"},
		"keyframes at scene changes":                  {source{key: func(i int) bool { return i%60 == 0 || i%180 == 15 }}, 5 * s, "gop_irregular"},
		"no audio":                                    {source{noAudio: true}, 5 * s, "no_audio"},
		"audio that ends":                             {source{audioEnds: 30 * s}, 5 * s, "no_audio"},
		"no video":                                    {source{noVideo: true}, 5 * s, "no_video"},
		"B-frames":                                    {source{cts: func(i int) time.Duration { return time.Duration(i%3) * 33 * ms }}, 5 * s, "b_frames"},
		"a constant composition offset is no B-frame": {source{cts: func(int) time.Duration { return 66 * ms }}, 5 * s, ""},
		"half a second missing every five": {
			source{lost: func(due time.Duration) bool { return due%(5*s) > 4500*ms }}, 5 * s, "timestamp_gaps",
		},
		"one hiccup": {source{lost: func(due time.Duration) bool { return due > 20*s && due < 21*s }}, 5 * s, ""},
		"timestamps that start again": {
			source{stamp: func(due time.Duration) time.Duration { return due % (40 * s) }}, 5 * s, "timestamp_jumps",
		},
		"timestamps that jump an hour": {source{stamp: func(due time.Duration) time.Duration {
			if due > 40*s {
				return due + time.Hour
			}
			return due
		}}, 5 * s, "timestamp_jumps"},
		"an upload that is too slow":                                  {source{seconds: 90, arrives: congested, lost: dropped}, 5 * s, "frames_late"},
		"a stall of four seconds, and then all at once":               {source{arrives: stall(30*s, 4*s, 0)}, 5 * s, "input_stalled"},
		"a stall of 15 seconds, and then all at once":                 {source{arrives: stall(30*s, 15*s, 0)}, 5 * s, "input_stalled"},
		"a stall of 15 seconds that is caught up with in ten":         {source{arrives: stall(30*s, 15*s, 10*s)}, 5 * s, "input_stalled"},
		"a stall of a second and a half, never caught up with":        {source{arrives: later(30*s, 1500*ms)}, 5 * s, ""},
		"a stall of four seconds, never caught up with":               {source{arrives: later(30*s, 4*s)}, 5 * s, "input_stalled"},
		"a stall of four seconds without audio":                       {source{noAudio: true, arrives: later(30*s, 4*s)}, 5 * s, "input_stalled no_audio"},
		"a stall of four seconds without video":                       {source{noVideo: true, arrives: later(30*s, 4*s)}, 5 * s, "input_stalled no_video"},
		"a frame in four seconds, as of a silent screen":              {source{fps: 0.25, noAudio: true, gop: 1, seconds: 300}, 5 * s, "no_audio"},
		"an encoder that is too slow":                                 {source{arrives: func(due time.Duration) time.Duration { return due + due/5 }}, 5 * s, "frames_late"},
		"a slow upload after a stall":                                 {source{seconds: 90, arrives: func(due time.Duration) time.Duration { return later(10*s, 4*s)(due) + max(due-30*s, 0)/5 }}, 5 * s, "frames_late input_stalled"},
		"a connection that stands still for 1.4 of every 1.5 seconds": {source{arrives: lumps(1500 * ms)}, 5 * s, "arrival_jitter"},
		"frames in lumps of a second": {source{arrives: func(due time.Duration) time.Duration {
			return (due + 799*ms) / (800 * ms) * (800 * ms)
		}}, 5 * s, "arrival_jitter"},
		"a bit rate that swings": {source{seconds: 90, size: func(i int) int {
			if i/900%2 == 1 {
				return 2_000
			}
			return 12_000
		}}, 5 * s, "bitrate_swings"},
		"a low bit rate may swing": {source{seconds: 90, size: func(i int) int {
			if i/900%2 == 1 {
				return 200
			}
			return 2_000
		}}, 5 * s, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := examine(c.source, c.fragment)
			if got := names(e.reports); got != c.want {
				t.Errorf("got %q, want %q\n%+v\n%+v, worst %+v", got, c.want, e.reports, e.Figures(), e.peaks)
			}
		})
	}
}

func TestAFindingIsReportedOnceAndGoes(t *testing.T) {
	t.Parallel()
	// Long groups of pictures for 30 s, then short ones.
	e := examine(source{seconds: 90, key: func(i int) bool { return i < 900 && i%300 == 0 || i >= 900 && i%60 == 0 }}, 5*s)
	var long []Finding
	for _, f := range e.reports {
		if f.Name == "gop_longer_than_fragment" {
			long = append(long, f)
		}
	}
	if len(long) != 1 {
		t.Fatalf("%d reports of one finding: %+v", len(long), e.reports)
	}
	if f := long[0]; f.Level != Warning || f.Count != 1 || f.Since.Second() < 5 || f.Since.Second() > 7 ||
		!strings.Contains(f.Advice, "Keyframe Interval: 2 s") || !strings.Contains(f.Advice, "-g 60") {
		t.Errorf("got %+v", f)
	}
	if got := e.Findings(); len(got) > 0 {
		t.Errorf("still there after a minute that was well: %+v", got)
	}
}

// The keyframe finding follows the measurement: it clears within ten seconds of a
// correction, can appear again, and its number follows.
func TestTheKeyframeFindingFollowsWhatIsMeasured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fragment time.Duration
		name     string
	}{{5 * s, "gop_longer_than_fragment"}, {0, "gop_long"}} {
		// 10 s apart until 60 s, then 2 s, from 120 s on 7 s.
		src := source{seconds: 180, key: func(i int) bool {
			switch at := i / 30; {
			case i%30 > 0:
				return false
			case at < 60:
				return at%10 == 0
			case at < 120:
				return at%2 == 0
			default:
				return (at-120)%7 == 0
			}
		}}
		d, start := New(time.Time{}), time.Time{}
		next := s
		at := func(when time.Duration) string {
			for _, f := range d.Findings() {
				if f.Name == c.name {
					return strings.SplitN(f.Advice, " or more", 2)[0]
				}
			}
			return "none"
		}
		want := map[time.Duration]string{
			4 * s: "none", 9 * s: "keyframes are 8.9 s apart", 40 * s: "keyframes are 10.0 s apart", 59 * s: "keyframes are 10.0 s apart",
			71 * s: "none", 119 * s: "none", 150 * s: "keyframes are 7.0 s apart",
		}
		for _, a := range src.packets() {
			for a.at >= next {
				d.Examine(start.Add(next), c.fragment, nil)
				if w, ok := want[next]; ok && at(next) != w {
					t.Errorf("%s after %v: %q, want %q", c.name, next, at(next), w)
				}
				if got := at(next); got != "none" && d.recentGOP() < 5*s && !strings.Contains(got, "10.0 s") {
					t.Errorf("%s after %v: %q of groups of %v", c.name, next, got, d.recentGOP())
				}
				next += s
			}
			d.Packet(a.p, start.Add(a.at))
		}
		if f := d.Findings(); len(f) == 0 || f[0].Count != 2 {
			t.Errorf("%s: %+v", c.name, f)
		}
	}
}

func TestAFindingThatComesAndGoesIsNotReportedAgainAndAgain(t *testing.T) {
	t.Parallel()
	// Sound for twenty seconds, none for twenty, and so on.
	src := source{seconds: 400}
	d, start := New(time.Now()), time.Now()
	var reports []Finding
	next := s
	for _, a := range src.packets() {
		for a.at >= next {
			reports = d.Examine(start.Add(next), 5*s, reports)
			next += s
		}
		if a.p.Track.Kind == media.Audio && a.at/(20*s)%2 == 1 {
			continue
		}
		d.Packet(a.p, start.Add(a.at))
	}
	n := 0
	for _, f := range reports {
		if f.Name == "no_audio" {
			n++
		}
	}
	if n != 1 || d.findings[noAudio].count < 8 {
		t.Errorf("%d reports of %d appearances, want 1 of at least 8", n, d.findings[noAudio].count)
	}
}

func TestFigures(t *testing.T) {
	t.Parallel()
	e := examine(source{fps: 25, gop: 75}, 5*s)
	f := e.Figures()
	if f.FrameRate < 24.9 || f.FrameRate > 25.1 || f.GOP != 3*s || f.GOPMin != 3*s || f.GOPMax != 3*s || f.Gaps+f.Jumps != 0 || f.BFrames {
		t.Errorf("a healthy stream of 25 frames: %+v", f)
	}
	if e.peaks.Late > 120*ms || e.peaks.Jitter > 10*ms {
		t.Errorf("what the server's beat adds shows: %+v", e.peaks)
	}
	e = examine(source{stamp: func(due time.Duration) time.Duration { return due % (20 * s) }}, 5*s)
	if f := e.Figures(); f.Jumps != 4 { // of two tracks
		t.Errorf("two jumps of two tracks: %+v", f)
	}
	e = examine(source{lost: func(due time.Duration) bool { return due%(5*s) > 4*s }}, 5*s)
	if f := e.Figures(); f.Gaps != 22 {
		t.Errorf("11 gaps of two tracks: %+v", f)
	}
	e = examine(source{seconds: 90, arrives: congested, lost: dropped}, 5*s)
	if e.peaks.Late < 1500*ms || e.peaks.Late > 3500*ms {
		t.Errorf("an upload that falls behind by up to 3 s: %+v", e.peaks)
	}
}

func TestAPacketAllocatesNothing(t *testing.T) {
	d := New(time.Now())
	now := time.Now()
	p := &media.Packet{Track: videoTrack, Tag: make([]byte, 1000)}
	if n := testing.AllocsPerRun(1000, func() {
		p.Timestamp += 33
		d.Packet(p, now)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var buf [numFindings]Finding
	if n := testing.AllocsPerRun(100, func() {
		now = now.Add(s)
		d.Packet(p, now)
		d.Examine(now, 5*s, buf[:0])
	}); n > 0 {
		t.Errorf("%v allocations of a look that finds nothing new", n)
	}
}

func BenchmarkPacket(b *testing.B) {
	d := New(time.Now())
	now := time.Now()
	p := &media.Packet{Track: videoTrack, Tag: make([]byte, 1000)}
	for b.Loop() {
		p.Timestamp += 33
		d.Packet(p, now)
	}
}

func BenchmarkExamine(b *testing.B) {
	d := New(time.Now())
	now := time.Now()
	p := &media.Packet{Track: videoTrack, Tag: make([]byte, 1000)}
	for b.Loop() {
		now = now.Add(s)
		d.Packet(p, now)
		d.Examine(now, 5*s, nil)
	}
}

func TestWhatTheServerMendedIsFound(t *testing.T) {
	t.Parallel()
	start := time.Now()
	d := New(start)
	d.Repaired(0, -1500*ms)
	got := d.Examine(start.Add(s), 5*s, nil)
	if len(got) != 1 || got[0].Name != "av_offset" || !strings.Contains(got[0].Advice, "1.5 s apart (sound behind)") {
		t.Errorf("got %+v", got)
	}
	d.Repaired(1, 0)
	got = d.Examine(start.Add(2*s), 5*s, nil)
	if len(got) != 1 || got[0].Name != "timestamp_jumps" || d.Figures().Jumps != 1 {
		t.Errorf("got %+v", got)
	}
	for i := range 5 {
		d.Examine(start.Add(time.Duration(3+i)*s), 5*s, nil)
	}
	if got := d.Findings(); len(got) != 1 || got[0].Name != "timestamp_jumps" {
		t.Errorf("after it was mended: %+v", got)
	}
}
