package interop

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// levelsPage is hlsjsPage whose levels are switched by hand, from the lowest on.
const levelsPage = `<!doctype html><title>hls.js</title><body data-url="%s">
<video muted playsinline width=640 height=360></video>
<script src="/hls.js/hls.min.js"></script>
<script>
window.fatal = [];
const hls = new Hls({ startLevel: 0 });
hls.on(Hls.Events.ERROR, (_, d) => { if (d.fatal) fatal.push(d.type + " " + d.details); });
hls.on(Hls.Events.MANIFEST_PARSED, () => document.querySelector("video").play());
hls.loadSource(document.body.dataset.url);
hls.attachMedia(document.querySelector("video"));
</script>`

// loopback is an address of this machine that no other process listens on: commands of
// exec must know the port before rtmpd has it.
func loopback() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 64+loopbacks.Add(1), pid>>8&255, 1+pid&127)
}

var loopbacks atomic.Int32

// A process is a line of /proc.
type process struct {
	pid, parent, group int
	name               string
}

// processes are all that there are, but for dead ones that process 1 has to reap.
func processes(t *testing.T) (out []process) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		s := string(b)
		begin, end := strings.IndexByte(s, '('), strings.LastIndexByte(s, ')')
		f := strings.Fields(s[end+2:])
		p := process{name: s[begin+1:end] + " " + f[0]}
		p.pid, _ = strconv.Atoi(s[:begin-1])
		p.parent, _ = strconv.Atoi(f[1])
		p.group, _ = strconv.Atoi(f[2])
		if f[0] != "Z" || p.parent != 1 {
			out = append(out, p)
		}
	}
	return out
}

// children are the processes, zombies too, that a process has started.
func children(t *testing.T, of int) (out []string) {
	for _, p := range processes(t) {
		if p.parent == of {
			out = append(out, p.name)
		}
	}
	return out
}

// group are the members of a process group.
func group(t *testing.T, id int) (out []int) {
	for _, p := range processes(t) {
		if p.group == id {
			out = append(out, p.pid)
		}
	}
	return out
}

// runExample starts rtmpd with an example, on addresses and in directories of the test's
// own.
func runExample(t *testing.T, name, address string, replace ...string) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	b, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	replace = append(replace, "/nginx", s.dir+"/www", "127.0.0.1", address, "rtmp {\n", "rtmp {\n  listen = \""+address+":1935\"\n",
		"http {\n", "http {\n  listen = \"127.0.0.1:0\"\n  location \"/health\" {\n    health {}\n  }\n")
	text := fmt.Sprintf("state_dir = %q\nruntime_dir = %q\n", s.dir+"/state", s.dir+"/run") + strings.NewReplacer(replace...).Replace(string(b))
	s.run(t, text)
	return s
}

// examples/adaptive.hcl as it stands: ffmpeg makes three renditions of what another
// ffmpeg publishes, and hls.js switches between them. Nothing runs once the stream is over.
func TestTheAdaptiveExample(t *testing.T) {
	t.Parallel()
	tool(t, "ffmpeg")
	address := loopback()
	s := runExample(t, "adaptive.hcl", address, "fragment        = \"3s\"", "fragment = \"1s\"")
	pid := s.pid(t)
	publisher := command(t, 3*time.Minute, "ffmpeg", "-v", "error", "-re",
		"-f", "lavfi", "-i", "testsrc2=size=640x360:rate=15", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "15", "-b:v", "1M", "-c:a", "aac", "-ac", "2", "-f", "flv", "rtmp://"+address+"/live/cam")
	in, err := publisher.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := publisher.Start(); err != nil {
		t.Fatal(err)
	}
	master := "http://" + s.http + "/hls/cam.m3u8"
	var text string
	eventually(t, time.Minute, "three variants", func() bool {
		body, err := get(master)
		text = string(body)
		return err == nil && strings.Count(text, "#EXT-X-STREAM-INF") == 3
	})
	for _, suffix := range []string{"_low", "_mid", "_src"} {
		if !strings.Contains(text, "cam"+suffix+".m3u8") {
			t.Errorf("no %s in\n%s", suffix, text)
		}
	}
	for _, size := range []string{"480x270", "720x40", "640x360"} {
		if !strings.Contains(text, "RESOLUTION="+size) {
			t.Errorf("no %s in\n%s", size, text)
		}
	}

	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("testdata/vendor")))
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, levelsPage, html.EscapeString(master)) })
	site := httptest.NewServer(mux)
	defer site.Close()
	page := open(t, site.URL+"/page")
	first := page.firstFrame(t)
	for _, width := range []int{480, 640, 720, 480} {
		ask := func(js string) (got int) {
			if err := chromedp.Run(page.ctx, chromedp.Evaluate(js, &got)); err != nil {
				t.Fatalf("ask the page: %v", err)
			}
			return got
		}
		if level := ask(fmt.Sprintf(`hls.nextLevel = hls.levels.findIndex((l) => l.width == %d)`, width)); level < 0 {
			t.Fatalf("hls.js has no level that is %d wide", width)
		}
		eventually(t, time.Minute, fmt.Sprintf("a picture %d wide", width), func() bool {
			shown := ask(`document.querySelector("video").videoWidth`) // ffmpeg keeps the aspect ratio to the last pixel
			return shown >= width && shown <= width+4 || len(page.state(t).Fatal) > 0
		})
		before := page.state(t)
		eventually(t, time.Minute, "it plays on", func() bool {
			now := page.state(t)
			return now.Time > before.Time+1 && now.Decoded > before.Decoded+5 || len(now.Fatal) > 0
		})
	}
	last := page.state(t)
	t.Logf("%+v at first, %+v at last", first, last)
	if len(last.Fatal) > 0 {
		t.Errorf("fatal: %s", last.Fatal)
	}

	if n := len(children(t, pid)); n != 1 {
		t.Errorf("%d programs run beside one stream: %v", n, children(t, pid))
	}
	_, _ = in.Write([]byte("q"))
	_ = publisher.Wait() // stopped in the middle
	eventually(t, 90*time.Second, "no program is left", func() bool { return len(children(t, pid)) == 0 })
	eventually(t, time.Minute, "the renditions end", func() bool {
		for _, suffix := range []string{"_low", "_mid", "_src"} {
			body, err := get("http://" + s.http + "/hls/cam" + suffix + ".m3u8")
			if err != nil || !strings.Contains(string(body), "#EXT-X-ENDLIST") {
				return false
			}
		}
		return true
	})
}

// pid is that of the running rtmpd: the oldest, for one that is about to be a program
// looks the same.
func (s *server) pid(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("pgrep", "-o", "-f", regexp.QuoteMeta(filepath.Join(s.dir, "rtmpd.hcl"))).Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatalf("pgrep: %q", out)
	}
	return pid
}

// execConfig has programs of every long-running kind, of which one ignores TERM.
const execConfig = `
state_dir        = "%[1]s/state"
runtime_dir      = "%[1]s/run"
shutdown_timeout = "4s"
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    exec "static" "forks" {
      command = ["sh", "-c", "sleep 1000 & sleep 1000 & echo $$$$ >%[1]s/static; wait"]
    }
    exec "push" "stubborn" {
      command      = ["sh", "-c", "trap '' TERM; echo $$$$ >%[1]s/push; while :; do sleep 1; done"]
      kill_timeout = "1h"
    }
    exec "publish" "slow" {
      command = ["sh", "-c", "echo $$$$ >%[1]s/publish; sleep 1000"]
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/health" {
    health {}
  }
}
`

// A stop ends every program within shutdown_timeout; a kill of rtmpd itself takes those
// along that it has started.
func TestAStopLeavesNoProgram(t *testing.T) {
	t.Parallel()
	beside := together(t)
	defer beside.Wait()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		beside.Run(signal.String(), func(t *testing.T) {
			s := &server{dir: t.TempDir(), log: new(lockedBuffer)}
			path := filepath.Join(s.dir, "rtmpd.hcl")
			if err := os.WriteFile(path, fmt.Appendf(nil, execConfig, s.dir), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(rtmpd, "run", "-c", path)
			cmd.Stdout, cmd.Stderr = s.log, s.log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			t.Cleanup(func() { _ = cmd.Process.Kill(); keep(t, "rtmpd.log", []byte(s.log.String())) })
			s.rtmp = listensAt(t, s.log.String, "rtmp", 1)[0]
			background(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10", "-c:v", "libx264", "-f", "flv", s.rtmpURL("cam")))
			var pids []int
			eventually(t, 90*time.Second, "all programs run", func() bool {
				pids = nil
				for _, name := range []string{"static", "push", "publish"} {
					b, _ := os.ReadFile(filepath.Join(s.dir, name))
					if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
						pids = append(pids, pid)
					}
				}
				return len(pids) == 3
			})
			begun := time.Now()
			_ = cmd.Process.Signal(signal)
			err := <-ended
			took := time.Since(begun)
			if signal == syscall.SIGTERM && (err != nil || took > 6*time.Second) {
				t.Errorf("it ended with %v after %s, shutdown_timeout is 4 s", err, took)
			}
			for _, pid := range pids {
				eventually(t, 90*time.Second, fmt.Sprintf("program %d is gone", pid), func() bool {
					return len(group(t, pid)) == 0 || signal == syscall.SIGKILL && !slices.Contains(group(t, pid), pid)
				})
			}
		})
	}
}

// edgeConfig has a camera that a program publishes from the start on, and films that a
// program publishes while somebody watches.
const edgeConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"
rtmp {
  listen = "%[2]s:1935"
  application "camera" {
    exec "static" "cam2" {
      command         = "ffmpeg -nostdin -loglevel info -re -i %[1]s/clip.flv -c copy -f flv rtmp://%[2]s/camera/cam2"
      log             = "%[1]s/cam2.log"
      respawn_timeout = "100ms"
    }
  }
  application "ondemand" {
    idle_streams    = false
    reconnect_grace = "0s"
    exec "pull" "film" {
      command = "ffmpeg -nostdin -loglevel error -re -stream_loop -1 -i %[1]s/$name.flv -c copy -f flv rtmp://%[2]s/$app/$name"
      streams = ["clip"]
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/health" {
    health {}
  }
}
`

// A camera runs from the start on and is started again when its file ends; a film runs
// while somebody watches it.
func TestProgramsThatPublish(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=10:duration=3",
		"-c:v", "libx264", "-g", "10", "-f", "flv", filepath.Join(s.dir, "clip.flv")))
	address := loopback()
	s.run(t, fmt.Sprintf(edgeConfig, s.dir, address))
	pid := s.pid(t)
	frames := func(url string, n int) string {
		return output(t, command(t, time.Minute, "ffprobe", "-v", "error", "-read_intervals", fmt.Sprintf("%%+#%d", n), "-select_streams", "v",
			"-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", url))
	}
	// Longer than its file: the program was started again meanwhile.
	if got := strings.TrimSpace(frames("rtmp://"+address+"/camera/cam2", 45)); got != "45" {
		t.Errorf("the camera has %s frames", got)
	}
	if log, _ := os.ReadFile(filepath.Join(s.dir, "cam2.log")); strings.Count(string(log), "Input #0") < 2 {
		t.Errorf("its log says\n%s", tail(string(log), 20))
	}
	before := len(children(t, pid))
	if got := strings.TrimSpace(frames("rtmp://"+address+"/ondemand/clip", 20)); got != "20" {
		t.Errorf("the film has %s frames", got)
	}
	eventually(t, 90*time.Second, "the film ends with its last player", func() bool { return len(children(t, pid)) <= before })
	if !strings.Contains(s.log.String(), "pull film") {
		t.Errorf("the log does not say that it ran:\n%s", tail(s.log.String(), 20))
	}
}
