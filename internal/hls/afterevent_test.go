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
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// pictures are of so many seconds: a segment every two.
func pictures(t *testing.T, seconds int) []*media.Packet {
	s := mediatest.NewScript(t)
	s.Audio, s.Frame = nil, time.Second
	return s.Play(time.Duration(seconds) * time.Second).Packets
}

// becomesLive runs an event that a reload makes a live stream after so many seconds, and
// calls each every second.
func (b *bench) becomesLive(cfg config.HLS, packets []*media.Packet, after int, each func(second int)) {
	b.Helper()
	event, live := cfg, cfg
	event.Type, live.Type = "event", "live"
	p := b.packager("show", event)
	b.runFeed(p, &feed{packets: packets, clock: b.clock, stop: eof, each: func(i int) {
		if i == after {
			p.Reconfigure(b.d.Settings(live), b.d.Directory)
		}
		each(i)
	}})
}

// It has what playlist_length and dvr promise at once.
func TestALiveStreamThatWasAnEventIsAsLongAsPromised(t *testing.T) {
	const length = 10 * time.Minute
	for list, set := range map[string]func(*config.HLS){
		"show.m3u8":     func(c *config.HLS) { c.PlaylistLength = length },
		"show-dvr.m3u8": func(c *config.HLS) { c.DVR = length },
	} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		set(&cfg)
		b.becomesLive(cfg, pictures(t, 1500), 1400, func(second int) {
			if second != 1410 {
				return
			}
			var sum time.Duration
			for _, s := range b.playlist(list).Segments {
				sum += s.Duration
			}
			if sum < length || sum > 2*length {
				t.Errorf("%s is %v long, want %v", list, sum, length)
			}
		})
	}
}

// A segment stays for as long as the longest playlist that named it was (RFC 8216 §6.2.2).
func TestFilesOfALiveStreamThatWasAnEventStay(t *testing.T) {
	b := newBench(t)
	b.becomesLive(testConfig(b.dir), pictures(t, 2000), 1400, func(second int) {
		b.clean()
		if second != 1900 { // within 1400 s after it left the playlist
			return
		}
		for _, name := range []string{"show-690.ts", "show-10.ts"} {
			if _, err := os.Stat(filepath.Join(b.dir, name)); err != nil {
				t.Error(err)
			}
		}
	})
}

// What stays of an event can be played: its initialisation section, or its key, stays too.
func TestWhatStaysOfAnEventCanBePlayed(t *testing.T) {
	for name, set := range map[string]func(*config.HLS){
		"fmp4": func(c *config.HLS) { c.Format = "fmp4" },
		"keys": func(c *config.HLS) {
			c.Keys = &config.Keys{Path: value.Path(filepath.Join(string(c.Path), "keys")), URL: "/keys/"}
		},
	} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " restart ", restart), func(t *testing.T) {
				b := newBench(t)
				cfg := testConfig(b.dir)
				set(&cfg)
				packets := pictures(t, 600)
				if restart {
					event := cfg
					event.Type = "event"
					b.run(b.packager("show", event), packets[:400], nil)
					b.reopen()
					b.run(b.packager("show", cfg), packets[400:], eof)
				} else {
					b.becomesLive(cfg, packets, 400, func(int) {})
				}
				for range 3 {
					b.clock.advance(24 * time.Hour)
					b.clean()
				}
				media, needed := 0, 0
				for _, f := range b.files() {
					switch filepath.Ext(f) {
					case ".ts", ".m4s":
						media++
					case ".mp4", ".key":
						needed++
					}
				}
				if media < 100 || needed != 1 {
					t.Errorf("%d segments stay, and %d initialisation sections or keys; want at least 100 and 1", media, needed)
				}
			})
		}
	}
}

// Two applications used the path one after the other: whose a file is decides who may have
// it, and it is not known of all.
func TestThePastIsNotAnotherApplications(t *testing.T) {
	for name, c := range map[string]struct {
		first, second string
		kind          string // of the second
	}{
		"an event, then a live stream whose files stay": {"open", "vip", "live"},
		"two events": {"vip", "open", "event"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Type, cfg.Cleanup = "event", false
			run := func(app, kind string, packets []*media.Packet) {
				cfg.Type = kind
				p, err := b.d.NewPackager(app, "cam", cfg, b.log)
				if err != nil {
					t.Fatal(err)
				}
				b.runFeed(p, &feed{packets: packets, clock: b.clock, stop: eof, each: func(int) { b.clean() }})
			}
			packets := pictures(t, 800)
			run(c.first, "event", packets[:400])
			if f, ok := b.d.Lookup("cam-10.ts"); !ok || f.App != c.first {
				t.Errorf("%+v, %v", f, ok)
			}
			run(c.second, c.kind, packets[400:])
			b.clock.advance(24 * time.Hour)
			b.clean()
			for n := range 400 {
				file, of := fmt.Sprintf("cam-%d.ts", n), c.first
				if n >= 200 {
					of = c.second
				}
				if len(b.read(file)) == 0 {
					t.Error(file, "is empty")
				}
				if f, ok := b.d.Lookup(file); ok && f.App != of {
					t.Fatalf("%s, which %s wrote, is of %s", file, of, f.App)
				}
			}
		})
	}
}

// The directory of the keys is replaced by a copy of it: all segments of a long playlist keep
// theirs.
func TestKeysOfALongPlaylistStayInAnotherDirectory(t *testing.T) {
	b := newBench(t)
	keys := filepath.Join(t.TempDir(), "keys")
	cfg := testConfig(b.dir)
	cfg.DVR = 20 * time.Minute
	cfg.Keys = &config.Keys{Path: value.Path(keys), URL: "/keys/", FragmentsPerKey: 1}
	b.runFeed(b.packager("show", cfg), &feed{packets: pictures(t, 1100), clock: b.clock, stop: nil, each: func(i int) {
		if i == 1000 {
			if err := os.Rename(keys, keys+".old"); err != nil {
				t.Fatal(err)
			}
			if err := os.CopyFS(keys, os.DirFS(keys+".old")); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 1 {
			b.clean()
		}
	}})
	if n := strings.Count(string(b.read("show-dvr.m3u8")), "#EXTINF:"); n != 550 || b.logged("deleted under us") > 0 {
		t.Errorf("%d segments are left of 550", n)
	}
}
