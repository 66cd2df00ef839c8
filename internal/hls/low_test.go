package hls

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

func lowConfig(dir string) config.HLS {
	cfg := fragmentedConfig(dir)
	cfg.LowLatency, cfg.Part = true, 200*time.Millisecond
	return cfg
}

// A lowViewer reads each version of a low-latency playlist, and the parts that are new in
// it, as players do.
type lowViewer struct {
	*bench
	file   string // the media playlist
	last   *segstore.Edition
	target time.Duration
	parts  map[string][]byte // by name
	lasts  map[string]time.Duration
	hint   string
	missed int // hints that did not come true
	seen   int // versions
}

func newLowViewer(b *bench, file string) *lowViewer {
	return &lowViewer{bench: b, file: file, parts: make(map[string][]byte), lasts: make(map[string]time.Duration)}
}

func (v *lowViewer) poll() {
	v.Helper()
	f, ok := v.d.Lookup(v.file)
	if !ok || f.Low == nil {
		return
	}
	e := f.Low.Newest()
	if e == nil || e == v.last {
		return
	}
	v.last = e
	v.seen++
	text := string(e.Body())
	var m m3u8.Media
	if err := m.Unmarshal(e.Body()); err != nil {
		v.Fatalf("%v in\n%s", err, text)
	}
	if e.Ended {
		if !m.Endlist || len(m.Parts) > 0 || m.PreloadHint != nil {
			v.Errorf("the last version:\n%s", text)
		}
		return
	}
	switch target := m.PartInf.PartTarget; {
	case v.target != 0 && target != v.target:
		v.Fatalf("PART-TARGET went from %v to %v", v.target, target)
	default:
		v.target = target
	}
	if hold := *m.ServerControl.PartHoldBack; hold < 3*v.target || !m.ServerControl.CanBlockReload || *m.ServerControl.CanSkipUntil < 6*time.Duration(m.TargetDuration)*time.Second {
		v.Errorf("%+v", m.ServerControl)
	}
	// The sum of parts is their segment; all but the last one and those with a keyframe are
	// nearly PART-TARGET long.
	var fromEnd time.Duration
	for i := len(m.Segments) - 1; i >= 0; i-- {
		s := m.Segments[i]
		if len(s.Parts) > 0 {
			var whole []byte
			var sum time.Duration
			for k, p := range s.Parts {
				whole = append(whole, v.part(p, k == len(s.Parts)-1, text)...)
				sum += p.Duration
			}
			if !bytes.Equal(whole, v.read(s.URI)) {
				v.Fatalf("%s is not its parts", s.URI)
			}
			if d := sum - s.Duration; d.Abs() > 3*time.Millisecond {
				v.Errorf("%s: EXTINF %v, its parts %v", s.URI, s.Duration, sum)
			}
			if fromEnd > 3*time.Duration(m.TargetDuration)*time.Second+100*ms {
				v.Errorf("parts %v from the end:\n%s", fromEnd, text)
			}
		} else if fromEnd < 2*time.Second && i > 0 && v.seen > 20 {
			v.Errorf("%s has no parts:\n%s", s.URI, text)
		}
		fromEnd += s.Duration
	}
	for _, p := range m.Parts {
		v.part(p, false, text)
	}
	if m.PreloadHint == nil {
		v.Fatalf("no hint in\n%s", text)
	}
	if v.hint != "" && v.hint != m.PreloadHint.URI && v.parts[v.hint] == nil {
		v.missed++
	}
	v.hint = m.PreloadHint.URI
	if _, ok := v.d.Lookup(v.hint); ok {
		v.Errorf("the hint %s is there already", v.hint)
	}
	if e.Delta() != nil {
		v.update(string(e.Delta()), text)
	}
}

// part reads a part. open: it is not known to be the last one of its segment.
func (v *lowViewer) part(p *m3u8.MediaPart, last bool, text string) []byte {
	v.Helper()
	if p.Duration > v.target || p.Duration < v.target*85/100 && !last && !p.Independent && strings.HasPrefix(path.Base(v.file), "test-video") && !strings.Contains(text, p.URI+`"`+"\n#EXT-X-PRELOAD") {
		v.Errorf("%s is %v long, PART-TARGET %v:\n%s", p.URI, p.Duration, v.target, text)
	}
	f, ok := v.d.Lookup(p.URI)
	if !ok || f.Kind != segstore.Part {
		v.Fatalf("%s is named and is not there", p.URI)
	}
	body := f.Body
	if body == nil {
		file := v.read(f.Range.Name)
		body = file[f.Range.Offset : f.Range.Offset+f.Size]
	}
	if was := v.parts[p.URI]; was != nil && (!bytes.Equal(was, body) || v.lasts[p.URI] != p.Duration) {
		v.Fatalf("%s has changed", p.URI)
	}
	v.parts[p.URI], v.lasts[p.URI] = bytes.Clone(body), p.Duration
	return body
}

// update checks that an update is the playlist without what it says that it leaves out.
func (v *lowViewer) update(delta, text string) {
	v.Helper()
	head, rest, ok := strings.Cut(delta, "#EXT-X-SKIP:SKIPPED-SEGMENTS=")
	var n int
	if _, err := fmt.Sscan(rest, &n); !ok || err != nil || !strings.HasPrefix(text, head) {
		v.Fatalf("the update of\n%s\nis\n%s", text, delta)
	}
	_, rest, _ = strings.Cut(rest, "\n")
	if strings.Count(rest, "#EXTINF")+n != strings.Count(text, "#EXTINF") {
		v.Errorf("the update of\n%s\nis\n%s", text, delta)
	}
	lines := slices.DeleteFunc(strings.Split(rest, "\n"), func(s string) bool { return strings.HasPrefix(s, "#EXT-X-MAP") })
	all := slices.DeleteFunc(strings.Split(text, "\n"), func(s string) bool { return strings.HasPrefix(s, "#EXT-X-MAP") })
	if !slices.Equal(all[max(len(all)-len(lines), 0):], lines) {
		v.Errorf("the update of\n%s\nis\n%s", text, delta)
	}
}

func TestLowLatencyPlaylists(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		frame, gop     time.Duration
		reordered      bool
		nested, hinted bool
	}{
		{"25 pictures a second", 40 * ms, 2 * sec, false, false, true},
		{"B pictures", 40 * ms, 2 * sec, true, false, true},
		{"30 pictures a second", 33333 * time.Microsecond, 2 * sec, false, false, true},
		{"24 pictures a second", 41666 * time.Microsecond, 2 * sec, false, false, true},
		{"60 pictures a second", 16666 * time.Microsecond, time.Second, false, false, true},
		{"nested", 40 * ms, 2 * sec, false, true, true},
		{"keyframes that come when they like", 40 * ms, 1720 * ms, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := lowConfig(b.dir)
			cfg.Nested = c.nested
			files := [2]string{"test-video.m3u8", "test-audio.m3u8"}
			s := mediatest.NewScript(t)
			s.Frame, s.GOP = c.frame, c.gop
			s.Play(20 * sec)
			for _, p := range s.Packets {
				p.DTS = p.DTS.Round(time.Millisecond)
			}
			if c.reordered {
				mediatest.Reordered(s.Packets)
			}
			if c.nested {
				files = [2]string{"test/video.m3u8", "test/audio.m3u8"}
			}
			video, audio := newLowViewer(b, files[0]), newLowViewer(b, files[1])
			b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) {
				b.clean()
				if !c.nested {
					video.poll()
					audio.poll()
				}
			}})
			if c.nested {
				return
			}
			video.poll()
			audio.poll()
			if video.seen < 70 || audio.seen < 70 {
				t.Errorf("%d and %d versions", video.seen, audio.seen)
			}
			if c.hinted && (video.missed > 0 || audio.missed > 1) {
				t.Errorf("%d and %d hints were wrong", video.missed, audio.missed)
			}
			if !video.last.Ended || !audio.last.Ended {
				t.Error("the playlists do not end")
			}
			// On disk it is plain fragmented MP4.
			if text := string(b.read(files[0])); strings.Contains(text, "PART") || !strings.Contains(text, "#EXT-X-VERSION:7\n") {
				t.Errorf("%s", text)
			}
			b.all(files[0])
			b.all(files[1])
			for name := range video.parts {
				if _, ok := b.d.Lookup(name); ok {
					t.Fatalf("%s is still there", name)
				}
			}
		})
	}
}

// A crash loses the open segment and nothing else. Caches may have parts of it: no other
// part has their names.
func TestPartsThatACrashLostAreNotConfusedWithOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := lowConfig(b.dir)
	s := mediatest.NewScript(t).Play(11 * sec)
	before, killed := newLowViewer(b, "test-video.m3u8"), len(s.Packets)*9/10
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if i == killed {
			b.fault = func(string, string) error { return errKilled }
		}
		if i < killed {
			before.poll()
		}
	}})
	lost := before.last
	if lost == nil || lost.Parts == 0 {
		t.Fatal("no segment was open")
	}
	b.fault = nil
	b.reopen()
	s.Packets, s.Epoch = nil, 1
	s.Play(11 * sec)
	after := newLowViewer(b, "test-video.m3u8")
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) { after.poll() }})
	after.poll()
	if len(after.parts) < 20 {
		t.Errorf("%d parts after the restart", len(after.parts))
	}
	for name, body := range after.parts {
		if was, ok := before.parts[name]; ok && !bytes.Equal(was, body) {
			t.Errorf("%s is another part than before the crash", name)
		}
	}
	text := string(b.read("test-video.m3u8"))
	if n := strings.Count(text, "#EXTINF"); n < 5 || strings.Contains(text, "GAP") {
		t.Errorf("%d segments:\n%s", n, text)
	}
}

// A version has, or waits for, what a request names (RFC 8216bis §6.2.5.2).
func TestWaitingForAVersion(t *testing.T) {
	t.Parallel()
	var low segstore.Low
	publish := func(next uint64, parts, last int, ended bool) {
		e := segstore.NewEdition(segstore.TextsFunc(func() (body, delta []byte) { return []byte("x"), nil }), nil)
		e.Next, e.Parts, e.Last, e.Ahead, e.Ended = next, parts, last, 3, ended
		low.Publish(e)
	}
	publish(7, 2, 5, false)
	for _, c := range []struct {
		segment uint64
		part    int
		want    string
	}{
		{6, -1, "at once"},
		{3, 9, "at once"},
		{7, 1, "at once"},
		{6, 4, "at once"},
		{6, 5, "at once"}, // part 0 of segment 7
		{7, 2, "waits"},
		{7, -1, "waits"},
		{7, 4, "waits"},
		{8, -1, "waits"},
		{8, 0, "waits"},
		{7, 5, "ahead"},
		{9, -1, "ahead"},
		{9, 0, "ahead"},
		{8, 3, "ahead"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err := low.Wait(ctx, c.segment, c.part, 0)
		cancel()
		got := map[error]string{nil: "at once", context.DeadlineExceeded: "waits", segstore.ErrAhead: "ahead"}[err]
		if got != c.want {
			t.Errorf("segment %d, part %d: %s, want %s", c.segment, c.part, got, c.want)
		}
	}
	done := make(chan error)
	for _, part := range []int{2, 3, -1} {
		go func() {
			_, err := low.Wait(t.Context(), 7, part, 0)
			done <- err
		}()
	}
	publish(7, 3, 5, false)
	publish(7, 4, 5, false)
	publish(8, 0, 4, false)
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	publish(8, 0, 4, true)
	if _, err := low.Wait(t.Context(), 100, -1, 0); err != nil {
		t.Errorf("a playlist that has ended: %v", err)
	}
}

func TestWhateverComesLowLatencyIsValid(t *testing.T) {
	for i := range rounds() / 3 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(uint64(i), 31))
			b := newBench(t)
			cfg := lowConfig(b.dir)
			cfg.Fragment = time.Duration(1+r.IntN(5)) * time.Second
			cfg.MaxFragment = 3 * cfg.Fragment
			cfg.PlaylistLength = time.Duration(r.IntN(30)) * time.Second
			cfg.Part = time.Duration(50+r.IntN(900)) * time.Millisecond
			cfg.Cleanup = false
			cfg.FragmentNaming = []string{"sequential", "timestamp", "system"}[r.IntN(3)]
			s := wild(t, r)
			v := newFragmentViewer(t, b.dir, "test", false)
			var bad string
			var seen [2]*segstore.Edition
			p := b.packager("test", cfg)
			b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) {
				v.poll()
				for kind := range v.lists {
					f, ok := b.d.Lookup(v.lists[kind].file)
					if !ok || f.Low == nil || f.Low.Newest() == seen[kind] {
						continue
					}
					seen[kind] = f.Low.Newest()
					if why := partsThere(b, seen[kind]); why != "" {
						bad = why
					}
				}
			}})
			v.poll()
			v.check(s.Packets, p.Snapshot())
			if bad != "" {
				t.Error(bad)
			}
			if t.Failed() {
				t.Logf("%+v\n%s\n%s", p.Snapshot(), v.lists[media.Video].last, v.lists[media.Audio].last)
			}
		})
	}
}

// partsThere says what part that a version names is not there.
func partsThere(b *bench, e *segstore.Edition) string {
	var m m3u8.Media
	if err := m.Unmarshal(e.Body()); err != nil {
		return fmt.Sprintf("%v in\n%s", err, e.Body())
	}
	all := m.Parts
	for _, s := range m.Segments {
		all = append(all, s.Parts...)
	}
	for _, p := range all {
		f, ok := b.d.Lookup(p.URI)
		if !ok {
			return fmt.Sprintf("%s is not there:\n%s", p.URI, e.Body())
		}
		if f.Body == nil && !b.d.Store().Whole(f.Range.Name) {
			return fmt.Sprintf("%s of %s is not there:\n%s", p.URI, f.Range.Name, e.Body())
		}
		if p.Duration > m.PartInf.PartTarget {
			return fmt.Sprintf("%s is %v long:\n%s", p.URI, p.Duration, e.Body())
		}
	}
	return ""
}
