package hls

import (
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// With dvr a second playlist names more than the one that players open, over restarts,
// and both end together.
func TestASecondPlaylistGoesFurtherBack(t *testing.T) {
	for _, c := range []struct{ name, format, live, dvr string }{
		{"MPEG-TS", "mpegts", "cam.m3u8", "cam-dvr.m3u8"},
		{"fragmented MP4", "fmp4", "cam-video.m3u8", "cam-dvr-video.m3u8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.Format, cfg.PlaylistLength, cfg.DVR = c.format, 6*time.Second, 30*time.Second
			s := mediatest.NewScript(t).Play(60 * time.Second)
			b.run(b.packager("cam", cfg), s.Packets, nil)
			again := mediatest.NewScript(t).Play(8 * time.Second)
			b.run(b.packager("cam", cfg), again.Packets, eof)
			segments := func(name string) []string {
				var out []string
				for line := range strings.Lines(string(b.read(name))) {
					if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
						out = append(out, line)
					}
				}
				return out
			}
			live, dvr := segments(c.live), segments(c.dvr)
			if text := string(b.read(c.dvr)); strings.Count(text, "#EXT-X-DISCONTINUITY\n") != 1 {
				t.Errorf("the playlist of dvr does not go on:\n%s", text)
			}
			if len(live) < 3 || len(live) > 8 || len(dvr) < 2*len(live) || strings.Join(dvr[len(dvr)-len(live):], " ") != strings.Join(live, " ") {
				t.Fatalf("the playlist has %v, that of dvr %v", live, dvr)
			}
			for _, name := range dvr {
				b.read(name)
			}
			for _, name := range []string{c.live, c.dvr} {
				if !strings.Contains(string(b.read(name)), "#EXT-X-ENDLIST") {
					t.Errorf("%s does not end", name)
				}
			}
			if c.format == "fmp4" && !strings.Contains(string(b.read("cam-dvr.m3u8")), "cam-dvr-video.m3u8\n") {
				t.Errorf("%s", b.read("cam-dvr.m3u8"))
			}
		})
	}
}
