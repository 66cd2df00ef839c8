package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/testport"
)

// pushedConfig is serverConfig with push blocks in the place of %%s.
func pushedConfig(s *server, pushes string) string {
	return fmt.Sprintf(strings.Replace(serverConfig, "    hls {", "%[2]s\n    hls {", 1), s.dir, pushes)
}

// makeClip has ffmpeg make an FLV file of some seconds of H.264 and AAC.
func makeClip(t *testing.T, seconds int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.flv")
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error",
		"-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x180:rate=25:duration=%d", seconds), "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=44100:duration=%d", seconds),
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-f", "flv", path))
	return path
}

// sameFrames demands that a file has the frames of another, all of them.
func sameFrames(t *testing.T, what, got, want string) {
	t.Helper()
	for _, kind := range []string{"v", "a"} {
		if g, w := sums(t, got, kind), sums(t, want, kind); len(w) == 0 || !slices.Equal(g, w) {
			t.Errorf("%s, %s: %d frames, or others, want %d", what, kind, len(g), len(w))
		}
	}
}

// nginx-rtmp and ffmpeg are sent every frame that is published; a server that is
// not there disturbs neither.
func TestPushToNginxAndFFmpeg(t *testing.T) {
	t.Parallel()
	nginx := startNginx(t, "application in { live on; record all; record_path $DIR; }", nil)
	listening, received := testport.Address(), filepath.Join(t.TempDir(), "out.flv")
	ffmpeg := command(t, 2*time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-listen", "1", "-timeout", "60", "-i", "rtmp://"+listening+"/app/the-key", "-map", "0", "-c", "copy", received)
	if err := ffmpeg.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{dir: t.TempDir()}
	s.run(t, pushedConfig(s, fmt.Sprintf(`    push "nginx" {
      url = "rtmp://%s/in"
    }
    push "ffmpeg" {
      url       = "rtmp://%s/app"
      key       = "the-key"
      reconnect = "1s"
    }
    push "nobody" {
      url = "rtmp://%s/app/secret-of-nobody"
    }
    push "another" {
      url     = "rtmp://%[1]s/none"
      streams = ["other*"]
    }
`, nginx.address, listening, testport.Address())))
	clip := makeClip(t, 6)
	publishTags(t, s, "cam", flvTags(t, clip))
	if err := ffmpeg.Wait(); err != nil {
		t.Errorf("ffmpeg: %v", err)
	}
	recorded := filepath.Join(nginx.dir, "cam.flv")
	eventually(t, 90*time.Second, "nginx has closed its recording", func() bool {
		_, err := os.Stat(recorded)
		return err == nil && !isOpen(recorded)
	})
	sameFrames(t, "nginx-rtmp", recorded, clip)
	sameFrames(t, "ffmpeg", received, clip)
	for _, secret := range []string{"the-key", "secret-of-nobody"} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	if log := s.log.String(); !strings.Contains(log, "connection refused") || strings.Contains(log, "another") {
		t.Errorf("the log says nothing of the server that is not there, or something of the push that is not for this stream:\n%s", tail(log, 20))
	}
}

// isOpen reports whether some process has the file open.
func isOpen(path string) bool {
	all, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range all {
		if to, _ := os.Readlink(fd); to == path {
			return true
		}
	}
	return false
}
