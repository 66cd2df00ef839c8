package interop

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fragmentedConfig is serverConfig with fragmented MP4.
var fragmentedConfig = strings.Replace(serverConfig, "    hls {", "    hls {\n      format          = \"fmp4\"", 1)

// strictPage is hlsjsPage for which every error is fatal.
var strictPage = strings.Replace(hlsjsPage, "if (d.fatal) fatal.push", "fatal.push", 1)

func startFragmented(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(fragmentedConfig, "%[1]s", s.dir))
	return s
}

// waitFragments waits until the video of stream has two fragments.
func (s *server) waitFragments(t *testing.T, stream string) {
	t.Helper()
	s.waitLive(t, stream+"-video")
	s.waitPlaylist(t, stream, "names the media playlists", 90*time.Second, func(text string) bool {
		return strings.Contains(text, stream+"-audio.m3u8")
	})
}

// One encoder publishes fragmented MP4, and everybody watches it at once.
func TestPlayersOfFragmentedMP4(t *testing.T) {
	t.Parallel()
	s := startFragmented(t)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitFragments(t, "test")
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for name, play := range map[string]func(*testing.T, string){
			"Chromium with hls.js":   func(t *testing.T, url string) { playInChromium(t, strictPage, url) },
			"Chromium with video.js": func(t *testing.T, url string) { playInChromium(t, videojsPage, url) },
			"Chromium with Shaka":    func(t *testing.T, url string) { playInChromium(t, shakaPage, url) },
			"VLC":                    playVLC,
			"mpv":                    playMPV,
			"GStreamer hlsdemux":     playGStreamerMP4,
			"ffmpeg":                 playFFmpeg,
		} {
			beside.Run(name, func(t *testing.T) {
				play(t, s.hlsURL("test"))
			})
		}
	})
}

// What a publisher sends is seen and heard alike in fragmented MP4.
func TestFragmentedMP4HasTheSameFrames(t *testing.T) {
	t.Parallel()
	s := startFragmented(t)
	source := []string{
		"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=8", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=8",
		"-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac",
	}
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		name   string
		encode []string
		spoil  func([]sentTag) []sentTag
	}{
		{"plain", []string{"-c:v", "libx264", "-preset", "ultrafast"}, nil},
		{"b-pictures", []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "3"}, nil},
		{"slices-apart", []string{"-c:v", "libx264", "-preset", "ultrafast", "-slices", "4"}, slicesApart},
		{"adts-by-three", []string{"-c:v", "libx264", "-preset", "ultrafast"}, func(tags []sentTag) []sentTag { return intoADTS(tags, 3) }},
	} {
		beside.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "in.flv")
			succeed(t, command(t, time.Minute, "ffmpeg", slices.Concat([]string{"-nostdin", "-v", "error"}, source, c.encode, []string{"-f", "flv", file})...))
			var tags []sentTag
			for _, tag := range flvTags(t, file) {
				if tag.kind != tagScript {
					tags = append(tags, sentTag{tag, tag.timestamp})
				}
			}
			if c.spoil != nil {
				tags = c.spoil(tags)
			}
			if err := sendInTime(t.Context(), s, c.name, tags, time.Now()); err != nil {
				t.Fatal(err)
			}
			s.waitPlaylist(t, c.name+"-audio", "ends with ENDLIST", 90*time.Second, func(text string) bool {
				return strings.Contains(text, "#EXT-X-ENDLIST")
			})
			for _, kind := range []string{"v", "a"} {
				want := sums(t, file, kind)
				if got := sums(t, s.hlsURL(c.name), kind+":0"); !slices.Equal(got, want) {
					t.Errorf("%s: %d frames, or others, want %d", kind, len(got), len(want))
				}
			}
		})
	}
}

// playGStreamerMP4 is playGStreamer for sound and pictures that are in files of their own.
func playGStreamerMP4(t *testing.T, url string) {
	out := outputUntil(t, command(t, 90*time.Second, "gst-launch-1.0", "-v",
		"souphttpsrc", "location="+url, "!", "hlsdemux", "name=h",
		"h.", "!", "queue", "!", "parsebin", "!", "video/x-h264", "!", "avdec_h264", "!", "identity", "eos-after=120", "!", "fakesink", "silent=false", "sync=false",
		"h.", "!", "queue", "!", "parsebin", "!", "audio/mpeg", "!", "fakesink", "sync=false"), func(out string) bool { return gstPictures(out) >= 100 })
	if n := gstPictures(out); n < 12 {
		t.Errorf("GStreamer decoded %d pictures, want at least 12 of 120\n%s", n, tail(out, 20))
	}
}

// What MPEG-TS has no place for is in fragmented MP4, and ffmpeg decodes all of it.
func TestEnhancedRTMPInFragmentedMP4(t *testing.T) {
	t.Parallel()
	s := startFragmented(t)
	beside := together(t)
	defer beside.Wait()
	for file, codecs := range map[string]string{
		"hevc": "hvc1.,mp4a.40.2", "multi": "avc1.,mp4a.40.2", "av1": "av01.,mp4a.40.2", "h264opus": "avc1.,opus", "av1opus": "av01.,opus",
	} {
		beside.Run(file, func(t *testing.T) {
			sent := publishTags(t, s, file, flvTags(t, filepath.Join("../../internal/flv/testdata", file+".flv")))
			first := file
			if file == "multi" { // two video tracks of one size
				first += "_180p"
			}
			s.waitPlaylist(t, first+"-audio", "ends with ENDLIST", 90*time.Second, func(text string) bool {
				return strings.Contains(text, "#EXT-X-ENDLIST")
			})
			main, err := get(s.hlsURL(file))
			if err != nil {
				t.Fatal(err)
			}
			video, audio, _ := strings.Cut(codecs, ",")
			if text := string(main); !strings.Contains(text, `CODECS="`+video) || !strings.Contains(text, audio) || !strings.Contains(text, "RESOLUTION=") {
				t.Errorf("want %s:\n%s", codecs, text)
			}
			if got := len(sums(t, s.hlsURL(file), "v:0")); got != sent.video {
				t.Errorf("%d pictures, want %d", got, sent.video)
			}
			if got := len(packetTimes(t, s.hlsURL(file), "a:0")); got != sent.audio {
				t.Errorf("%d frames of sound, want %d", got, sent.audio)
			}
		})
	}
}
