package hls

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/mediatest"
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
	} {
		texts := func(late bool) (all []string) {
			b := newBench(t)
			cfg := lowConfig(b.dir)
			cfg.PlaylistLength = 6 * sec
			change(&cfg)
			var versions []*segstore.Edition
			var readers sync.WaitGroup
			s := mediatest.NewScript(t).Play(24 * sec)
			b.runFeed(b.packager("test", cfg), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(int) {
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
