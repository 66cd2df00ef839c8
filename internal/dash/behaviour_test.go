package dash

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

func TestFilesAreNamedAsNginxNamesThem(t *testing.T) {
	for _, nested := range []bool{false, true} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.Nested = nested
		b.run(b.packager("cam", cfg), mediatest.NewScript(t).Play(8*sec).Packets, nil)
		prefix, main := "cam-", "cam.mpd"
		if nested {
			prefix, main = "cam/", "cam/index.mpd"
		}
		p := b.present(main)
		want := []string{main, prefix + "init.m4v", prefix + "init.m4a"}
		for _, s := range p.periods[0].all() {
			want = append(want, s.file)
			if !strings.HasPrefix(s.file, prefix) || strings.Trim(s.file[len(prefix):len(s.file)-4], "0123456789") != "" {
				t.Errorf("nested %v: %s", nested, s.file)
			}
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, b.files()); diff != "" {
			t.Errorf("nested %v (-want +got):\n%s", nested, diff)
		}
	}
}

// Every MPD of a stream is looked at by present. Here: that they agree with each other.
func TestSegmentsFollowEachOtherAndLeave(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Play(60 * sec)
	mediatest.Reordered(s.Packets)
	b.run(b.packager("cam", testConfig(b.dir)), s.Packets, nil)
	known := make(map[string]oneSegment)
	for _, p := range b.seen {
		if len(p.periods) != 1 || p.periods[0].id != b.seen[0].periods[0].id || !p.start.Equal(b.seen[0].start) {
			t.Errorf("periods %v from %s, at first %v from %s", p.ids(), p.start, b.seen[0].ids(), b.seen[0].start)
		}
		if lag := p.at.Sub(p.edge()); lag < -200*time.Millisecond || lag > 200*time.Millisecond {
			t.Errorf("the newest media was %v before the MPD was written", lag)
		}
		for kind, track := range p.periods[0].tracks {
			for i, s := range track.segments {
				if old, ok := known[s.file]; ok && old != s {
					t.Errorf("%s is %+v, was %+v", s.file, s, old)
				}
				known[s.file] = s
				if i > 0 && track.segments[i-1].to != s.from {
					t.Errorf("%s: %+v is followed by %+v", kind, track.segments[i-1], s)
				}
			}
		}
	}
	if n := len(b.last().periods[0].tracks["video"].segments); n < 5 || n > 7 {
		t.Errorf("%d segments of 2 s in a window of 10 s", n)
	}
	if n := len(known); n < 58 {
		t.Errorf("%d files in 60 s, of 2 s and two tracks", n)
	}
}

func TestThePublishersTimestampsBeginAnywhere(t *testing.T) {
	for _, from := range []time.Duration{0, 17 * sec, 49*24*time.Hour + 17*time.Hour, -3 * sec} {
		b := newBench(t)
		s := mediatest.NewScript(t)
		s.At = from
		b.run(b.packager("cam", testConfig(b.dir)), s.Play(10*sec).Packets, nil)
		p := b.last()
		if d := testStart.Sub(p.start); d < 0 || d > 3*sec {
			t.Errorf("timestamps from %v: availabilityStartTime is %v before the beginning", from, d)
		}
		if lag := p.at.Sub(p.edge()); lag < -200*time.Millisecond || lag > 200*time.Millisecond {
			t.Errorf("timestamps from %v: the newest media was %v before the MPD was written", from, lag)
		}
	}
}

// A day of a publisher whose clock is not ours: one picture a second, a segment a minute.
func TestThePresentationFollowsTheWallClockForADay(t *testing.T) {
	for name, fast := range map[string]float64{"too fast": 1 + 150e-6, "too slow": 1 - 150e-6} {
		if testing.Short() && fast < 1 {
			continue
		}
		b := newBench(t)
		s := mediatest.NewScript(t)
		s.Audio, s.Frame, s.GOP = nil, sec, time.Minute
		s.At = 5 * time.Hour
		s.Play(24 * time.Hour)
		cfg := testConfig(b.dir)
		cfg.Fragment, cfg.PlaylistLength = time.Minute, 3*time.Minute
		var worst time.Duration
		periods := make(map[string]bool)
		p := b.packager("cam", cfg)
		check := p.OnManifest
		p.OnManifest = func(path string) {
			check(path)
			b.clean()
			m := b.last()
			b.seen = append(b.seen[:0], m)
			worst = max(worst, m.at.Sub(m.edge()).Abs())
			for _, id := range m.ids() {
				periods[id] = true
			}
			if !m.start.Equal(testStart.Truncate(sec).Add(-sec)) {
				t.Fatalf("%s: availabilityStartTime is %s", name, m.start)
			}
		}
		b.runFeed(p, &feed{packets: s.Packets, wall: func(_ int, p *media.Packet) time.Time {
			return testStart.Add(time.Duration(float64(p.DTS-5*time.Hour) / fast))
		}})
		if worst > 3*sec {
			t.Errorf("%s: the newest media was up to %v off", name, worst)
		}
		if n := len(periods); n < 5 || n > 8 { // 13 s, 2 s each
			t.Errorf("%s: %d periods", name, n)
		}
	}
}

func TestAReconnectIsANewPeriod(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Play(10 * sec)
	n := len(s.Packets)
	again := mediatest.NewScript(t) // from 0 again, 4 s later
	again.Epoch = 1
	packets := append(s.Packets, again.Play(8*sec).Packets...)
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = 60 * sec
	b.runFeed(b.packager("cam", cfg), &feed{packets: packets, wall: func(i int, p *media.Packet) time.Time {
		if i < n {
			return testStart.Add(p.DTS)
		}
		return testStart.Add(14*sec + p.DTS)
	}})
	p := b.last()
	if len(p.periods) != 2 {
		t.Fatalf("%d periods", len(p.periods))
	}
	_, end := p.periods[0].span()
	if gap := p.periods[1].start - end; gap < 3900*time.Millisecond || gap > 4100*time.Millisecond {
		t.Errorf("the second period begins %v after the first has ended, want 4 s", gap)
	}
	names := make(map[string]bool)
	for _, o := range p.periods {
		for _, s := range o.all() {
			if names[s.file] {
				t.Errorf("%s is in both periods", s.file)
			}
			names[s.file] = true
		}
	}
	if a, z := p.periods[0].tracks["video"].init, p.periods[1].tracks["video"].init; a != z {
		t.Errorf("init sections %s and %s of the same coding", a, z)
	}
	if lag := p.at.Sub(p.edge()); lag < -200*time.Millisecond || lag > 200*time.Millisecond {
		t.Errorf("the newest media was %v before the MPD was written", lag)
	}
}

func TestAChangeOfCodingIsANewPeriod(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Play(8 * sec)
	s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
	s.Play(8 * sec)
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = 60 * sec
	b.run(b.packager("cam", cfg), s.Packets, nil)
	p := b.last()
	if len(p.periods) != 2 {
		t.Fatalf("periods %v", p.ids())
	}
	a, z := p.periods[0].tracks["video"], p.periods[1].tracks["video"]
	if a.codecs != "avc1.640028" || z.codecs != "avc1.42c00d" || a.init != "cam-init.m4v" || !strings.HasPrefix(z.init, "cam-init-") {
		t.Errorf("%s with %s, then %s with %s", a.codecs, a.init, z.codecs, z.init)
	}
	if _, end := p.periods[0].span(); (p.periods[1].start - end).Abs() > 50*time.Millisecond {
		t.Errorf("the second period begins at %v, the first ends at %v", p.periods[1].start, end)
	}
}

// Captions in the pictures are declared in the period that begins with the first segment
// that has some, and in all that follow, in another process, too.
func TestCaptionsBeginAPeriodThatDeclaresThem(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Play(8 * sec)
	n := len(s.Packets)
	s.Play(8 * sec)
	// A SEI message with a pair of CEA-608 (ATSC A/53 part 4 §6.2.3).
	text := "\x06\x04\x0e\xb5\x00\x31GA94\x03\xc1\xff\xfc\x94\x20\xff\x80"
	captions := append([]byte{0, 0, 0, byte(len(text))}, text...)
	for _, p := range s.Packets[n:] {
		if p.Track.Kind == media.Video {
			p.Data = append(slices.Clone(captions), p.Data...)
		}
	}
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = 60 * sec
	b.run(b.packager("cam", cfg), s.Packets, nil)
	const declared = `<Accessibility schemeIdUri="urn:scte:dash:cc:cea-608:2015" value="CC1=und"/>`
	inPeriods := func() (has []bool) {
		for _, period := range strings.Split(string(b.read("cam.mpd")), "<Period ")[1:] {
			has = append(has, strings.Contains(period, declared))
		}
		return has
	}
	if got := inPeriods(); !slices.Equal(got, []bool{false, true}) {
		t.Fatalf("periods with captions: %v\n%s", got, b.read("cam.mpd"))
	}
	b.last().check(t.Errorf)
	b.reopen()
	b.now = b.now.Add(3 * sec)
	b.run(b.packager("cam", cfg), mediatest.NewScript(t).Play(4*sec).Packets, nil)
	if got := inPeriods(); !slices.Equal(got, []bool{false, true, true}) {
		t.Errorf("periods with captions after a restart: %v\n%s", got, b.read("cam.mpd"))
	}
}

func TestSoundThatComesLaterIsInAPeriodWithIt(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	audio := s.Audio
	s.Audio = nil
	s.Play(8 * sec)
	s.Audio = audio
	s.Play(8 * sec)
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = 60 * sec
	b.run(b.packager("cam", cfg), s.Packets, nil)
	p := b.last()
	if len(p.periods) != 2 || p.periods[0].tracks["audio"] != nil || p.periods[1].tracks["audio"] == nil {
		t.Errorf("periods %v", p.ids())
	}
}

func TestAStreamOfSoundHasAPresentation(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Video = nil
	b.run(b.packager("radio", testConfig(b.dir)), s.Play(20*sec).Packets, nil)
	p := b.last()
	if tr := p.periods[0].tracks; len(p.periods) != 1 || len(tr) != 1 || len(tr["audio"].segments) < 3 {
		t.Errorf("periods %v, %+v", p.ids(), tr)
	}
}

func TestTheEndIsStaticAndTakenBack(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	b.run(b.packager("cam", cfg), mediatest.NewScript(t).Play(9*sec).Packets, eof)
	if p := b.last(); !p.static() || p.MinimumUpdatePeriod != nil {
		t.Errorf("type %v, minimumUpdatePeriod %v", p.Type, p.MinimumUpdatePeriod)
	}
	ended := b.last()
	b.now = b.now.Add(5 * sec)
	n := len(b.seen)
	b.run(b.packager("cam", cfg), mediatest.NewScript(t).Play(9*sec).Packets, nil)
	if p := b.seen[n]; p.static() || !p.start.Equal(ended.start) {
		t.Errorf("the first MPD of the next publisher: static %v, from %s, not %s", p.static(), p.start, ended.start)
	}
	p := b.last()
	if len(p.periods) != 1 || p.periods[0].id == ended.periods[0].id || p.periods[0].start < time.Duration(*ended.MediaPresentationDuration) {
		t.Errorf("periods %v at %v, of the first publisher %v", p.ids(), p.periods[0].start, ended.ids())
	}
}

func TestAnotherProcessGoesOn(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	s := mediatest.NewScript(t)
	s.Play(12 * sec)
	s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
	b.run(b.packager("cam", cfg), s.Play(4*sec).Packets, nil)
	old := b.last()
	b.reopen()
	b.now = b.now.Add(3 * sec)
	next := mediatest.NewScript(t)
	next.Video = s.Video
	b.run(b.packager("cam", cfg), next.Play(4*sec).Packets, nil)
	p := b.last()
	if !p.start.Equal(old.start) {
		t.Errorf("availabilityStartTime %s was %s", p.start, old.start)
	}
	if len(p.periods) != len(old.periods)+1 || p.periods[len(old.periods)-1].id != old.periods[len(old.periods)-1].id {
		t.Fatalf("periods %v, of the process before %v", p.ids(), old.ids())
	}
	was, is := old.periods[len(old.periods)-1], p.periods[len(old.periods)-1]
	if was.start != is.start || !slices.Equal(was.tracks["video"].segments, is.tracks["video"].segments) {
		t.Errorf("the period of the process before is %+v, was %+v", is.tracks["video"], was.tracks["video"])
	}
	last := p.periods[len(p.periods)-1]
	if init := last.tracks["video"].init; init != was.tracks["video"].init {
		t.Errorf("init section %s of the same coding was %s", init, was.tracks["video"].init)
	}
	if lag := p.at.Sub(p.edge()); lag < -200*time.Millisecond || lag > 200*time.Millisecond {
		t.Errorf("the newest media was %v before the MPD was written", lag)
	}
}

func TestNothingIsLeftAfterTheEnd(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	b.run(b.packager("cam", cfg), mediatest.NewScript(t).Play(60*sec).Packets, eof)
	b.clean()
	before := len(b.files())
	if before > 40 {
		t.Errorf("%d files of a window of 10 s", before)
	}
	b.now = b.now.Add(19 * sec)
	b.clean()
	if n := len(b.files()); n == 0 {
		t.Error("everything is gone 19 s after the end, want it to stay for 20 s")
	}
	b.now = b.now.Add(10 * sec)
	b.clean()
	if files := b.files(); len(files) > 0 {
		t.Errorf("left: %v", files)
	}
}

func TestFilesStayWithoutCleanUp(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Cleanup = false
	b.run(b.packager("cam", cfg), mediatest.NewScript(t).Play(30*sec).Packets, eof)
	b.now = b.now.Add(24 * time.Hour)
	b.clean()
	b.reopen()
	b.clean()
	if n := len(b.files()); n < 30 {
		t.Errorf("%d files are left of 30 s", n)
	}
	b.present("cam.mpd")
}

func TestAPublisherThatIsLateFromThenOnIsInAPeriodAsLate(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Play(80 * sec)
	b.runFeed(b.packager("cam", testConfig(b.dir)), &feed{packets: s.Packets, wall: func(_ int, p *media.Packet) time.Time {
		if p.DTS < 20*sec {
			return testStart.Add(p.DTS)
		}
		return testStart.Add(p.DTS + 7*sec) // what was sent meanwhile was not lost
	}})
	p := b.last()
	if lag := p.at.Sub(p.edge()); lag < -200*time.Millisecond || lag > 200*time.Millisecond {
		t.Errorf("the newest media was %v before the MPD was written", lag)
	}
}

func TestAClockThatIsSetIsFollowed(t *testing.T) {
	for _, by := range []time.Duration{3 * time.Hour, -5 * sec} {
		b := newBench(t)
		s := mediatest.NewScript(t)
		s.Play(120 * sec)
		b.runFeed(b.packager("cam", testConfig(b.dir)), &feed{packets: s.Packets, wall: func(_ int, p *media.Packet) time.Time {
			if p.DTS < 60*sec {
				return testStart.Add(p.DTS)
			}
			return testStart.Add(p.DTS + by)
		}})
		p := b.last()
		if lag := p.at.Sub(p.edge()); lag < -sec || lag > sec {
			t.Errorf("clock set by %v: the newest media was %v before the MPD was written", by, lag)
		}
		if !p.start.Equal(b.seen[0].start) {
			t.Errorf("clock set by %v: availabilityStartTime is %s, was %s", by, p.start, b.seen[0].start)
		}
	}
}

// A patient source sends packets in time, and nothing for a while after the last.
type patient struct {
	packets []*media.Packet
	begun   time.Time
	i       int
	then    time.Duration
}

func (s *patient) Next(ctx context.Context, buf []*media.Packet) (int, uint64, error) {
	at, end := s.begun.Add(s.packets[len(s.packets)-1].DTS+s.then), s.i == len(s.packets)
	if !end {
		at = s.begun.Add(s.packets[s.i].DTS)
	}
	select {
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	case <-time.After(time.Until(at)):
	}
	if end {
		return 0, 0, io.EOF
	}
	buf[0] = s.packets[s.i]
	s.i++
	return 1, 0, nil
}

func (s *patient) TryNext([]*media.Packet) (int, uint64, error) { return 0, 0, nil }

// Players count from now how far behind they are to be: while the publisher is gone the MPD
// says every few seconds where the newest media is.
func TestWhoComesWhileThePublisherIsGoneFindsMedia(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dash")
	synctest.Test(t, func(t *testing.T) {
		b := &bench{TB: t, dir: dir, log: zap.NewNop()}
		d := NewDirectory()
		if _, err := packager.OpenDirectory(dir, packager.DirectoryOptions{Formats: []packager.Format{d}}); err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		b.d = d
		p := b.packager("cam", testConfig(dir))
		p.OnManifest = nil
		packets := mediatest.NewScript(t).Play(10 * sec).Packets
		ended := make(chan error)
		go func() { ended <- p.Run(t.Context(), &patient{packets: packets, begun: time.Now(), then: 30 * sec}) }()
		for _, after := range []time.Duration{9, 12, 20, 30, 38} {
			time.Sleep(time.Until(testEpoch.Add(after * sec)))
			synctest.Wait()
			b.now = time.Now()
			m := b.present("cam.mpd")
			from, to := m.periods[0].span()
			at := time.Since(m.start) - time.Duration(*m.SuggestedPresentationDelay)
			if at < from || at > to-2*sec {
				t.Errorf("after %d s players begin at %v, and there is media from %v to %v", after, at, from, to)
			}
			if window := time.Since(m.start) - time.Duration(*m.TimeShiftBufferDepth); window > from+5*sec {
				t.Errorf("after %d s the window begins at %v, and media at %v", after, window, from)
			}
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

// testEpoch is when a bubble of synctest begins.
var testEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestSegmentsBeginWithKeyframesThatAreFarApart(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.GOP = 10 * sec
	b.run(b.packager("cam", testConfig(b.dir)), s.Play(60*sec).Packets, nil)
	for _, segment := range b.last().periods[0].tracks["video"].segments {
		if !segment.key {
			t.Errorf("%s begins without a keyframe", segment.file)
		}
	}
}

func TestNamesThatAreSpecialInTemplatesArePlayed(t *testing.T) {
	for _, name := range []string{"$Time$", "a$Time$b", "a:b", `a"<&>'b`, "ü%24", "cam-7", "-"} {
		for _, nested := range []bool{false, true} {
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Nested = nested
			b.run(b.packager(name, cfg), mediatest.NewScript(t).Play(6*sec).Packets, nil)
			b.reopen()
			b.run(b.packager(name, cfg), mediatest.NewScript(t).Play(6*sec).Packets, nil)
			if p := b.last(); len(p.periods) != 2 {
				t.Errorf("%q: periods %v", name, p.ids())
			}
		}
	}
}

func TestPlayersAreToldWhereTheTimeIs(t *testing.T) {
	for _, c := range []struct{ clock, uri, scheme, value string }{
		{"off", "", "", ""},
		{"ntp", "ntp.example.org", "urn:mpeg:dash:utc:ntp:2014", "ntp.example.org"},
		{"http_iso", "https://time.example.org/?a&b", "urn:mpeg:dash:utc:http-iso:2014", "https://time.example.org/?a&b"},
		{"http_head", "", "urn:mpeg:dash:utc:http-head:2014", "cam.mpd?utc"},
		{"http_iso", "", "urn:mpeg:dash:utc:http-iso:2014", "cam.mpd?utc"},
	} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.Clock, cfg.ClockURI = c.clock, c.uri
		b.run(b.packager("cam", cfg), mediatest.NewScript(t).Play(4*sec).Packets, nil)
		scheme, value := "", ""
		if u := b.last().UTCTimings; len(u) > 0 {
			scheme, value = string(u[0].SchemeIdUri), u[0].Value
		}
		if scheme != c.scheme || value != c.value {
			t.Errorf("clock %q, clock_uri %q: %s %s, want %s %s", c.clock, c.uri, scheme, value, c.scheme, c.value)
		}
	}
}
