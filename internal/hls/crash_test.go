package hls

import (
	"errors"
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
	"github.com/rtmpd/rtmpd/internal/segstore"
)

var errKilled = errors.New("killed")

// killAfter lets n steps happen; a write that is cut off leaves half a file.
// From there on nothing happens any more, as after kill -9.
func killAfter(n int) func(op, name string) error {
	left := n
	return func(op, _ string) error {
		left--
		switch {
		case left >= 0:
			return nil
		case left == -1 && op == "write":
			return segstore.ErrTorn
		}
		return errKilled
	}
}

func TestKilledAtAnyStepThePlaylistStaysValidAndGoesOn(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		cfg        func(*config.HLS)
	}{
		{"plain", "test.m3u8", func(*config.HLS) {}},
		{"nested with keys", "test/index.m3u8", func(c *config.HLS) {
			c.Nested = true
			c.Keys = &config.Keys{Path: value.Path(filepath.Join(string(c.Path), "keys")), FragmentsPerKey: 2}
		}},
		{"variant", "test_low.m3u8", func(c *config.HLS) { c.Variants = []config.Variant{{Suffix: "_low"}} }},
	} {
		steps := 0
		crash(t, tt.file, tt.cfg, func(string, string) error { steps++; return nil })
		if steps < 40 {
			t.Fatalf("%s: only %d steps", tt.name, steps)
		}
		stride := 1
		if testing.Short() {
			stride = 4
		}
		for n := 0; n < steps; n += stride {
			t.Run(fmt.Sprintf("%s after %d steps", tt.name, n), func(t *testing.T) {
				t.Parallel()
				crash(t, tt.file, tt.cfg, killAfter(n))
			})
		}
	}
}

// crash runs a stream into a fault, restarts, and looks at it all the while as
// a viewer does.
func crash(t *testing.T, file string, change func(*config.HLS), fault func(op, name string) error) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.PlaylistLength = 4 * time.Second
	change(&cfg)
	name := "test"
	if len(cfg.Variants) > 0 {
		name = "test_low"
	}
	foreign := b.foreign(name + "-900000.ts")
	v := newViewer(t, b.dir, file)
	s := mediatest.NewScript(t)
	s.Frame, s.Audio = 200*time.Millisecond, nil
	s.Play(14 * time.Second)
	b.fault = fault
	b.runFeed(b.packager(name, cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) { v.poll() }})
	v.poll()

	b.fault = nil
	b.reopen()
	v.poll()
	for _, f := range b.files() {
		if strings.HasSuffix(f, ".tmp") {
			t.Errorf("half a file is left: %s", f)
		}
	}
	before := v.versions
	body, _ := os.ReadFile(filepath.Join(b.dir, file))
	found := strings.Contains(string(body), "#EXTINF")
	s.Packets, s.Epoch = nil, 1
	s.Play(7 * time.Second)
	b.runFeed(b.packager(name, cfg), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) {
		b.clean()
		v.poll()
	}})
	v.poll()
	goesOn := 0 // no line of the first run
	if found {
		goesOn = 1
	}
	if n := b.logs.FilterMessage("hls playlist goes on").Len(); n != goesOn {
		t.Errorf("%d lines say that a playlist goes on, want %d", n, goesOn)
	}
	if v.versions < before+3 {
		t.Errorf("%d playlists after the restart", v.versions-before)
	}
	for range 4 {
		b.clock.advance(time.Minute)
		b.clean()
	}
	if got := b.files(); !slices.Equal(got, []string{foreign}) {
		t.Errorf("clean-up left %v", got)
	}
	if !b.d.Empty() {
		t.Error("the directory says it is not empty")
	}
}

func TestOneFailedStepIsSurvivedWithoutARestart(t *testing.T) {
	for n := range 60 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.PlaylistLength = 4 * time.Second
			cfg.Cleanup = false
			v := newViewer(t, b.dir, "test.m3u8")
			s := mediatest.NewScript(t)
			s.Frame = 200 * time.Millisecond
			s.Play(20 * time.Second)
			step := 0
			b.fault = func(op, _ string) error {
				step++
				if step != n+1 {
					return nil
				}
				if op == "write" {
					return segstore.ErrTorn
				}
				return syscall.EIO
			}
			p := b.packager("test", cfg)
			b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) { v.poll() }})
			v.poll()
			v.check(s.Packets, p.Snapshot())
			if st := p.Snapshot(); st.Failing != "" || st.Segments+st.Lost != 10 {
				t.Errorf("%+v", st)
			}
			for _, f := range b.files() {
				if strings.HasSuffix(f, ".tmp") {
					t.Errorf("half a file is left: %s", f)
				}
			}
		})
	}
}

func TestAFullDiskIsSaidOnceAndRecoversByItself(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	v := newViewer(t, b.dir, "test.m3u8")
	s := mediatest.NewScript(t)
	s.Frame = 100 * time.Millisecond
	s.Play(120 * time.Second)
	full := false
	attempts := 0
	b.fault = func(op, _ string) error {
		if full && op == "write" {
			attempts++
			return syscall.ENOSPC
		}
		return nil
	}
	p := b.packager("test", cfg)
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		at := s.Packets[i].DTS
		full = at > 20*time.Second && at < 80*time.Second
		if at > 79*time.Second && at < 80*time.Second && p.Snapshot().Failing == "" {
			t.Error("stat does not say that the output can't write")
		}
		v.poll()
	}})
	v.poll()
	if got := b.logged("can't write"); got != 1 {
		t.Errorf("logged %d times that it can't write", got)
	}
	if got := b.logged("writes again"); got != 1 {
		t.Errorf("logged %d times that it writes again", got)
	}
	if attempts > 8 {
		t.Errorf("%d attempts in a minute: no back-off", attempts)
	}
	if st := p.Snapshot(); st.Failing != "" || st.Lost < 25 || st.Lost > 50 {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(string(v.last), "#EXT-X-DISCONTINUITY\n"); n > 1 {
		t.Errorf("%d discontinuities in\n%s", n, v.last)
	}
	if got := v.discs[v.seq+4]; got != 1 {
		t.Errorf("discontinuity sequence %d after one gap", got)
	}
}

func TestADirectoryDeletedUnderUsIsMadeAnew(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	s := mediatest.NewScript(t).Play(40 * time.Second)
	b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if i == len(s.Packets)/3 {
			if err := os.RemoveAll(b.dir); err != nil {
				t.Fatal(err)
			}
		}
	}})
	m := b.playlist("test.m3u8")
	for _, e := range m.Segments[len(m.Segments)-5:] {
		if len(b.read(e.URI)) == 0 {
			t.Errorf("%s is empty", e.URI)
		}
	}
}

func TestAPathThatCannotBeWrittenIsAClearError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := openDirectory(filepath.Join(file, "hls"), packager.DirectoryOptions{Log: zap.NewNop()})
	if err == nil || !strings.Contains(err.Error(), "hls path "+file) {
		t.Errorf("got %v", err)
	}
}
