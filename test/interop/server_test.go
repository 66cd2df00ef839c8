package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A server is one running rtmpd with the application "live", no keys, HLS served
// below /live/, and pages below /live/watch/.
type server struct {
	rtmp, http string // host:port
	dir        string // holds rtmpd.hcl, www/live, access.log
	log        *lockedBuffer
}

const serverConfig = `
state_dir   = "%[1]s/state"
runtime_dir = "%[1]s/run"

rtmp {
  listen = "127.0.0.1:0"

  application "live" {
    reconnect_grace = "2s"

    hls {
      path            = "%[1]s/www/live"
      fragment        = "2s"
      playlist_length = "120s"
    }
  }
}

http {
  listen     = "127.0.0.1:0"
  access_log = "%[1]s/access.log"

  location "/live" {
    root = "%[1]s/www"
  }

  location "/live/watch" {
    player {}
  }

  location "/health" {
    health {}
  }
}
`

// startServer starts rtmpd and waits until it answers. It is stopped with
// SIGTERM at the end of the test and must then end with 0.
func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir()}
	s.run(t, fmt.Sprintf(serverConfig, s.dir))
	return s
}

// run starts rtmpd with a configuration that listens on port 0, once per
// protocol and with a location /health, and waits until it answers.
func (s *server) run(t *testing.T, config string) {
	t.Helper()
	path := filepath.Join(s.dir, "rtmpd.hcl")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.log = watch(t, exec.Command(rtmpd, "run", "-c", path))
	s.rtmp, s.http = listensAt(t, s.log.String, "rtmp", 1)[0], listensAt(t, s.log.String, "http", 1)[0]
	eventually(t, 90*time.Second, "rtmpd answers on "+s.http, func() bool {
		_, err := get("http://" + s.http + "/health")
		return err == nil
	})
}

// watch starts cmd (rtmpd), keeps its log as an artefact and ends it with the
// test. It must end with 0.
func watch(t *testing.T, cmd *exec.Cmd) *lockedBuffer {
	t.Helper()
	log := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // already ended: the next lines say so
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("rtmpd: %v\n%s", err, tail(log.String(), 40))
			}
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
			t.Errorf("rtmpd did not stop within 30 s\n%s", tail(log.String(), 40))
		}
		keep(t, "rtmpd.log", []byte(log.String()))
	})
	return log
}

func (s *server) rtmpURL(stream string) string { return "rtmp://" + s.rtmp + "/live/" + stream }
func (s *server) hlsURL(stream string) string {
	return "http://" + s.http + "/live/" + stream + ".m3u8"
}

// waitPlaylist polls the playlist of stream until it satisfies ok.
func (s *server) waitPlaylist(t *testing.T, stream, what string, limit time.Duration, ok func(string) bool) string {
	t.Helper()
	var text string
	eventually(t, limit, stream+".m3u8 "+what, func() bool {
		body, err := get(s.hlsURL(stream))
		text = string(body)
		return err == nil && ok(text)
	})
	return text
}

// waitLive waits until stream can be played.
func (s *server) waitLive(t *testing.T, stream string) {
	t.Helper()
	s.waitPlaylist(t, stream, "has two fragments", 90*time.Second, func(text string) bool {
		return strings.Count(text, "#EXTINF") >= 2
	})
}

// ended waits until stream has ended and returns the playlist and its fragments.
func (s *server) ended(t *testing.T, stream string) (playlist string, fragments [][]byte) {
	t.Helper()
	playlist = s.waitPlaylist(t, stream, "ends with ENDLIST", 90*time.Second, func(text string) bool {
		return strings.Contains(text, "#EXT-X-ENDLIST")
	})
	for line := range strings.Lines(playlist) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		body, err := get("http://" + s.http + "/live/" + line)
		if err != nil {
			t.Fatalf("fragment of %s: %v", stream, err)
		}
		fragments = append(fragments, body)
	}
	return playlist, fragments
}

// get fetches a URL whole; any status but 200 is an error.
func get(url string) ([]byte, error) {
	client := http.Client{Timeout: 10 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(url + ": " + resp.Status)
	}
	return body, err
}

// listenLine is how rtmpd says where it listens, in both log formats.
var listenLine = regexp.MustCompile(`"for": ?"(rtmp|http)", ?"listener": ?"([^"]+)"`)

// listensAt waits until the log names n listeners of a kind (rtmp or http), and
// returns their addresses in the order of the configuration.
func listensAt(t *testing.T, log func() string, kind string, n int) (addresses []string) {
	t.Helper()
	eventually(t, 90*time.Second, "rtmpd says where it listens", func() bool {
		addresses = nil
		for _, m := range listenLine.FindAllStringSubmatch(log(), -1) {
			if m[1] == kind {
				addresses = append(addresses, m[2])
			}
		}
		return len(addresses) >= n
	})
	return addresses
}

// A lockedBuffer may be read while a process writes it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// shortDir is a directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rtmpd-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
