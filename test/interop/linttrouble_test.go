package interop

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLintThroughTrouble follows a stream whose publisher loses its connection, comes back
// with another coding, and stands still for two seconds.
func TestLintThroughTrouble(t *testing.T) {
	t.Parallel()
	other := filepath.Join(t.TempDir(), "other.flv")
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=20",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=20", "-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast",
		"-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-f", "flv", other))
	second := atTheirTimes(flvTags(t, other))
	var first []sentTag
	for i := range uint32(5) { // longer than the test needs it
		for _, tag := range atTheirTimes(flvTags(t, testcard)) {
			tag.timestamp += i * 16000
			tag.at += i * 16000
			first = append(first, tag)
		}
	}
	for i := range second {
		if second[i].at >= 6000 {
			second[i].at += 2000 // its network does; its clock goes on
		}
	}
	beside := together(t)
	defer beside.Wait()
	for name, config := range map[string]string{"ts": serverConfig, "mp4": fragmentedConfig} {
		beside.Run(name, func(t *testing.T) {
			s := &server{dir: t.TempDir()}
			s.run(t, strings.Replace(strings.ReplaceAll(config, "%[1]s", s.dir), `reconnect_grace = "2s"`, `reconnect_grace = "60s"`, 1))
			ctx, cut := context.WithCancel(t.Context())
			sent := make(chan error, 1)
			go func() {
				if err := sendInTime(ctx, s, "test", first, time.Now()); err != nil {
					sent <- err
					return
				}
				sent <- sendInTime(t.Context(), s, "test", second, time.Now())
			}()
			s.waitLive(t, map[string]string{"ts": "test", "mp4": "test-video"}[name])
			found := make(chan lintReport, 1)
			go func() { found <- lint(t, s.hlsURL("test"), 20*time.Second) }()
			time.Sleep(4 * time.Second) // of the first publisher, while the linter looks
			cut()
			r := <-found
			if err := <-sent; err != nil {
				t.Error(err)
			}
			for _, f := range r.Findings {
				// What is said of a healthy stream, too, or of one that stands still; and the
				// multivariant playlist is of the new coding while the old is still listed.
				if !slices.Contains([]string{"playlist-gzip", "version-too-high", "captions-unknown", "playlist-late", "codecs-profile", "resolution", "frame-rate"}, f.Rule) {
					t.Errorf("%s %s (%s), %s line %d: %s: %s", f.Level, f.Rule, f.Clause, f.URL, f.Line, f.Text, f.Says)
				}
			}
			if text, err := get(s.hlsURL(map[string]string{"ts": "test", "mp4": "test-video"}[name])); err != nil || strings.Count(string(text), "#EXT-X-DISCONTINUITY\n") != 1 {
				t.Errorf("the reconnect is no discontinuity: %v\n%s", err, text)
			}
			if r.Kind != "hls" || r.Checked.Segments < 5 || r.Checked.Updates < 5 {
				t.Errorf("%+v, %q", r, r.Notes)
			}
		})
	}
}

// atTheirTimes sends tags at their own times.
func atTheirTimes(tags []flvTag) (out []sentTag) {
	for _, tag := range tags {
		out = append(out, sentTag{tag, tag.timestamp})
	}
	return out
}
