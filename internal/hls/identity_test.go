package hls

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// consistent fails the test if a playlist names what is not there, or HTTP is
// shown another one than the disk has.
func (b *bench) consistent(playlist string) {
	b.Helper()
	data := b.read(playlist)
	if f, ok := b.d.Lookup(playlist); !ok || string(f.Body) != string(data) {
		b.Errorf("HTTP has %q (%t), the disk\n%s", f.Body, ok, data)
	}
	for _, e := range b.playlist(playlist).Segments {
		name := filepath.Join(filepath.Dir(playlist), e.URI)
		if len(b.read(name)) == 0 {
			b.Errorf("%s is empty", name)
		}
		if _, ok := b.d.Lookup(name); !ok {
			b.Errorf("HTTP does not know %s", name)
		}
	}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func TestAPathThatIsReplacedUnderUsIsFollowed(t *testing.T) {
	for name, replace := range map[string]func(b *bench){
		"renamed and made anew": func(b *bench) {
			b.must(os.Rename(b.dir, b.dir+".old"))
			b.must(os.Mkdir(b.dir, 0o755))
		},
		"renamed":            func(b *bench) { b.must(os.Rename(b.dir, b.dir+".old")) },
		"deleted":            func(b *bench) { b.must(os.RemoveAll(b.dir)) },
		"deleted with above": func(b *bench) { b.must(os.RemoveAll(filepath.Dir(b.dir))) },
		"another link": func(b *bench) {
			b.must(os.Rename(b.dir, b.dir+".old"))
			b.must(os.Mkdir(b.dir+".new", 0o755))
			b.must(os.Symlink(b.dir+".new", b.dir))
		},
		"with fragments of a stranger": func(b *bench) {
			b.must(os.Rename(b.dir, b.dir+".old"))
			b.must(os.Mkdir(b.dir, 0o755))
			b.foreign("test-6.ts")
		},
	} {
		for _, change := range []struct {
			name string
			file string
			cfg  func(*config.HLS)
		}{
			{"plain", "test.m3u8", func(*config.HLS) {}},
			{"nested with keys", "test/index.m3u8", func(c *config.HLS) {
				c.Nested = true
				c.Keys = &config.Keys{Path: value.Path(filepath.Join(string(c.Path), "keys")), FragmentsPerKey: 0}
			}},
			{"event", "test.m3u8", func(c *config.HLS) { c.Type = "event" }},
		} {
			t.Run(name+", "+change.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				cfg := testConfig(b.dir)
				change.cfg(&cfg)
				s := mediatest.NewScript(t).Play(40 * time.Second)
				p := b.packager("test", cfg)
				next, replaced := 0, false
				b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
					switch at := s.Packets[i].DTS; {
					case at >= 13*time.Second && !replaced:
						replaced = true
						m := b.playlist(change.file)
						next = m.MediaSequence + len(m.Segments)
						replace(b)
					case at >= 14100*time.Millisecond && i%40 == 0: // the first cut after it
						b.consistent(change.file)
						if m := b.playlist(change.file); m.MediaSequence+len(m.Segments) <= next {
							t.Fatalf("the numbers go back:\n%s", b.read(change.file))
						}
						if k := b.playlist(change.file).Segments[0].Key; k != nil {
							b.read(filepath.Join("keys/test", filepath.Base(k.URI)))
						}
					}
				}})
				m := b.playlist(change.file)
				if n := strings.Count(string(b.read(change.file)), "#EXT-X-DISCONTINUITY\n") + *m.DiscontinuitySequence; n != 1 {
					t.Errorf("%d discontinuities:\n%s", n, b.read(change.file))
				}
				if st := p.Snapshot(); st.Lost != 0 || st.Errors != 0 || st.Failing != "" {
					t.Errorf("%+v", st)
				}
				if got := b.logged("hls path was replaced"); got != 1 {
					t.Errorf("logged %d times: %v", got, b.logs.All())
				}
			})
		}
	}
}

func TestFragmentsDeletedUnderUsLeaveThePlaylist(t *testing.T) {
	for name, del := range map[string]func(b *bench, listed []string) (left int){
		"all": func(b *bench, listed []string) int {
			all, err := filepath.Glob(b.dir + "/*")
			b.must(err)
			for _, f := range all {
				b.must(os.RemoveAll(f))
			}
			return 0
		},
		"all, the ledger too": func(b *bench, listed []string) int {
			all, err := os.ReadDir(b.dir)
			b.must(err)
			for _, f := range all {
				b.must(os.RemoveAll(filepath.Join(b.dir, f.Name())))
			}
			return 0
		},
		"the oldest": func(b *bench, listed []string) int {
			b.must(os.Remove(filepath.Join(b.dir, listed[0])))
			return len(listed) - 1
		},
		"one in the middle": func(b *bench, listed []string) int {
			b.must(os.Remove(filepath.Join(b.dir, listed[2])))
			return len(listed) - 3
		},
		"emptied": func(b *bench, listed []string) int {
			b.must(os.Truncate(filepath.Join(b.dir, listed[1]), 0))
			return len(listed) - 2
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := testConfig(b.dir)
			s := mediatest.NewScript(t).Play(40 * time.Second)
			left, deleted := 0, false
			b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
				switch at := s.Packets[i].DTS; {
				case at >= 15*time.Second && !deleted:
					deleted = true
					left = del(b, b.playlist2("test.m3u8"))
				case at >= 16100*time.Millisecond && at < 18*time.Second:
					if got := len(b.playlist2("test.m3u8")); got != left+1 {
						t.Fatalf("%d entries, want %d:\n%s", got, left+1, b.read("test.m3u8"))
					}
					fallthrough
				case at >= 18*time.Second:
					b.consistent("test.m3u8")
				}
			}})
			m := b.playlist("test.m3u8")
			if m.MediaSequence+len(m.Segments) != 20 {
				t.Errorf("the numbers do not go on:\n%s", b.read("test.m3u8"))
			}
			if got := b.logged("deleted under us"); got != 1 && name != "the oldest" { // which leaves at that time anyway
				t.Errorf("logged %d times", got)
			}
		})
	}
}

// The directory can't be used when the server starts, or is exchanged for one
// that can't: nothing is written elsewhere, and all goes on once it can.
func TestADirectoryThatCannotBeUsedIsTriedAgain(t *testing.T) {
	for _, why := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EACCES, syscall.EIO, syscall.EMFILE} {
		for _, audioOnly := range []bool{false, true} {
			b := newBench(t)
			b.d.Close()
			broken := true
			b.fault = func(op, _ string) error {
				if broken && op == "open" {
					return why
				}
				return nil
			}
			b.open()
			cfg := testConfig(b.dir)
			s := mediatest.NewScript(t)
			if audioOnly {
				s.Video = nil
			}
			s.Play(60 * time.Second)
			p := b.packager("test", cfg)
			b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
				switch at := s.Packets[i].DTS; {
				case at > time.Second && at < 15*time.Second:
					if st := p.Snapshot(); !strings.Contains(st.Failing, why.Error()) || st.FailingSince.IsZero() {
						t.Fatalf("%v: the snapshot says %+v", why, st)
					}
				case at > 15*time.Second:
					broken = false
				}
				if i%20 == 0 {
					b.d.Look()
				}
			}})
			if got := b.logged("can't be used"); got != 1 {
				t.Errorf("%v: logged %d times", why, got)
			}
			if got := b.logged("can be used"); got != 1 {
				t.Errorf("%v: logged %d times that it is over", why, got)
			}
			if st := p.Snapshot(); st.Failing != "" || !st.FailingSince.IsZero() || st.Segments < 14 {
				t.Errorf("%v: %+v", why, st)
			}
			first := b.read(b.files()[0])
			if video, _ := mediatest.Markers(t, first); !audioOnly && (len(video) != 50 || !s.Packets[video[0]].Keyframe) {
				t.Errorf("%v: the first fragment is no whole group of pictures: %d", why, len(video))
			}
		}
	}
}

func TestNothingGoesIntoADirectoryThatWasMovedAway(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	s := mediatest.NewScript(t).Play(60 * time.Second)
	p := b.packager("test", cfg)
	replaced := 0
	var old []string
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		switch at := s.Packets[i].DTS; {
		case at >= 13*time.Second && replaced == 0:
			replaced++
			b.must(os.Rename(b.dir, b.dir+".old"))
			b.must(os.WriteFile(b.dir, nil, 0o644)) // a file in its place
			old = (&bench{TB: t, dir: b.dir + ".old"}).files()
		case at >= 17*time.Second && at < 30*time.Second:
			if _, ok := b.d.Lookup("test.m3u8"); ok {
				t.Fatal("HTTP goes on to serve a playlist whose fragments are nowhere")
			}
			if p.Snapshot().Failing == "" {
				t.Fatal("the snapshot does not say that it fails")
			}
		case at >= 30*time.Second && replaced == 1:
			replaced++
			if got := (&bench{TB: t, dir: b.dir + ".old"}).files(); !slices.Equal(got, old) {
				t.Errorf("written to the old directory: %v, before %v", got, old)
			}
			b.must(os.Remove(b.dir))
			b.must(os.Rename(b.dir+".old", b.dir)) // the very directory is back
		}
	}})
	b.consistent("test.m3u8")
	if st := p.Snapshot(); st.Failing != "" {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(string(b.read("test.m3u8")), "#EXT-X-DISCONTINUITY\n"); n > 1 {
		t.Errorf("%d discontinuities in\n%s", n, b.read("test.m3u8"))
	}
}

func TestADirectoryNobodyWritesToIsLookedAt(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(8*time.Second).Packets, eof)
	b.must(os.Remove(filepath.Join(b.dir, "test.m3u8")))
	b.d.Look()
	if _, ok := b.d.Lookup("test.m3u8"); ok {
		t.Error("a playlist that was deleted is still served")
	}
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(8*time.Second).Packets, eof)
	if m := b.playlist("test.m3u8"); m.MediaSequence != 4 {
		t.Errorf("the numbers go back:\n%s", b.read("test.m3u8"))
	}

	b.must(os.Rename(b.dir, b.dir+".old"))
	b.d.Look()
	if _, ok := b.d.Lookup("test.m3u8"); ok {
		t.Error("a playlist that was moved away is still served")
	}
	if _, err := os.Stat(b.dir); err == nil {
		t.Error("a directory is in the way of whoever moves another one there")
	}
	b.must(os.Rename(b.dir+".old", b.dir))
	b.d.Look()
	b.consistent("test.m3u8")

	b.must(os.Rename(b.dir, b.dir+".old"))
	b.must(os.Mkdir(b.dir, 0o755))
	b.d.Look()
	if names := b.d.Streams(); len(names) != 0 {
		t.Errorf("streams %v in an empty directory", names)
	}
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(8*time.Second).Packets, eof)
	b.consistent("test.m3u8")
	if got := len(b.files()); got != 5 {
		t.Errorf("files %v", b.files())
	}
	for range 2 {
		b.clock.advance(10 * time.Minute)
		b.clean()
	}
	if got := b.files(); len(got) != 0 || !b.d.Empty() {
		t.Errorf("left %v", got)
	}
}

func TestRunLooksByItself(t *testing.T) {
	b := newBench(t)
	b.run(b.packager("test", testConfig(b.dir)), mediatest.NewScript(t).Play(8*time.Second).Packets, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.d.Run(ctx) }()
	b.must(os.RemoveAll(b.dir))
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, ok := b.d.Lookup("test.m3u8"); !ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a directory that is gone is still served")
		}
	}
	cancel()
	b.must(<-done)
}

func TestTheMasterPlaylistComesBackWithItsRenditions(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Variants = []config.Variant{{Suffix: "_low"}}
	s := mediatest.NewScript(t).Play(20 * time.Second)
	moved := false
	b.runFeed(b.packager("show_low", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		switch at := s.Packets[i].DTS; {
		case at >= 9*time.Second && !moved:
			moved = true
			b.must(os.RemoveAll(b.dir))
		case at >= 10100*time.Millisecond:
			b.consistent("show_low.m3u8")
			if f, ok := b.d.Lookup("show.m3u8"); !ok || string(f.Body) != string(b.read("show.m3u8")) {
				t.Fatal("no multivariant playlist")
			}
		}
	}})
}

func TestKeysPathsAreFollowedAsWell(t *testing.T) {
	b := newBench(t)
	keys := filepath.Join(t.TempDir(), "keys")
	cfg := testConfig(b.dir)
	cfg.Keys = &config.Keys{Path: value.Path(keys)}
	s := mediatest.NewScript(t).Play(30 * time.Second)
	moved := false
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		switch at := s.Packets[i].DTS; {
		case at >= 13*time.Second && !moved:
			moved = true
			b.must(os.RemoveAll(keys))
		case at >= 14100*time.Millisecond:
			for _, e := range b.playlist("test.m3u8").Segments {
				if _, err := os.Stat(filepath.Join(keys, e.Key.URI)); err != nil {
					t.Fatalf("an entry without its key: %v", err)
				}
				if _, ok := b.d.LookupKey(filepath.Join(keys, e.Key.URI)); !ok {
					t.Fatalf("HTTP does not know the key %s", e.Key.URI)
				}
			}
		}
	}})
}

// A reload to a path that can't be used now is not forgotten.
func TestASettingThatCannotBeHadIsTriedAgain(t *testing.T) {
	b := newBench(t)
	other := filepath.Join(t.TempDir(), "other")
	broken := true
	d, err := openDirectory(other, packager.DirectoryOptions{Log: zap.NewNop(), Now: b.clock.Now, Fault: func(op, _ string) error {
		if broken && op == "open" {
			return syscall.EROFS
		}
		return nil
	}})
	b.must(err)
	defer d.Close()
	s := mediatest.NewScript(t).Play(40 * time.Second)
	cfg := testConfig(b.dir)
	p := b.packager("test", cfg)
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		at := s.Packets[i].DTS
		if i > 0 && at >= 9*time.Second && s.Packets[i-1].DTS < 9*time.Second {
			next := cfg
			next.Path = value.Path(other)
			p.Reconfigure(d.Settings(next), d.Directory)
		}
		if at >= 13*time.Second && at < 20*time.Second {
			if st := p.Snapshot(); !strings.Contains(st.Failing, "read-only") || st.Path != b.dir {
				t.Fatalf("%+v", st)
			}
			b.consistent("test.m3u8")
		}
		broken = at < 20*time.Second
	}})
	if st := p.Snapshot(); st.Failing != "" || st.Path != other || st.Lost != 0 || st.Segments != 20 {
		t.Errorf("%+v", st)
	}
	if got := b.logged("keeps its old settings"); got != 1 {
		t.Errorf("logged %d times", got)
	}
}

func TestAFullDiskDoesNotKeepALedgerFromBeingRead(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(8*time.Second).Packets, nil)
	b.d.Close()
	full := true
	b.fault = func(op, _ string) error {
		if full && (op == "write" || op == "ledger") {
			return syscall.ENOSPC
		}
		return nil
	}
	b.open()
	b.consistent("test.m3u8")
	full = false
	for range 2 {
		b.clock.advance(10 * time.Minute)
		b.clean()
	}
	if got := b.files(); len(got) != 0 {
		t.Errorf("left %v", got)
	}
}

func TestAPathThatIsNoDirectoryIsAnErrorOfItsOwn(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(file, "hls"), filepath.Join(filepath.Dir(file), strings.Repeat("x", 300))} {
		if _, err := openDirectory(path, packager.DirectoryOptions{}); err == nil {
			t.Error(fmt.Sprint(path, " is a directory"))
		}
	}
}
