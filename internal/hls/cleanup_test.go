package hls

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

func (b *bench) foreign(name string) string {
	b.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("someone else's"), 0o644); err != nil {
		b.Fatal(err)
	}
	return name
}

func TestAfterTheEndExactlyOurFilesGo(t *testing.T) {
	tests := []struct {
		name    string
		cfg     func(*config.HLS)
		foreign []string
		stays   bool // ours stay
		stop    error
	}{
		{name: "plain", foreign: []string{"test-3.ts", "test-500.ts", "other-1.ts", "x.m3u8", "test-1.key", ".hidden"}, stop: eof},
		{name: "nested", cfg: func(c *config.HLS) { c.Nested = true }, foreign: []string{"test.m3u8", "elsewhere/1.ts"}, stop: eof},
		{name: "nested with a guest", cfg: func(c *config.HLS) { c.Nested = true }, foreign: []string{"test/notes.txt"}, stop: eof},
		{name: "cancelled", foreign: []string{"a.ts"}},
		{name: "event", cfg: func(c *config.HLS) { c.Type = "event" }, stays: true, stop: eof},
		{name: "cleanup off", cfg: func(c *config.HLS) { c.Cleanup = false }, stays: true, stop: eof},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			var foreign []string
			for _, name := range tt.foreign {
				foreign = append(foreign, b.foreign(name))
			}
			slices.Sort(foreign)
			cfg := testConfig(b.dir)
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			s := mediatest.NewScript(t).Play(30 * time.Second)
			b.run(b.packager("test", cfg), s.Packets, tt.stop)
			during := b.files()
			b.clock.advance(2*cfg.PlaylistLength - time.Second)
			b.clean()
			playlist := "test.m3u8"
			if cfg.Nested {
				playlist = "test/index.m3u8"
			}
			for _, e := range b.playlist(playlist).Segments {
				b.read(filepath.Join(filepath.Dir(playlist), e.URI))
			}
			for range 5 {
				b.clock.advance(5 * time.Minute)
				b.clean()
			}
			want := foreign
			if tt.stays {
				want = during
			}
			if got := b.files(); !slices.Equal(got, want) {
				t.Errorf("left %v\nwant %v", got, want)
			}
			for _, name := range foreign {
				if string(b.read(name)) != "someone else's" {
					t.Errorf("%s was written over", name)
				}
			}
			if _, err := os.Stat(filepath.Join(b.dir, "test")); cfg.Nested && len(foreign) != 1 && err == nil {
				t.Error("the stream's empty directory is still there")
			}
			if _, err := os.Stat(filepath.Join(b.dir, segstore.LedgerName)); !tt.stays && err == nil {
				t.Error("an empty ledger is still there")
			}
		})
	}
}

func TestAFragmentStaysForItsDurationAndTheLongestPlaylistThatNamedIt(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir) // 10 s
	s := mediatest.NewScript(t).Play(60 * time.Second)
	gone := make(map[string]time.Duration) // when it left the playlist
	listed := make(map[string]bool)
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		now := s.Packets[i].DTS
		b.clean()
		if now%(2*time.Second) != 40*time.Millisecond {
			return
		}
		current := make(map[string]bool)
		for _, e := range b.playlist2("test.m3u8") {
			current[e] = true
		}
		for name := range listed {
			if !current[name] && gone[name] == 0 {
				gone[name] = now
			}
		}
		listed = current
		there := make(map[string]bool)
		for _, f := range b.files() {
			there[f] = true
		}
		for name, at := range gone {
			// 2 s of its own, 10 s, the most that were ever listed, and 5 s for
			// who had the playlist from a cache.
			if age := now - at; there[name] != (age < 17*time.Second) {
				t.Errorf("%s: there %t, %v after it left the playlist", name, there[name], age)
			}
		}
	}})
	if len(gone) < 10 {
		t.Errorf("only %d fragments left the playlist", len(gone))
	}
}

// playlist2 is the playlist's fragments; none while there is no playlist.
func (b *bench) playlist2(name string) []string {
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		return nil
	}
	var uris []string
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "#") {
			uris = append(uris, strings.TrimSpace(line))
		}
	}
	return uris
}

func TestAPublisherThatReturnsInTimeKeepsEverything(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	s := mediatest.NewScript(t).Play(10 * time.Second)
	b.run(b.packager("test", cfg), s.Packets, nil)
	b.clock.advance(15 * time.Second)
	b.clean()
	s.Packets, s.Epoch = nil, 1
	s.At += 15 * time.Second
	s.Play(8 * time.Second)
	v := newViewer(t, b.dir, "test.m3u8")
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		m := b.playlist("test.m3u8")
		if s.Packets[i].DTS == 29*time.Second && (m.MediaSequence != 1 || !m.Segments[4].Discontinuity || m.Segments[4].URI != "test-5.ts") {
			t.Errorf("%s", b.read("test.m3u8"))
		}
		// At 30 s the first run's end plus 2 × playlist_length is over; what
		// the playlist names stays.
		b.clean()
		for _, e := range m.Segments {
			b.read(e.URI)
		}
		v.poll()
	}})
}

// After a bad evening of keyframes every 9 s the next one is not bound to them.
func TestAfterAnEndTheNextPublishBeginsAPlaylistOfItsOwn(t *testing.T) {
	for _, restart := range []bool{false, true} {
		for _, kind := range []string{"live", "event"} {
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.MaxFragment, cfg.Type = 10*time.Second, kind
			s := mediatest.NewScript(t)
			s.GOP = 9 * time.Second
			s.Play(27 * time.Second)
			s.Video = mediatest.Track(t, s.Video.Codec, mediatest.AVCBaseline) // a discontinuity in it
			s.GOP = 2 * time.Second
			s.Play(9 * time.Second)
			b.run(b.packager("test", cfg), s.Packets, eof)
			old := b.playlist("test.m3u8")
			if !old.Endlist || old.TargetDuration != 9 {
				t.Fatalf("%s", b.read("test.m3u8"))
			}
			disc := *old.DiscontinuitySequence
			for _, e := range old.Segments {
				if e.Discontinuity {
					disc++
				}
			}
			next := old.MediaSequence + len(old.Segments)
			b.clock.advance(3 * time.Second)
			if restart {
				b.reopen()
			}
			s.Packets, s.Epoch, s.At = nil, 1, s.At+3*time.Second
			s.Play(9 * time.Second)
			begun := 0
			b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) {
				m := b.playlist("test.m3u8")
				if m.Endlist {
					t.Fatal("ENDLIST although the publisher is back")
				}
				b.clean()
				for _, e := range old.Segments {
					b.read(e.URI) // a player may be at it
				}
				if m.MediaSequence < next {
					return
				}
				begun++
				if m.TargetDuration != 2 || m.MediaSequence != next || *m.DiscontinuitySequence != disc || !m.Segments[0].Discontinuity {
					t.Fatalf("the playlist is not its own:\n%s", b.read("test.m3u8"))
				}
			}})
			if begun == 0 {
				t.Error("no playlist of its own")
			}
			if f, ok := b.d.Lookup("test.m3u8"); !ok || f.MaxAge != time.Second || f.Target != 2*time.Second {
				t.Errorf("HTTP is told max-age %v and a target of %v", f.MaxAge, f.Target)
			}
		}
	}
}

// RFC 8216 §6.3.4: a cache holds a playlist for half a target duration at most.
func TestPlaylistsAreCachedForHalfOfATargetAtMost(t *testing.T) {
	b := newBench(t)
	for target, want := range map[int]time.Duration{0: 0, 1: 0, 2: time.Second, 3: time.Second, 5: 2 * time.Second, 10: 5 * time.Second} {
		if f := b.d.TextFile(segstore.Entry{Kind: packager.KindPlaylist}, []byte("x"), b.clock.Now(), time.Duration(target)*time.Second); f.MaxAge != want {
			t.Errorf("a target of %d s: max-age %v, want %v", target, f.MaxAge, want)
		}
	}
}

func TestNumbersAreNotUsedAgainWhileCachesMayRememberThem(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(8*time.Second).Packets, eof)
	b.clock.advance(21 * time.Second)
	b.clean()
	if got := b.files(); len(got) != 0 {
		t.Fatalf("left %v", got)
	}
	b.reopen()
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, eof)
	if m := b.playlist("test.m3u8"); m.MediaSequence != 4 || m.Segments[0].URI != "test-4.ts" {
		t.Errorf("%s", b.read("test.m3u8"))
	}
}

func TestAPlaylistOfNginxOrGarbageIsTakenUpSafely(t *testing.T) {
	tests := []struct {
		name, body string
		files      []string
		seq, disc  int
		uris       []string
	}{
		{
			name: "nginx-rtmp's", seq: 41, disc: 0,
			body: "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-MEDIA-SEQUENCE:40\n#EXT-X-TARGETDURATION:4\n#EXTINF:2.000,\ntest-40.ts\n#EXTINF:2.000,\ntest-41.ts\n",
			// 40 has gone.
			files: []string{"test-41.ts"}, uris: []string{"test-41.ts", "test-42.ts"},
		},
		{name: "garbage", body: "\x00\x01nonsense", files: []string{"test-17.ts"}, seq: 18, disc: 18, uris: []string{"test-18.ts"}},
		{name: "empty", body: "", files: []string{"test-17.ts"}, seq: 18, disc: 18, uris: []string{"test-18.ts"}},
		{name: "a master", body: "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n", seq: 1, disc: 1, uris: []string{"test-1.ts"}},
		{
			name: "fragmented MP4", seq: 11, disc: 3, uris: []string{"test-11.ts"},
			body: "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:10\n#EXT-X-DISCONTINUITY-SEQUENCE:3\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2.000,\ntest-10.m4s\n",
		},
		{name: "a huge number", body: "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:2147483647\n#EXTINF:2,\nx.ts\n", seq: 1, disc: 1, uris: []string{"test-1.ts"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			for _, f := range tt.files {
				b.foreign(f)
			}
			if err := os.WriteFile(filepath.Join(b.dir, "test.m3u8"), []byte(tt.body), 0o644); err != nil {
				t.Fatal(err)
			}
			b.run(b.packager("test", testConfig(b.dir)), mediatest.NewScript(t).Play(2*time.Second).Packets, nil)
			m := b.playlist("test.m3u8")
			got := b.playlist2("test.m3u8")
			if m.MediaSequence != tt.seq || *m.DiscontinuitySequence != tt.disc || !slices.Equal(got, tt.uris) {
				t.Errorf("%s", b.read("test.m3u8"))
			}
			if !m.Segments[len(m.Segments)-1].Discontinuity {
				t.Error("the new fragment is no discontinuity")
			}
			for _, f := range tt.files {
				b.read(f)
			}
		})
	}
}

func TestALinkToElsewhereIsNotFollowed(t *testing.T) {
	b := newBench(t)
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(b.dir, "test")); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(b.dir)
	cfg.Nested = true
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, eof)
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("wrote %v outside", left)
	}
	if b.logged("can't write") != 1 {
		t.Error("said nothing")
	}
}

func TestALedgerOfLiesDeletesNothingElse(t *testing.T) {
	b := newBench(t)
	b.d.Close()
	b.foreign("keep.txt")
	b.foreign("dir/keep.ts")
	victim := filepath.Join(filepath.Dir(b.dir), "victim.ts")
	if err := os.WriteFile(victim, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	lies := `{"n":"../victim.ts","k":"segment","keep":1,"x":1}
{"n":"keep.txt","k":"segment","keep":1,"x":1}
{"n":"dir","k":"dir","x":1}
{"n":".hidden.ts","k":"segment","keep":1,"x":1}
{"n":"/etc/x.key","k":"key","keep":1,"x":1}
{"n":"x.m3u8","k":"unheard","x":1}
{"n":"torn`
	if err := os.WriteFile(filepath.Join(b.dir, segstore.LedgerName), []byte(lies), 0o644); err != nil {
		t.Fatal(err)
	}
	b.open()
	b.clock.advance(time.Hour)
	b.clean()
	if _, err := os.Stat(victim); err != nil {
		t.Error(err)
	}
	if got := b.files(); !slices.Equal(got, []string{"dir/keep.ts", "keep.txt"}) {
		t.Errorf("left %v", got)
	}
}

func TestTheLedgerDoesNotGrowWithoutEnd(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	s := mediatest.NewScript(t)
	s.Audio, s.GOP, s.Frame = nil, 2*time.Second, time.Second
	s.Play(45 * time.Minute)
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if i%4 == 0 {
			b.clean()
		}
	}})
	info, err := os.Stat(filepath.Join(b.dir, segstore.LedgerName))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 300<<10 {
		t.Errorf("ledger of %d bytes", info.Size())
	}
}
