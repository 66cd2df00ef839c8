package hls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

func TestVariantBase(t *testing.T) {
	cfg := config.HLS{Variants: []config.Variant{{Suffix: "_low"}, {Suffix: "_hd"}, {Suffix: "d"}}}
	for _, tt := range []struct {
		name, base string
		ok         bool
	}{
		{"show_low", "show", true},
		{"show_hd", "show", true},
		{"_low", "", false},
		{"show", "", false},
		{"ad", "a", true},
		{"low", "", false},
	} {
		if base, ok := VariantBase(cfg, tt.name); base != tt.base || ok != tt.ok {
			t.Errorf("%s: got %q %t, want %q %t", tt.name, base, ok, tt.base, tt.ok)
		}
	}
}

func (b *bench) master(name string) m3u8.Multivariant {
	b.Helper()
	var m m3u8.Multivariant
	if err := m.Unmarshal(b.read(name)); err != nil {
		b.Fatalf("%v in\n%s", err, b.read(name))
	}
	return m
}

func variants(dir string) config.HLS {
	cfg := testConfig(dir)
	cfg.Variants = []config.Variant{
		{Suffix: "_low"},
		{Suffix: "_hd", Bandwidth: 5_000_000, AverageBandwidth: 4_000_000, Resolution: "1x2", Codecs: "avc1.640028", FrameRate: 59.94},
	}
	return cfg
}

func TestMasterListsTheRenditionsThatAreThere(t *testing.T) {
	for _, nested := range []bool{false, true} {
		t.Run(fmt.Sprintf("nested %t", nested), func(t *testing.T) {
			b := newBench(t)
			cfg := variants(b.dir)
			cfg.Nested = nested
			low := mediatest.NewScript(t)
			low.Size = 2000
			low.Play(8 * time.Second)
			b.run(b.packager("show_low", cfg), low.Packets, nil)
			m := b.master("show.m3u8")
			if len(m.Variants) != 1 {
				t.Fatalf("%s", b.read("show.m3u8"))
			}
			got := m.Variants[0]
			// 25 frames of 2 kB a second and the overhead of MPEG-TS.
			if got.Bandwidth < 400_000 || got.Bandwidth > 500_000 || got.AverageBandwidth == nil || *got.AverageBandwidth > got.Bandwidth {
				t.Errorf("bandwidth %d", got.Bandwidth)
			}
			if strings.Join(got.Codecs, ",") != "avc1.640028,mp4a.40.2" || got.Resolution != "1920x1080" || *got.FrameRate != 25 {
				t.Errorf("%s", b.read("show.m3u8"))
			}
			uri := "show_low.m3u8"
			if nested {
				uri = "show_low/index.m3u8"
			}
			if got.URI != uri {
				t.Errorf("URI %s, want %s", got.URI, uri)
			}

			hd := mediatest.NewScript(t).Play(4 * time.Second)
			b.run(b.packager("show_hd", cfg), hd.Packets, nil)
			m = b.master("show.m3u8")
			if len(m.Variants) != 2 || m.Variants[0].URI != uri {
				t.Fatalf("%s", b.read("show.m3u8"))
			}
			if text := string(b.read("show.m3u8")); !strings.Contains(text, `BANDWIDTH=5000000,AVERAGE-BANDWIDTH=4000000,CODECS="avc1.640028",RESOLUTION=1x2,FRAME-RATE=59.940,CLOSED-CAPTIONS=NONE`+"\n") {
				t.Errorf("what the config says is not there:\n%s", text)
			}
			f, ok := b.d.Lookup("show.m3u8")
			if !ok || f.Kind != segstore.Master || f.Stream != "show" || string(f.Body) != string(b.read("show.m3u8")) {
				t.Errorf("lookup %+v", f)
			}
			for range 3 {
				b.clock.advance(time.Minute)
				b.clean()
			}
			if got := b.files(); len(got) != 0 || !b.d.Empty() {
				t.Errorf("left %v", got)
			}
		})
	}
}

func TestMasterIsWrittenOnlyWhenItChanges(t *testing.T) {
	b := newBench(t)
	writes := 0
	b.fault = func(op, name string) error {
		if op == "rename" && name == "show.m3u8" {
			writes++
		}
		return nil
	}
	s := mediatest.NewScript(t)
	s.Size = 1000
	b.run(b.packager("show_low", variants(b.dir)), s.Play(120*time.Second).Packets, nil)
	if writes < 1 || writes > 5 {
		t.Errorf("written %d times for 60 fragments of one kind", writes)
	}
}

func TestARenditionThatHasGoneLeavesTheMaster(t *testing.T) {
	b := newBench(t)
	cfg := variants(b.dir)
	b.run(b.packager("show_low", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, eof)
	s := mediatest.NewScript(t)
	s.Play(60 * time.Second)
	b.runFeed(b.packager("show_hd", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(int) { b.clean() }})
	if m := b.master("show.m3u8"); len(m.Variants) != 1 || m.Variants[0].URI != "show_hd.m3u8" {
		t.Errorf("%s", b.read("show.m3u8"))
	}
}

func TestAStreamUnderTheBaseNameKeepsItsPlaylist(t *testing.T) {
	b := newBench(t)
	cfg := variants(b.dir)
	s := mediatest.NewScript(t)
	s.Play(20 * time.Second)
	b.runFeed(b.packager("show", cfg), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if i == len(s.Packets)/2 {
			b.run(b.packager("show_low", cfg), mediatest.NewScript(t).Play(4*time.Second).Packets, nil)
		}
	}})
	b.playlist("show.m3u8")
	if b.logged("multivariant playlist not written") != 1 {
		t.Error("said nothing")
	}
}

func TestMeasuredBandwidthIsThePeakOfWholeTargetDurations(t *testing.T) {
	var m measured
	tracks := [2]*media.Track{{CodecString: "avc1.4d001f", FrameRate: 30}}
	add := func(d time.Duration, size, frames int) {
		m.measure(&packager.Segment{Files: [2]packager.File{{Size: size, Lasts: d}}}, &segmenter.Segment{Duration: d, Frames: frames, Tracks: tracks}, 4)
	}
	add(4*time.Second, 500_000, 120)
	if m.bandwidth() != 1_000_000 || m.average() != 1_000_000 || m.frameRate != 30 {
		t.Errorf("%+v", m)
	}
	add(100*time.Millisecond, 100_000, 3)                // 8 Mb/s, but not for long
	if want := int64(1_170_732); m.bandwidth() != want { // with what was before
		t.Errorf("a tenth of a second made the peak %d, want %d", m.bandwidth(), want)
	}
	add(4*time.Second, 900_000, 120)
	if want := int64(1_951_219); m.bandwidth() < want || m.bandwidth() > want+1 {
		t.Errorf("peak %d, want %d", m.bandwidth(), want)
	}
}

func TestMeasuredFrameRate(t *testing.T) {
	for _, tt := range []struct{ measured, want float64 }{{29.9, 29.97}, {30.05, 30}, {25.1, 25}, {13.7, 13.7}, {59.9, 59.94}} {
		if got := usual(tt.measured); off(got, tt.want) > 0.0001 {
			t.Errorf("%v: got %v, want %v", tt.measured, got, tt.want)
		}
	}
}
