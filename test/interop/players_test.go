package interop

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPlayers has one encoder publish and everybody watch it at once.
func TestPlayers(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitLive(t, "test")
	url := s.hlsURL("test")

	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, play := range map[string]func(*testing.T, string){
			"Chromium with hls.js":   func(t *testing.T, url string) { playInChromium(t, hlsjsPage, url).quiet(t) },
			"Chromium with video.js": func(t *testing.T, url string) { playInChromium(t, videojsPage, url).quiet(t) },
			"VLC":                    playVLC,
			"mpv":                    playMPV,
			"GStreamer hlsdemux":     playGStreamer,
			"ffmpeg":                 playFFmpeg,
		} {
			beside.Run(name, func(t *testing.T) {
				play(t, url)
			})
		}
	})
}

// ffmpegLive publishes a picture and a tone in real time until it is killed, the
// way OBS would: H.264 and AAC, a keyframe a second.
func ffmpegLive(t *testing.T, url string) *exec.Cmd {
	return command(t, 5*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re",
		"-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30",
		"-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
		"-g", "30", "-keyint_min", "30", "-sc_threshold", "0", "-b:v", "600k",
		"-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "flv", url)
}

// playVLC decodes pictures and keeps some of them; VLC is also a validator of
// PAT and PMT.
func playVLC(t *testing.T, url string) {
	cmd := command(t, 60*time.Second, "vlc", "-I", "dummy", "--no-dbus", "--vout", "dummy", "--aout", "dummy", "-vv",
		"--video-filter", "scene", "--scene-path", ".", "--scene-ratio", "15", "--scene-format", "png",
		"--play-and-exit", url, "vlc://quit")
	home := unprivileged(t, cmd) // the directory it runs in
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var pictures []string
	// Its own --run-time counts from the stream's beginning with DASH, not from its own.
	for over := false; !over; {
		select {
		case <-ended:
			over = true
		case <-time.After(200 * time.Millisecond):
		}
		var err error
		if pictures, err = filepath.Glob(filepath.Join(home, "*.png")); err != nil {
			t.Fatal(err)
		}
		if !over && len(pictures) >= 14 { // of 7 s, with 30 a second
			_ = cmd.Cancel()
			<-ended
			over = true
		}
	}
	out := log.String()
	keep(t, "vlc.log", []byte(out))
	if len(pictures) < 2 {
		t.Errorf("VLC decoded %d pictures of every 15th, want at least 2\n%s", len(pictures), tail(out, 20))
	} else if data, err := os.ReadFile(pictures[len(pictures)-1]); err == nil {
		keep(t, "picture.png", data)
	}
	if n := strings.Count(out, "libdvbpsi error"); n > 0 {
		t.Errorf("VLC complains %d times: %s", n, regexp.MustCompile(`.*libdvbpsi error.*`).FindString(out))
	}
}

func playMPV(t *testing.T, url string) {
	out := output(t, command(t, 60*time.Second, "mpv", "--no-config", "--vo=null", "--ao=null", "--length=4", url))
	if !regexp.MustCompile(`AV: 00:00:0[3-9]`).MatchString(out) {
		t.Errorf("mpv did not play 3 s of sound and picture:\n%s", tail(out, 20))
	}
}

// playGStreamer counts decoded pictures. Both pads are linked, else the pipeline
// ends with not-linked.
func playGStreamer(t *testing.T, url string) {
	out := outputUntil(t, command(t, 90*time.Second, "gst-launch-1.0", "-v", // live: it never ends by itself
		"souphttpsrc", "location="+url, "!", "hlsdemux", "!", "tsdemux", "name=d",
		"d.", "!", "queue", "!", "h264parse", "!", "avdec_h264", "!", "identity", "eos-after=120", "!", "fakesink", "silent=false", "sync=false",
		"d.", "!", "queue", "!", "aacparse", "!", "fakesink", "sync=false"), func(out string) bool { return gstPictures(out) >= 100 })
	if n := gstPictures(out); n < 12 {
		t.Errorf("GStreamer decoded %d pictures, want at least 12 of 120\n%s", n, tail(out, 20))
	}
}

func playFFmpeg(t *testing.T, url string) {
	out := succeed(t, command(t, 60*time.Second, "ffmpeg", "-nostdin", "-rw_timeout", "5000000", "-i", url, "-t", "4", "-f", "null", "-"))
	n := 0
	for _, m := range regexp.MustCompile(`frame= *(\d+)`).FindAllStringSubmatch(out, -1) {
		n, _ = strconv.Atoi(m[1])
	}
	if n < 100 {
		t.Errorf("ffmpeg decoded %d frames of 4 s at 30 a second\n%s", n, tail(out, 20))
	}
}
