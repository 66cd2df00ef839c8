package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// formats are those of recordings.
var formats = []string{"flv", "mp4", "mkv", "ts"}

// recorders is a configuration with one recorder of each format.
func recorders(dir, more string) string {
	var blocks strings.Builder
	for _, f := range formats {
		fmt.Fprintf(&blocks, "    record %q {\n      path = \"%s/records\"\n      format = %q\n      min_free = 0\n%s\n    }\n", f, dir, f, more)
	}
	return strings.Replace(fmt.Sprintf(serverConfig, dir), "    hls {", blocks.String()+"\n    hls {", 1)
}

// recorded waits until n files are finished and returns the names of those of a
// stream and format, oldest first.
func (s *server) recorded(t *testing.T, stream, format string) (files []string) {
	t.Helper()
	eventually(t, 90*time.Second, "recordings of "+stream+" are finished", func() bool {
		files = files[:0]
		for line := range strings.Lines(s.log.String()) {
			if strings.Contains(line, "recording finished") && strings.Contains(line, `"`+stream+`"`) {
				if _, path, ok := strings.Cut(line, `"path": "`); ok {
					path, _, _ = strings.Cut(path, `"`)
					if strings.HasSuffix(path, "."+format) {
						files = append(files, path)
					}
				}
			}
		}
		return len(files) > 0
	})
	return files
}

// probed is what ffprobe finds in a file.
type probed struct {
	Streams []struct {
		CodecType string `json:"codec_type"`
		CodecName string `json:"codec_name"`
		Frames    string `json:"nb_read_frames"`
		Packets   string `json:"nb_read_packets"`
	}
	Format struct {
		Duration string `json:"duration"`
		Start    string `json:"start_time"`
	}
}

func probeRecording(t *testing.T, file string) (p probed) {
	t.Helper()
	out := succeed(t, command(t, time.Minute, "ffprobe", "-v", "error", "-count_frames", "-count_packets", "-show_streams", "-show_format", "-of", "json", file))
	if err := json.Unmarshal([]byte(out), &p); err != nil {
		t.Fatalf("%s: %v\n%s", file, err, out)
	}
	return p
}

// packets counts those of a kind.
func (p *probed) packets(kind string) (n int) {
	for _, s := range p.Streams {
		if s.CodecType == kind {
			m, _ := strconv.Atoi(s.Packets)
			n += m
		}
	}
	return n
}

func (p *probed) seconds() float64 {
	d, _ := strconv.ParseFloat(p.Format.Duration, 64)
	return d
}

// clip makes an FLV file with pictures out of order, or what more says.
func clip(t *testing.T, seconds int, more ...string) (file string, tags []flvTag) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "in.flv")
	args := []string{
		"-nostdin", "-v", "error", "-f", "lavfi", "-i", fmt.Sprintf("testsrc2=size=320x180:rate=30:duration=%d", seconds),
		"-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=440:sample_rate=44100:duration=%d", seconds),
		"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k",
	}
	succeed(t, command(t, time.Minute, "ffmpeg", append(append(args, more...), "-f", "flv", file)...))
	for _, tag := range flvTags(t, file) {
		if tag.kind != tagScript {
			tags = append(tags, tag)
		}
	}
	return file, tags
}

// A recording has every frame that was published, decodes to the same pictures and
// sounds, and can be sought in.
func TestRecordingsHaveWhatWasPublished(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, recorders(s.dir, ""))
	beside := together(t)
	defer beside.Wait()
	for name, more := range map[string][]string{
		"b-frames": nil,
		"mp3":      {"-c:a", "libmp3lame"},
		"no-sound": {"-an"},
		"no-video": {"-vn"},
		"no-bs":    {"-bf", "0", "-tune", "zerolatency"},
	} {
		beside.Run(name, func(t *testing.T) {
			source, tags := clip(t, 8, more...)
			publishTags(t, s, name, tags)
			want := probeRecording(t, source)
			for _, format := range formats {
				files := s.recorded(t, name, format)
				if len(files) != 1 {
					t.Errorf("%s: %v", format, files)
				}
				got := probeRecording(t, files[0])
				for _, kind := range []string{"video", "audio"} {
					n := want.packets(kind)
					if g := got.packets(kind); g != n {
						t.Errorf("%s: %d packets of %s, want %d", format, g, kind, n)
					}
					if n > 0 && !slices.Equal(sums(t, files[0], kind[:1]), sums(t, source, kind[:1])) {
						t.Errorf("%s: %s decodes to something else", format, kind)
					}
				}
				if d := got.seconds(); math.Abs(d-8) > 0.3 {
					t.Errorf("%s: it lasts %.3f s, want 8", format, d)
				}
				if want.packets("video") > 0 {
					checkSeek(t, files[0])
				}
			}
		})
	}
}

// checkSeek demands that ffmpeg, told to begin at 4.5 s, reads from the keyframe at
// 4 s on and shows the picture of 4.5 s.
func checkSeek(t *testing.T, file string) {
	t.Helper()
	cmd := command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-ss", "4.5", "-i", file, "-map", "0:v", "-frames:v", "1", "-f", "framemd5", "-")
	cmd.Stderr = nil
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%s: seek: %v", file, err)
	}
	all := sums(t, file, "v")
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "#") {
			f := strings.Split(line, ",")
			sum := strings.TrimSpace(f[len(f)-1])
			// 135 is at 4.5 s. A transport stream has no index: ffmpeg goes on to the
			// next keyframe there.
			if at := slices.Index(all, sum); (at < 133 || at > 137) && !(at == 150 && strings.HasSuffix(file, ".ts")) {
				t.Errorf("%s: the picture at 4.5 s is that of frame %d", file, at)
			}
			return
		}
	}
	t.Errorf("%s: nothing at 4.5 s", file)
}

// VLC, and for MP4 Chromium, open a recording, know how long it is and seek in it.
func TestPlayersOpenRecordings(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, recorders(s.dir, ""))
	_, tags := clip(t, 12)
	publishTags(t, s, "cam", tags)
	beside := together(t)
	defer beside.Wait()
	for _, format := range formats {
		file := s.recorded(t, "cam", format)[0]
		beside.Run("VLC "+format, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), filepath.Base(file))
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(copied, data, 0o644); err != nil {
				t.Fatal(err)
			}
			for dir := filepath.Dir(copied); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
				_ = os.Chmod(dir, 0o755) // VLC runs as somebody else
			}
			playVLC(t, copied)
		})
	}
	beside.Run("Chromium", func(t *testing.T) {
		seekInChromium(t, s.recorded(t, "cam", "mp4")[0])
	})
}

// seekInChromium has a plain video element open the file over HTTP with ranges.
func seekInChromium(t *testing.T, file string) {
	mux := http.NewServeMux()
	mux.HandleFunc("/video.mp4", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<!doctype html><video id=v muted preload=auto src=/video.mp4></video>`)
	})
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	p := open(t, site.URL)
	var duration float64
	var failure string
	eventually(t, 60*time.Second, "Chromium knows the duration", func() bool {
		if err := chromedp.Run(p.ctx,
			chromedp.Evaluate(`(v => v.error ? v.error.code + " " + v.error.message : "")(document.getElementById("v"))`, &failure),
			chromedp.Evaluate(`(v => v.readyState > 0 && isFinite(v.duration) ? v.duration : 0)(document.getElementById("v"))`, &duration)); err != nil {
			failure = err.Error()
		}
		return duration > 0 || failure != ""
	})
	if failure != "" {
		t.Fatal(failure)
	}
	if math.Abs(duration-12) > 0.2 {
		t.Errorf("Chromium says %.2f s, want 12", duration)
	}
	if err := chromedp.Run(p.ctx, chromedp.Evaluate(`(v => { v.onseeked = () => { v.dataset.at = v.currentTime; v.play() }; v.currentTime = 7.5; return 1 })(document.getElementById("v"))`, new(int))); err != nil {
		t.Fatal(err)
	}
	var state struct {
		At     float64
		Time   float64
		Frames int
		Error  string
	}
	eventually(t, 60*time.Second, "Chromium plays from 7.5 s on", func() bool {
		var text string
		_ = chromedp.Run(p.ctx, chromedp.Evaluate(`(v => JSON.stringify({At: +v.dataset.at || 0, Time: v.currentTime, Frames: v.getVideoPlaybackQuality().totalVideoFrames, Error: v.error ? v.error.message : ""}))(document.getElementById("v"))`, &text))
		_ = json.Unmarshal([]byte(text), &state)
		return state.Error != "" || state.At > 0 && state.Time > 8 && state.Frames > 5
	})
	if state.Error != "" || state.At < 7.4 || state.At > 7.6 {
		t.Errorf("%+v", state)
	}
}

// After kill -9 in the middle, every format opens and has all but the last second.
func TestRecordingsOfAKilledServer(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	path := filepath.Join(s.dir, "rtmpd.hcl")
	if err := os.WriteFile(path, []byte(recorders(s.dir, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(rtmpd, "run", "-c", path)
	s.log = new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	defer func() {
		if !killed {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}()
	s.rtmp = listensAt(t, s.log.String, "rtmp", 1)[0]
	source, tags := clip(t, 10)
	for i, tag := range tags {
		if tag.timestamp > 7000 { // the rest is not sent
			tags = tags[:i]
			break
		}
	}
	sent := make([]sentTag, len(tags))
	for i, tag := range tags {
		sent[i] = sentTag{tag, tag.timestamp}
	}
	if err := sendAndStay(t, s, "cam", sent); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	killed = true
	pictures, sounds := sums(t, source, "v"), sums(t, source, "a")
	for _, format := range formats {
		file := filepath.Join(s.dir, "records", "cam."+format)
		for kind, want := range map[string][]string{"v": pictures, "a": sounds} {
			all := 7 * len(want) / 10
			got := sums(t, file, kind)
			// Pictures out of order that refer to one that is lost are lost, too.
			sure := max(len(got)-4, 0)
			if len(got) < all-len(want)/10*3/2 || !slices.Equal(got[:sure], want[:sure]) {
				t.Errorf("%s, %s: %d frames of %d, or others", format, kind, len(got), all)
			}
		}
	}
}

// sendAndStay sends tags in their time and leaves the connection open, so that
// nothing is finished.
func sendAndStay(t *testing.T, s *server, stream string, tags []sentTag) error {
	done := make(chan error, 1)
	last := tags[len(tags)-1]
	more := append(slices.Clone(tags), sentTag{last.flvTag, last.at + 60_000}) // waits a minute
	go func() { done <- sendInTime(t.Context(), s, stream, more, time.Now()) }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Duration(last.at)*time.Millisecond + 300*time.Millisecond):
		return nil
	}
}

// A file that was cut off anywhere still opens and decodes as far as it goes.
func TestRecordingsThatAreCutOff(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, recorders(s.dir, ""))
	source, tags := clip(t, 6)
	want := sums(t, source, "v")
	started := make(chan error, 1)
	sent := make([]sentTag, len(tags))
	for i, tag := range tags {
		sent[i] = sentTag{tag, tag.timestamp}
	}
	go func() { started <- sendAndStay(t, s, "cam", sent) }()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	for _, format := range formats {
		data, err := os.ReadFile(filepath.Join(s.dir, "records", "cam."+format))
		if err != nil {
			t.Fatal(err)
		}
		had := 0
		for _, part := range []float64{0.3, 0.471, 0.62, 0.777, 0.9, 0.9999} {
			cut := filepath.Join(t.TempDir(), "cut."+format)
			if err := os.WriteFile(cut, data[:int(part*float64(len(data)))], 0o600); err != nil {
				t.Fatal(err)
			}
			got := decodedOf(t, cut)
			n := 0
			for n < len(got) && n < len(want) && got[n] == want[n] {
				n++
			}
			if n < had || n < int(part*150)-70 {
				t.Errorf("%s cut at %.2f: %d pictures decode, of %d", format, part, n, len(want))
			}
			had = n
		}
	}
}

// decodedOf is sums of pictures, of a file that ends in the middle of something.
func decodedOf(t *testing.T, file string) (frames []string) {
	cmd := command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "quiet", "-i", file, "-map", "0:v", "-vsync", "passthrough", "-enc_time_base", "-1", "-f", "framemd5", "-")
	var out bytes.Buffer
	cmd.Stdout = &out
	_ = cmd.Run()
	for line := range strings.Lines(out.String()) {
		if !strings.HasPrefix(line, "#") {
			f := strings.Split(line, ",")
			frames = append(frames, strings.TrimSpace(f[len(f)-1]))
		}
	}
	return frames
}
