package interop

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// encodeTags has ffmpeg make a stream of some seconds, and returns its file and tags.
func encodeTags(t *testing.T, seconds int, codecs ...string) (file string, tags []sentTag) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "in.flv")
	args := []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x180:rate=25:duration=%d", seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=44100:duration=%d", seconds),
		"-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-pix_fmt", "yuv420p", "-g", "25",
	}
	succeed(t, command(t, time.Minute, "ffmpeg", append(append(args, codecs...), "-f", "flv", file)...))
	for _, tag := range flvTags(t, file) {
		if tag.kind != tagScript {
			tags = append(tags, sentTag{tag, tag.timestamp})
		}
	}
	return file, tags
}

// saved is what viewers of a stream were sent until it ended, by the extension of what
// they asked for.
func saved(t *testing.T, s *server, stream string, tags []sentTag, ext ...string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	published := make(chan error, 1)
	go func() { published <- sendInTime(t.Context(), s, stream, tags, time.Now()) }()
	files := make(map[string]string)
	var viewers sync.WaitGroup
	for _, e := range ext {
		file := filepath.Join(dir, "out"+e)
		files[e] = file
		viewers.Go(func() {
			var r *http.Response
			eventually(t, 90*time.Second, stream+e+" is there", func() bool {
				var err error
				if r, err = http.Get("http://" + s.http + "/live/" + stream + e); err != nil {
					return false
				}
				if r.StatusCode != http.StatusOK {
					_ = r.Body.Close()
				}
				return r.StatusCode == http.StatusOK
			})
			defer r.Body.Close()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("%s%s: %v", stream, e, err)
			}
			if err := os.WriteFile(file, body, 0o600); err != nil {
				t.Error(err)
			}
		})
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	viewers.Wait()
	return files
}

// Every output of examples/progressive.hcl has the frames from a keyframe on, whatever it is
// packed in, and ends with the stream.
func TestProgressiveOutputsHaveTheFrames(t *testing.T) {
	t.Parallel()
	s := runExample(t, "progressive.hcl", loopback())
	beside := together(t)
	defer beside.Wait()
	beside.Run("AAC", func(t *testing.T) {
		source, tags := encodeTags(t, 8, "-c:a", "aac", "-aac_pns", "0") // noise depends on where a decoder began
		files := saved(t, s, "aac", tags, ".flv", ".ts", ".mp4", ".mkv", ".aac")
		for ext, file := range files {
			if ext != ".aac" {
				sameEnd(t, source, file, "v", 3*25)
			}
			sameEnd(t, source, file, "a", 3*43)
		}
	})
	beside.Run("MP3", func(t *testing.T) {
		source, tags := encodeTags(t, 6, "-c:a", "libmp3lame")
		for ext, file := range saved(t, s, "mp3", tags, ".mp3", ".mp4", ".mkv", ".ts") {
			if ext != ".mp3" {
				sameEnd(t, source, file, "v", 2*25)
			}
			if got, want := len(sums(t, file, "a")), len(sums(t, source, "a")); got < want/3 || got > want {
				t.Errorf("%s: %d frames of sound, of %d", ext, got, want)
			}
		}
	})
}

// sameEnd demands that a file has the last frames of the source, least at least.
func sameEnd(t *testing.T, source, file, kind string, least int) {
	t.Helper()
	want, got := sums(t, source, kind), sums(t, file, kind)
	whole := len(got)
	if kind == "a" && len(got) > 0 {
		got = got[1:] // AAC decodes to something else without the frame before it
	}
	if len(got) < least || len(got) > len(want) || !slices.Equal(got, want[len(want)-len(got):]) {
		t.Errorf("%s, %s: %d frames, or others, of %d", filepath.Ext(file), kind, whole, len(want))
	}
}

// WebM is for AV1 and Opus: what came in Enhanced RTMP goes on as it is.
func TestWebMHasTheFrames(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var tags []sentTag
	clip := flvTags(t, "../../internal/flv/testdata/av1opus.flv")
	last := clip[len(clip)-1].timestamp + 40
	for n := uint32(0); n*last < 8000; n++ { // it is short
		for _, tag := range clip {
			if tag.kind != tagScript {
				tag.timestamp += n * last
				tags = append(tags, sentTag{tag, tag.timestamp})
			}
		}
	}
	for ext, file := range saved(t, s, "av1", tags, ".webm", ".mp4", ".flv") {
		if ext == ".flv" {
			continue // this ffmpeg does not read Enhanced RTMP
		}
		out := succeed(t, command(t, time.Minute, "ffprobe", "-v", "error", "-count_packets", "-show_entries", "stream=codec_name,nb_read_packets", "-of", "csv=p=0", file))
		var pictures, sounds int
		if n, err := fmt.Sscanf(out, "av1,%d\nopus,%d", &pictures, &sounds); n != 2 || pictures < 60 || sounds < 60 {
			t.Errorf("%s: %q (%v)", ext, out, err)
		}
	}
}

// Browsers and players play a stream's files while it is on air.
func TestPlayersPlayProgressiveOutputs(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	base := "http://" + s.http + "/live/test"
	eventually(t, 60*time.Second, "the stream is there", func() bool {
		r, err := http.Head(base + ".mp4")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	beside := together(t)
	defer beside.Wait()
	beside.Run("Chromium, a video", func(t *testing.T) {
		watchPage(t, base+".mp4", 5*time.Second)
	})
	beside.Run("Chromium, a radio", func(t *testing.T) {
		site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<audio autoplay muted src="%s.aac"></audio>`, base)
		}))
		t.Cleanup(site.Close)
		page := open(t, site.URL)
		var at float64
		eventually(t, 90*time.Second, "it plays", func() bool {
			page.eval(t, `document.querySelector("audio").currentTime`, &at)
			return at > 2
		})
	})
	beside.Run("mpv", func(t *testing.T) {
		playMPV(t, base+".mkv")
	})
	beside.Run("VLC", func(t *testing.T) {
		playVLC(t, base+".flv")
	})
}
