package hls

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"weak"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Players may ask for a version at any time, also when the stream has gone on: it is what it
// was when it was published.
func TestAVersionIsWhatItWasWhenItWasPublished(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*config.HLS){
		func(*config.HLS) {},
		func(cfg *config.HLS) { cfg.Type = "event" },
		func(cfg *config.HLS) { cfg.PlaylistLength, cfg.DVR = 4*sec, time.Minute },
		nil, // it is reloaded now and then
	} {
		texts := func(late bool) (all []string) {
			b := newBench(t)
			cfg := lowConfig(b.dir)
			cfg.PlaylistLength = 6 * sec
			if change != nil {
				change(&cfg)
			}
			p := b.packager("test", cfg)
			var versions []*segstore.Edition
			var readers sync.WaitGroup
			s := mediatest.NewScript(t).Play(24 * sec)
			b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
				if change == nil && i%200 == 199 {
					cfg.PlaylistLength += sec
					cfg.BaseURL = []value.Base{"", "https://cdn.example/live/"}[i/200%2]
					p.Reconfigure(b.d.Settings(cfg), b.d.Directory)
				}
				f, ok := b.d.Lookup("test-video.m3u8")
				if !ok || f.Low.Newest() == nil || slices.Contains(versions, f.Low.Newest()) {
					return
				}
				e := f.Low.Newest()
				versions = append(versions, e)
				switch {
				case !late:
					e.Body()
				case len(versions)%2 == 0: // while the stream goes on; the others when it has ended
					readers.Go(func() { e.Body() })
				}
			}})
			readers.Wait()
			for _, e := range versions {
				all = append(all, string(e.Body())+string(e.Delta()))
			}
			return all
		}
		want, got := texts(false), texts(true)
		if len(want) < 70 {
			t.Errorf("%d versions", len(want))
		}
		if !slices.Equal(got, want) {
			t.Errorf("asked for later they are others")
		}
	}
}

// What a version is made of, and with it the stream, goes when the stream has ended: the files
// stay for long, those of an event for ever.
func TestAStreamThatHasEndedKeepsNoPackager(t *testing.T) {
	t.Parallel()
	for _, change := range []func(*config.HLS){
		func(*config.HLS) {}, func(cfg *config.HLS) { cfg.Type = "event" }, func(cfg *config.HLS) { cfg.Endlist = false },
	} {
		b := newBench(t)
		cfg := lowConfig(b.dir)
		change(&cfg)
		s := mediatest.NewScript(t).Play(12 * sec)
		packagerOf := func() weak.Pointer[packager.Packager] {
			p := b.packager("test", cfg)
			b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof})
			return weak.Make(p)
		}
		p := packagerOf()
		deadline := time.Now().Add(time.Minute)
		for p.Value() != nil && time.Now().Before(deadline) {
			runtime.GC()
			runtime.Gosched()
		}
		if p.Value() != nil {
			t.Errorf("type %q, endlist %v: it is still in memory", cfg.Type, cfg.Endlist)
		}
		runtime.KeepAlive(b)
	}
}
