package interop

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// packetSums are the checksums of a file's packets as they are: a decoder that begins
// in the middle makes others of the first ones.
func packetSums(t *testing.T, file, kind string) (packets []string) {
	t.Helper()
	out := succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0:"+kind, "-c", "copy", "-f", "framemd5", "-"))
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") {
			f := strings.Split(line, ",")
			packets = append(packets, strings.TrimSpace(f[len(f)-1]))
		}
	}
	return packets
}

// nginx-rtmp is a source: what is published there is played here from the first
// player on, and is in HLS.
func TestPullFromNginx(t *testing.T) {
	t.Parallel()
	nginx := startNginx(t, "application live { live on; }", nil)
	s := &server{dir: t.TempDir()}
	s.run(t, fmt.Sprintf(strings.Replace(serverConfig, "    hls {", `    pull "nginx" {
      url       = "rtmp://%[2]s/live"
      streams   = ["cam"]
      reconnect = "1s"
    }
    hls {`, 1), s.dir, nginx.address))
	clip := makeClip(t, 12)
	played := filepath.Join(t.TempDir(), "played.flv")
	publisher := command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-i", clip, "-c", "copy", "-f", "flv", "rtmp://"+nginx.address+"/live/cam")
	if err := publisher.Start(); err != nil {
		t.Fatal(err)
	}
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-rw_timeout", "30000000", "-i", s.rtmpURL("cam"), "-map", "0:v", "-map", "0:a", "-c", "copy", "-t", "5", "-f", "flv", played))
	for _, kind := range []string{"v", "a"} {
		got, want := packetSums(t, played, kind), packetSums(t, clip, kind)
		from := -1
		if len(got) > 0 {
			from = slices.Index(want, got[0])
		}
		if from < 0 || len(got) < len(want)/4 || !slices.Equal(got, want[from:min(from+len(got), len(want))]) {
			t.Errorf("%s: %d frames from the frame %d of %d on", kind, len(got), from, len(want))
		}
	}
	s.waitPlaylist(t, "cam", "has fragments", 90*time.Second, func(text string) bool { return strings.Contains(text, "#EXTINF") })
	if err := publisher.Wait(); err != nil {
		t.Error(err)
	}
}
