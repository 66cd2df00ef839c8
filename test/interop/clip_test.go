package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A clip of all of a stream has the frames that were published, and Chromium plays it.
func TestClipsHaveTheFrames(t *testing.T) {
	t.Parallel()
	beside := together(t)
	defer beside.Wait()
	for name, start := range map[string]func(*testing.T) *server{"ts": startServer, "mp4": startFragmented} {
		beside.Run(name, func(t *testing.T) {
			s := start(t)
			file := filepath.Join(t.TempDir(), "in.flv")
			succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=8",
				"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=8", "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-f", "flv", file))
			var tags []sentTag
			for _, tag := range flvTags(t, file) {
				if tag.kind != tagScript {
					tags = append(tags, sentTag{tag, tag.timestamp})
				}
			}
			if err := sendInTime(t.Context(), s, "test", tags, time.Now()); err != nil {
				t.Fatal(err)
			}
			list := "test"
			if name == "mp4" {
				list = "test-video"
			}
			s.waitPlaylist(t, list, "ends with ENDLIST", 90*time.Second, func(text string) bool {
				return strings.Contains(text, "#EXT-X-ENDLIST")
			})
			save := func(query string) string {
				body, err := get("http://" + s.http + "/live/test/clip.mp4" + query)
				if err != nil {
					t.Fatal(err)
				}
				clip := filepath.Join(t.TempDir(), "clip.mp4")
				if err := os.WriteFile(clip, body, 0o600); err != nil {
					t.Fatal(err)
				}
				return clip
			}
			whole, all := save("?last=1h"), sums(t, file, "v")
			if got := sums(t, whole, "v"); !slices.Equal(got, all) {
				t.Errorf("%d pictures, or others, want %d", len(got), len(all))
			}
			if got, want := len(packetTimes(t, whole, "a:0")), len(packetTimes(t, file, "a:0")); got != want {
				t.Errorf("%d frames of sound, want %d", got, want)
			}
			if got := sums(t, save("?last=2s"), "v"); len(got) == 0 || len(got) >= len(all) || !slices.Equal(got, all[len(all)-len(got):]) {
				t.Errorf("the end is %d pictures, or others", len(got))
			}
			if name == "ts" {
				page := open(t, "http://"+s.http+"/live/test/clip.mp4?last=1h")
				page.firstFrame(t)
			}
		})
	}
}
