package hls

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// hls_variant comes and goes with a reload: the multivariant playlist as well.
func TestAReloadMakesAStreamARenditionAndBack(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	plain := testConfig(b.dir)
	low, fixed := plain, plain
	low.Variants = []config.Variant{{Suffix: "_low"}}
	fixed.Variants = []config.Variant{{Suffix: "_low", Bandwidth: 123000}}
	s := mediatest.NewScript(t).Play(24 * time.Second)
	p := b.packager("cam_low", plain)
	bandwidths := make(map[int]string) // by second
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
		at := s.Packets[i].DTS
		if s.Packets[i].Track != s.Video || at%sec != 0 {
			return
		}
		switch at / sec {
		case 5:
			p.Reconfigure(b.d.Settings(low), b.d.Directory)
		case 11:
			p.Reconfigure(b.d.Settings(fixed), b.d.Directory)
		case 17:
			p.Reconfigure(b.d.Settings(plain), b.d.Directory)
		}
		b.clean()
		master, err := os.ReadFile(filepath.Join(b.dir, "cam.m3u8"))
		if err != nil {
			return
		}
		_, line, _ := strings.Cut(string(master), "BANDWIDTH=")
		line, _, _ = strings.Cut(line, "\n")
		bandwidths[int(at/sec)] = line
	}})
	for second := range 24 {
		line, there := bandwidths[second]
		switch {
		case there != (second >= 9 && second < 19):
			t.Errorf("second %d: a multivariant playlist is there: %t", second, there)
		case second >= 9 && second < 13 && (strings.HasPrefix(line, "123000,") || !strings.Contains(line, `CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000`)),
			second >= 15 && second < 19 && (!strings.HasPrefix(line, "123000,") || !strings.Contains(line, `RESOLUTION=1920x1080,FRAME-RATE=25.000`)):
			t.Errorf("second %d: %s", second, line)
		}
	}
}

// A playlist at another path goes on with the numbers of the one before, and with the
// longest TARGETDURATION of the two and of the fragments to come: it must never fall
// (RFC 8216 §6.2.1), nor be too short for what is there.
func TestTheTargetDurationOfAPlaylistThatMoves(t *testing.T) {
	t.Parallel()
	found := func(target int) string {
		return fmt.Sprintf("#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:2.000,\ntest-1.ts\n", target)
	}
	for _, c := range []struct {
		name     string
		gop      time.Duration // of the stream: its first fragment
		found    int           // TARGETDURATION of a playlist at the new path; 0: there is none
		fragment time.Duration // of the new settings
		want     int
	}{
		{"from the old playlist", 5 * sec, 0, 2 * sec, 5},
		{"from the one that is there", 2 * sec, 9, 2 * sec, 9},
		{"of both the longer", 5 * sec, 3, 2 * sec, 5},
		{"from the new settings", 2 * sec, 0, 4 * sec, 4},
	} {
		b := newBench(t)
		other := filepath.Join(t.TempDir(), "other")
		d, err := openDirectory(other, packager.DirectoryOptions{Log: b.log, Now: b.clock.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		if c.found > 0 {
			for name, text := range map[string]string{"test.m3u8": found(c.found), "test-1.ts": "x"} {
				if err := os.WriteFile(filepath.Join(other, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		s := mediatest.NewScript(t)
		s.GOP = c.gop
		s.Play(20 * time.Second)
		cfg := testConfig(b.dir)
		next := testConfig(other)
		next.Fragment, next.Path = c.fragment, value.Path(other)
		p := b.packager("test", cfg)
		b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
			if s.Packets[i].DTS == 8*sec && s.Packets[i].Track == s.Video {
				p.Reconfigure(d.Settings(next), d.Directory)
			}
		}})
		m := (&bench{TB: t, dir: other}).playlist("test.m3u8")
		if m.TargetDuration != c.want {
			t.Errorf("%s: TARGETDURATION %d, want %d", c.name, m.TargetDuration, c.want)
		}
	}
}

// More of what may be found, at its bounds.
func TestBoundsOfAPlaylistThatIsFound(t *testing.T) {
	t.Parallel()
	const head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n"
	entry := func(duration, uri string) string { return "#EXTINF:" + duration + ",\n" + uri + "\n" }
	padded := func(size int) string {
		text := head + entry("2.000", "test-7.ts")
		return text + "#" + strings.Repeat("x", size-len(text)-2) + "\n"
	}
	for _, c := range []struct {
		name, naming, found string
		seq                 int
	}{
		{"a fragment of half a millisecond", "sequential", head + entry("0.0005", "test-7.ts"), 7},
		{"a fragment that rounds to nothing", "sequential", head + entry("0.0004", "test-7.ts"), 42},
		{"a URI of 4096 bytes", "sequential", head + entry("2.000", strings.Repeat("x", 4093)+".ts"), 8},
		{"a URI of 4097 bytes", "sequential", head + entry("2.000", strings.Repeat("x", 4094)+".ts"), 42},
		{"the last number but one", "sequential", strings.Replace(head, "SEQUENCE:7", "SEQUENCE:2147483646", 1) + entry("2.000", "test-7.ts"), 2147483646},
		{"the last number", "sequential", strings.Replace(head, "SEQUENCE:7", "SEQUENCE:2147483647", 1) + entry("2.000", "test-7.ts"), 42},
		{"16 MiB", "sequential", padded(16 << 20), 7},
		{"a byte more", "sequential", padded(16<<20 + 1), 42},

		// Where names are times, files say nothing of numbers: those go on with the
		// seconds since 2020.
		{"garbage, named by timestamps", "timestamp", "what is this", int(testStart.Unix() - 1577836800)},
		{"garbage, named by the clock", "system", "what is this", int(testStart.Unix() - 1577836800)},
	} {
		b := newBench(t)
		for _, name := range []string{"test-7.ts", "test-41.ts"} {
			b.foreign(name)
		}
		if err := os.WriteFile(filepath.Join(b.dir, "test.m3u8"), []byte(c.found), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := testConfig(b.dir)
		cfg.FragmentNaming = c.naming
		s := mediatest.NewScript(t)
		s.At = 0
		b.run(b.packager("test", cfg), s.Play(2*time.Second).Packets, nil)
		if m := b.playlist("test.m3u8"); m.MediaSequence != c.seq {
			t.Errorf("%s: goes on with %d, want %d", c.name, m.MediaSequence, c.seq)
		}
	}
}

// Fragments stay for their length, that of the longest playlist that named them, and
// twice the target duration or 5 s, to the millisecond.
func TestWhenAFragmentThatLeftThePlaylistGoes(t *testing.T) {
	t.Parallel()
	for gop, late := range map[time.Duration]time.Duration{2 * sec: 5 * sec, 4 * sec: 8 * sec} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.PlaylistLength = sec // and so three fragments, the least there may be
		s := mediatest.NewScript(t)
		s.GOP = gop
		b.run(b.packager("test", cfg), s.Play(4*gop).Packets, nil) // test-0 leaves at the end
		left := b.clock.Now()
		goes := left.Add(gop + 3*gop + late)
		there := func() bool {
			b.clean()
			_, err := os.Stat(filepath.Join(b.dir, "test-0.ts"))
			return err == nil
		}
		if b.clock.set(goes.Add(-ms)); !there() {
			t.Errorf("GOP of %s: gone a millisecond early", gop)
		}
		if b.clock.set(goes); there() {
			t.Errorf("GOP of %s: it is still there", gop)
		}
	}
}

// A picture in several messages is decoded early by what its own composition time
// asks for, wherever it was moved.
func TestPartsOfAPictureThatIsShownBeforeItIsDecoded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Audio = nil
	for i := range 50 {
		at := time.Duration(i) * 40 * ms
		s.Put(s.Video, at, i == 0)
		s.Put(s.Video, at, i == 0)
		first, rest := s.Packets[2*i], s.Packets[2*i+1]
		rest.Continues, rest.Keyframe = true, false
		if i == 25 { // the same millisecond again: it is held up by one
			first.DTS -= 40 * ms
			rest.DTS -= 40 * ms
		}
		first.CTS, rest.CTS = -40*ms, -40*ms
	}
	b.run(b.packager("test", testConfig(b.dir)), s.Packets, eof)
	n := 0
	for _, p := range pesPackets(t, b.read("test-0.ts")) {
		want := ticks(time.Duration(n)*40*ms - 40*ms)
		if n != 25 && p.pts != want {
			t.Errorf("picture %d is shown at %d, want %d", n, p.pts, want)
		}
		if d := p.pts - p.dts; d != 0 && n != 25 {
			t.Errorf("picture %d is decoded %d ticks before it is shown", n, d)
		}
		if got := strings.Count(string(p.data), "<V"); got != 2 {
			t.Errorf("picture %d has %d of its 2 parts", n, got)
		}
		n++
	}
	if n != 50 {
		t.Errorf("%d pictures", n)
	}
}

// A slide show has less than a picture a second.
func TestARenditionOfHalfAPictureASecond(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Variants = []config.Variant{{Suffix: "_low", FrameRate: 0.5}}
	b.run(b.packager("cam_low", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, nil)
	if got := string(b.read("cam.m3u8")); !strings.Contains(got, ",FRAME-RATE=0.500,") {
		t.Errorf("got\n%s", got)
	}
}
