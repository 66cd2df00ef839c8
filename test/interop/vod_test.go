package interop

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// startVOD runs rtmpd with examples/vod.hcl, as far as it may be on this machine.
func startVOD(t *testing.T) *server {
	t.Helper()
	s := &server{dir: recordings(t)}
	if err := os.Mkdir(filepath.Join(s.dir, "videos"), 0o755); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../examples/vod.hcl")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(
		`"/srv`, `"`+s.dir,
		"rtmp {\n", "state_dir = \""+s.dir+"/state\"\nruntime_dir = \""+s.dir+"/run\"\nrtmp {\nlisten = \"127.0.0.1:0\"\n",
		"http {\n", "http {\nlisten = \"127.0.0.1:0\"\nlocation \"/health\" {\nhealth {}\n}\n",
	).Replace(string(example))
	s.run(t, text)
	return s
}

// film puts 6 s of a clip into dir, as film.flv, film.mp4 and fragmented.mp4.
func film(t *testing.T, dirs ...string) {
	t.Helper()
	file, _ := clip(t, 6)
	for _, dir := range dirs {
		for name, more := range map[string][]string{
			"film.flv": nil, "film.mp4": {"-movflags", "+faststart"}, "fragmented.mp4": {"-movflags", "frag_keyframe+delay_moov+default_base_moof"},
		} {
			args := append([]string{"-nostdin", "-v", "error", "-i", file, "-c", "copy"}, more...)
			succeed(t, command(t, time.Minute, "ffmpeg", append(args, filepath.Join(dir, name))...))
		}
		if err := os.Chmod(dir, 0o755); err != nil { // nginx may run as somebody else
			t.Fatal(err)
		}
	}
}

// copied is what ffmpeg gets of a URL.
func copied(t *testing.T, url string) probed {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.mkv")
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-rw_timeout", "20000000", "-i", url, "-c", "copy", out))
	return probeRecording(t, out)
}

// Players get every frame of a file, as from nginx-rtmp.
func TestFilesBesideNginx(t *testing.T) {
	t.Parallel()
	s := startVOD(t)
	nginx := startNginx(t, "application vod { play $DIR; }", nil)
	film(t, filepath.Join(s.dir, "videos"), nginx.dir)
	want := probeRecording(t, filepath.Join(s.dir, "videos/film.flv"))
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for _, name := range []string{"film", "film.flv", "mp4:film.mp4", "film.mp4", "mp4:fragmented.mp4"} {
			beside.Run(name, func(t *testing.T) {
				theirs := make(chan probed, 1)
				plays := name != "mp4:fragmented.mp4" // nginx-rtmp does not
				go func() {
					defer close(theirs)
					if plays {
						theirs <- copied(t, "rtmp://"+nginx.address+"/vod/"+name)
					}
				}()
				ours := copied(t, "rtmp://"+s.rtmp+"/vod/"+name)
				other := <-theirs
				for _, kind := range []string{"video", "audio"} {
					n, wanted := ours.packets(kind), want.packets(kind)
					t.Logf("%s: %d packets, %d from nginx-rtmp, %d in the file", kind, n, other.packets(kind), wanted)
					if n < wanted-1 || n > wanted || kind == "video" && n != wanted { // MP4 leaves out the priming of AAC
						t.Errorf("%d %s packets, the file has %d", n, kind, wanted)
					}
				}
				if d := ours.seconds() - want.seconds(); d < -0.1 || d > 0.1 {
					t.Errorf("%.2f s, the file has %.2f s", ours.seconds(), want.seconds())
				}
			})
		}
	})
}

// framesShown is how many pictures ffmpeg decoded, by its last line about it.
func framesShown(log string) (n int) {
	for _, m := range regexp.MustCompile(`frame= *(\d+)`).FindAllStringSubmatch(log, -1) {
		n, _ = strconv.Atoi(m[1])
	}
	return n
}

// Players seek in files.
func TestSeekInAFile(t *testing.T) {
	t.Parallel()
	s := startVOD(t)
	film(t, filepath.Join(s.dir, "videos"))
	t.Run("together", func(t *testing.T) {
		beside := together(t)
		defer beside.Wait()
		for _, name := range []string{"film", "mp4:film.mp4", "mp4:fragmented.mp4"} {
			url := "rtmp://" + s.rtmp + "/vod/" + name
			beside.Run("ffmpeg "+name, func(t *testing.T) {
				begin := time.Now()
				out := succeed(t, command(t, 40*time.Second, "ffmpeg", "-nostdin", "-rw_timeout", "20000000", "-ss", "4.5", "-i", url, "-fps_mode", "passthrough", "-f", "null", "-"))
				if n := framesShown(out); n < 44 || n > 46 {
					t.Errorf("%d frames behind 4.5 s, want 45:\n%s", n, tail(out, 20))
				}
				t.Logf("after %s", time.Since(begin))
			})
			beside.Run("mpv "+name, func(t *testing.T) {
				out := succeed(t, command(t, 40*time.Second, "mpv", "--no-config", "--vo=null", "--ao=null", "--start=3", "--length=1", url))
				if !regexp.MustCompile(`AV: 00:00:0[34] / 00:00:0[56]`).MatchString(out) {
					t.Errorf("it does not show what is behind the seek, or not how long the file is:\n%s", tail(out, 20))
				}
			})
		}
		beside.Run("VLC", func(t *testing.T) {
			if p := vlcPlaysRTMP(t, "rtmp://"+s.rtmp+"/vod/film", nil); p.picture == 0 || p.buffered > 5*time.Second {
				t.Errorf("picture after %s, %s buffered\n%s", p.picture, p.buffered, tail(p.output, 20))
			}
		})
	})
}

// A recording is played while it is written, and over HTTP with ranges once it is
// finished.
func TestARecordingIsOnDemand(t *testing.T) {
	t.Parallel()
	s := startVOD(t)
	_, tags := clip(t, 6)
	sent := publishTags(t, s, "cam", tags)
	file := filepath.Join(s.dir, "videos/cam.flv")
	eventually(t, 90*time.Second, "the recording is there", func() bool { st, err := os.Stat(file); return err == nil && st.Size() > 100<<10 })
	got := copied(t, "rtmp://"+s.rtmp+"/vod/cam")
	if n := got.packets("video"); n == 0 || n > sent.video {
		t.Errorf("%d pictures, %d were published", n, sent.video)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+s.http+"/videos/cam.flv", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Range", "bytes=1000-2999")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusPartialContent || !bytes.Equal(body, whole[1000:3000]) || resp.Header.Get("Content-Type") != "video/x-flv" {
		t.Errorf("%s %s, %d bytes, %v", resp.Status, resp.Header.Get("Content-Type"), len(body), err)
	}
	film(t, filepath.Join(s.dir, "videos"))
	out := succeed(t, command(t, 40*time.Second, "ffmpeg", "-nostdin", "-seekable", "1", "-ss", "4.5", "-i", "http://"+s.http+"/videos/film.mp4", "-fps_mode", "passthrough", "-f", "null", "-"))
	if n := framesShown(out); n != 45 {
		t.Errorf("a seek over HTTP shows %d pictures, want 45\n%s", n, tail(out, 20))
	}
}
