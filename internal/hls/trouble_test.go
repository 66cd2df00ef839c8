package hls

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A file that can't be deleted is left alone for half a minute; the others go.
func TestAFileThatCannotBeDeletedIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := testConfig(b.dir)
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(6*time.Second).Packets, eof)
	tries := 0
	b.fault = func(op, name string) error {
		if op == "remove" && name == "test-1.ts" {
			tries++
			return errors.New("the disk says no")
		}
		return nil
	}
	b.clock.advance(2 * cfg.PlaylistLength)
	if _, err := b.d.Clean(context.Background()); err == nil || !strings.Contains(err.Error(), "the disk says no") {
		t.Errorf("got %v", err)
	}
	if got := b.files(); !slices.Equal(got, []string{"test-1.ts"}) {
		t.Errorf("left: %v", got)
	}
	b.clock.advance(30*time.Second - ms)
	b.clean()
	if tries != 1 {
		t.Errorf("%d tries within half a minute", tries)
	}
	b.fault = nil
	b.clock.advance(ms)
	b.clean()
	if got := b.files(); len(got) > 0 {
		t.Errorf("left after half a minute: %v", got)
	}
}

// An output that can't write tries again after 1, 2, 4, 8, 16 and then every 30 s.
// What ends meanwhile is lost and counted; then it goes on, with a discontinuity.
func TestHowOftenAnOutputThatCannotWriteTries(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = time.Hour
	s := mediatest.NewScript(t)
	s.Audio, s.Frame, s.GOP = nil, 200*ms, 200*ms
	s.Play(140 * time.Second)
	cfg.Fragment = 200 * ms
	var tries []time.Duration
	b.fault = func(op, name string) error {
		if at := b.clock.Now().Sub(testStart); op == "create" && strings.HasSuffix(name, ".ts.tmp") && at > 10*time.Second && at < 130*time.Second {
			tries = append(tries, at)
			return errors.New("disk full")
		}
		return nil
	}
	p := b.packager("test", cfg)
	b.run(p, s.Packets, eof)
	var waits []int
	for i := 1; i < len(tries); i++ {
		waits = append(waits, int((tries[i]-tries[i-1]).Round(time.Second)/time.Second))
	}
	if want := []int{1, 2, 4, 8, 16, 30, 30}; !slices.Equal(waits, want) {
		t.Errorf("tries after %v s, want %v", waits, want)
	}
	st := p.Snapshot()
	m := b.playlist("test.m3u8")
	breaks := 0
	for _, e := range m.Segments {
		if e.Discontinuity {
			breaks++
		}
	}
	if int(st.Segments) != len(m.Segments) || st.Segments+st.Lost != 700 || breaks != 1 || st.Errors != uint64(len(tries)) || st.Failing != "" || !st.FailingSince.IsZero() {
		t.Errorf("%+v, with %d entries and %d discontinuities", st, len(m.Segments), breaks)
	}
	for _, line := range b.logs.FilterMessageSnippet("hls output can't write").All() {
		if why, _ := line.ContextMap()["error"].(string); !strings.Contains(why, "disk full") || !strings.Contains(why, "test-") {
			t.Errorf("the log says %q", why)
		}
	}
	if b.logged("hls output can't write") != 1 || b.logged("hls output writes again") != 1 {
		t.Error("the log has not one line of each")
	}
}

// Fragments shorter than 0.2 s and half of hls_fragment are rationed: ten at once and
// two each second.
func TestWhichFragmentsAreRationed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		each     time.Duration // length of a fragment
		fragment time.Duration // hls_fragment
		want     int           // written of 40
	}{
		{"of 200 ms", 200 * ms, 2 * sec, 40},
		{"of 199 ms", 199 * ms, 2 * sec, 24},
		{"of half of hls_fragment", 100 * ms, 200 * ms, 40},
		{"of a little less", 99 * ms, 200 * ms, 16},
	} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.Fragment, cfg.PlaylistLength = c.fragment, time.Hour
		s := mediatest.NewScript(t)
		s.Audio = nil
		for i := range 41 { // another encoder each time
			s.Epoch++
			at := time.Duration(i) * c.each
			s.Put(s.Video, at, true)
			s.Put(s.Video, at+c.each/2, false)
		}
		p := b.packager("test", cfg)
		b.run(p, s.Packets[:80], nil)
		if got := p.Snapshot(); int(got.Segments) < c.want-1 || int(got.Segments) > c.want+2 {
			t.Errorf("%s: %d of 40 were written (%d lost), want %d", c.name, got.Segments, got.Lost, c.want)
		}
	}
}

func TestNamesThatCanBeNoFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, good := range map[string]bool{
		"a": true, "a.b": true, "ü-1_2": true, "a~!": true,
		"": false, ".a": false, "a..b": false, "a b": false, "a\tb": false, "a/b": false, `a\b`: false, "a\x7fb": false, "a\x00b": false,
	} {
		if _, err := b.d.NewPackager("show", name, testConfig(b.dir), nil); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, set := range []func(*config.HLS){
		func(c *config.HLS) { c.Format = "mkv" }, func(c *config.HLS) { c.LowLatency = true },
	} {
		cfg := testConfig(b.dir)
		set(&cfg)
		if _, err := b.d.NewPackager("show", "a", cfg, nil); err == nil {
			t.Errorf("%+v: no error", cfg)
		}
	}
}

// Keys that can't be had leave the fragments unwritten: none is in the clear.
func TestKeysThatCannotBeHad(t *testing.T) {
	t.Parallel()
	for why, set := range map[string]func(*config.Keys){
		"method SAMPLE-AES is not supported": func(k *config.Keys) { k.Method = "SAMPLE-AES" },
		"must not start with a dot":          func(k *config.Keys) { k.Path += "/.keys" },
	} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.Keys = &config.Keys{Path: value.Path(b.dir), Method: "AES-128"}
		set(cfg.Keys)
		p := b.packager("test", cfg)
		b.run(p, mediatest.NewScript(t).Play(6*time.Second).Packets, eof)
		if got := b.files(); len(got) > 0 {
			t.Errorf("%s: %v", why, got)
		}
		if st := p.Snapshot(); !strings.Contains(st.Failing, why) || st.Segments > 0 {
			t.Errorf("%s: %+v", why, st)
		}
	}
}

// A directory of ours goes with the last file in it, whichever that is, and stays as
// long as there is one.
func TestANestedDirectoryGoesWithItsLastFile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Nested = true
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(6*time.Second).Packets, eof)
	b.run(b.packager("test2", cfg), mediatest.NewScript(t).Play(6*time.Second).Packets, eof)
	there := func(name string) bool {
		_, err := os.Stat(filepath.Join(b.dir, name))
		return err == nil
	}
	b.clock.advance(2*cfg.PlaylistLength - ms)
	b.clean()
	if !there("test/index.m3u8") || !there("test2/0.ts") {
		t.Errorf("gone early: %v", b.files())
	}
	b.clock.advance(ms)
	b.clean()
	if there("test") || there("test2") {
		t.Error("a directory is left")
	}
}

// A directory that can't be used at the start is waited for. The output then begins
// with a keyframe, and with the settings of a reload meanwhile.
func TestAnOutputThatBeginsLate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.d.Close()
	b.fault = func(op, _ string) error {
		if op == "open" && b.clock.Now().Sub(testStart) < 4*time.Second {
			return errors.New("not mounted")
		}
		return nil
	}
	b.open()
	cfg := testConfig(b.dir)
	next := cfg
	next.Nested = true
	s := mediatest.NewScript(t).Play(12 * time.Second)
	p := b.packager("test", cfg)
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
		if s.Packets[i].DTS == 3*sec && s.Packets[i].Track == s.Video {
			if st := p.Snapshot(); !strings.Contains(st.Failing, "not mounted") && !strings.Contains(st.Failing, "can't be used") {
				t.Errorf("meanwhile: %+v", st)
			}
			p.Reconfigure(b.d.Settings(next), b.d.Directory)
		}
	}})
	m := b.playlist("test/index.m3u8")
	// Tries at 0, 1, 3 and 7 s: the next keyframe is at 8 s.
	if len(m.Segments) != 2 || m.MediaSequence != 0 || m.Segments[0].Discontinuity {
		t.Errorf("got\n%s", b.read("test/index.m3u8"))
	}
	for _, pic := range pesPackets(t, b.read("test/0.ts")) {
		if pic.pts < ticks(8*sec) {
			t.Errorf("the first fragment has what is shown at tick %d", pic.pts)
		}
	}
	if got := b.files(); len(got) != 3 {
		t.Errorf("files: %v", got)
	}
}

// A stream that ends with an error leaves its playlist without an end: it may go on.
func TestAStreamThatEndsWithAnError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	err := b.packager("test", testConfig(b.dir)).Run(context.Background(), &feed{packets: mediatest.NewScript(t).Play(5 * time.Second).Packets, clock: b.clock, stop: errors.New("lost")})
	if err == nil || err.Error() != "hls show/test: lost" {
		t.Errorf("Run: %v", err)
	}
	if m := b.playlist("test.m3u8"); m.Endlist || len(m.Segments) != 3 {
		t.Errorf("got\n%s", b.read("test.m3u8"))
	}
}

// What an earlier process wrote is served as it is: how long a playlist of it may be
// believed nobody knows.
func TestWhatAnEarlierProcessLeftIsServed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run(b.packager("test", testConfig(b.dir)), mediatest.NewScript(t).Play(6*time.Second).Packets, nil)
	live, _ := b.d.Lookup("test.m3u8")
	if live.Target != 2*sec || live.MaxAge != sec {
		t.Errorf("live: target %s, at most %s old", live.Target, live.MaxAge)
	}
	b.reopen()
	old, ok := b.d.Lookup("test.m3u8")
	if !ok || old.Target != 0 || old.MaxAge != 0 || string(old.Body) != string(live.Body) || old.ETag != live.ETag || old.Kind != segstore.Playlist || old.App != "show" || old.Stream != "test" {
		t.Errorf("after a restart: %t %+v", ok, old)
	}
	file, ok := b.d.Lookup("test-1.ts")
	if !ok || file.Size != int64(len(b.read("test-1.ts"))) || file.MaxAge != 30*time.Second || file.Kind != segstore.Segment {
		t.Errorf("a fragment after a restart: %t %+v", ok, file)
	}
	if got := b.d.Streams(); !slices.Equal(got, []string{"test.m3u8"}) {
		t.Errorf("streams: %v", got)
	}
	// Clients that come again get their playlist for as long as its publisher may.
	b.clock.advance(20*time.Second - ms)
	b.clean()
	if _, ok := b.d.Lookup("test.m3u8"); !ok {
		t.Error("gone early")
	}
	b.clock.advance(ms)
	b.clean()
	if _, ok := b.d.Lookup("test.m3u8"); ok || len(b.files()) > 0 {
		t.Errorf("left: %v", b.files())
	}
}

// The last fragment is tried whatever the wait was for: there is no later one.
func TestTheEndOfAStreamIsOneMoreTry(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.fault = func(op, name string) error {
		if at := b.clock.Now().Sub(testStart); op == "create" && strings.HasSuffix(name, ".ts.tmp") && at > 3*time.Second && at < 9*time.Second {
			return errors.New("disk full")
		}
		return nil
	}
	p := b.packager("test", testConfig(b.dir))
	b.run(p, mediatest.NewScript(t).Play(10*time.Second).Packets, eof)
	m := b.playlist("test.m3u8")
	if len(m.Segments) != 2 || !m.Segments[1].Discontinuity || !m.Endlist {
		t.Errorf("got\n%s", b.read("test.m3u8"))
	}
	if st := p.Snapshot(); st.Lost != 3 || st.Segments != 2 || st.Failing != "" {
		t.Errorf("got %+v", st)
	}
}

// Fragments of somebody else in a playlist that goes on keep none of ours back.
func TestOurFilesGoThatStandBehindSomebodyElses(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.foreign("test-7.ts")
	b.foreign("test-9.ts")
	found := "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:7\n#EXTINF:2.000,\ntest-7.ts\n"
	if err := os.WriteFile(filepath.Join(b.dir, "test.m3u8"), []byte(found), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(b.dir)
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, eof)
	if m := b.playlist("test.m3u8"); len(m.Segments) != 3 || m.Segments[0].URI != "test-7.ts" || m.Segments[2].URI != "test-10.ts" {
		t.Fatalf("got\n%s", b.read("test.m3u8"))
	}
	b.clock.advance(2*cfg.PlaylistLength + 10*time.Second)
	b.clean()
	if got := b.files(); !slices.Equal(got, []string{"test-7.ts", "test-9.ts"}) {
		t.Errorf("left: %v", got)
	}
}

// A feedWithRest is a stream that still holds packets when its packager is cancelled.
type feedWithRest struct {
	feed
	rest []*media.Packet
}

func (f *feedWithRest) TryNext(buf []*media.Packet) (int, uint64, error) {
	n := copy(buf[:min(len(buf), 10)], f.rest)
	f.rest = f.rest[n:]
	return n, 0, nil
}

func TestACancelledPackagerWritesWhatTheStreamHolds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := mediatest.NewScript(t).Play(4 * time.Second)
	first, all := len(s.Packets), s.Play(2*time.Second).Packets
	ctx, cancel := context.WithCancel(t.Context())
	f := &feedWithRest{feed{packets: all[:first], clock: b.clock, end: cancel}, all[first:]}
	if err := b.packager("test", testConfig(b.dir)).Run(ctx, f); err != nil {
		t.Fatal(err)
	}
	video, audio := 0, 0
	for _, name := range b.playlist2("test.m3u8") {
		v, a := mediatest.Markers(t, b.read(name))
		video, audio = video+len(v), audio+len(a)
	}
	if video+audio != len(all) {
		t.Errorf("%d pictures and %d frames of sound, of %d packets", video, audio, len(all))
	}
}

// Half a line at the end of the ledger, and a disk so full that it can't be written
// anew: what is noted next stands on a line of its own.
func TestALedgerThatEndsWithHalfALineOnAFullDisk(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	cfg := testConfig(b.dir)
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, nil)
	b.d.Close()
	f, err := os.OpenFile(filepath.Join(b.dir, segstore.LedgerName), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"n":"test-99.ts","k":"segm`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	b.fault = func(op, name string) error {
		if op == "create" && strings.Contains(name, segstore.LedgerName) {
			return errors.New("disk full")
		}
		return nil
	}
	b.open()
	b.run(b.packager("second", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, nil)
	b.fault = nil
	b.reopen()
	b.clock.advance(2*cfg.PlaylistLength + 10*time.Second)
	b.clean()
	if got := b.files(); len(got) > 0 {
		t.Errorf("not known after a restart: %v", got)
	}
}

// Silence is AAC of a standard channel configuration; other sound is not filled.
func TestWhichSoundIsFilledWithSilence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config string
		filled bool
	}{
		"AAC-LC, stereo": {mediatest.AACLC44, true}, "AAC-LC, mono": {"1208", true}, "AAC-LC, four channels": {"1220", true},
		"HE-AAC": {"2b920800", true}, "AAC Main": {"0a10", true}, "AAC-LC of four corners": {"118004c40400211000", false},
	} {
		b := newBench(t)
		s := mediatest.NewScript(t)
		s.Audio = mediatest.Track(t, media.CodecAAC, c.config)
		s.Both(0, 4000, 2000).Pictures(4000, 10000, 40, 2000)
		b.run(b.packager("test", testConfig(b.dir)), s.Packets, nil)
		n := 0
		for _, p := range pesPackets(t, b.read("test-3.ts")) {
			if p.kind == media.Audio {
				n += adtsFrames(t, p.data)
			}
		}
		if (n > 0) != c.filled {
			t.Errorf("%s: %d frames of silence in a fragment without sound", name, n)
		}
	}
}
