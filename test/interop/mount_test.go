//go:build linux

package interop

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// mountOver mounts a file system of its own over dir, and returns what takes it
// off again. Without the right to mount it puts another directory in the place of dir
// and back, which is the same to a program: the path names another directory.
func mountOver(t *testing.T, dir string) (unmount func()) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Logf("mounting is not permitted here (%v): the directory is exchanged", err)
		return exchange(t, dir)
	}
	unmount = func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }
	t.Cleanup(unmount)
	return unmount
}

// exchange puts an empty directory in the place of dir, until undo.
func exchange(t *testing.T, dir string) (undo func()) {
	t.Helper()
	below, over := dir+".below", dir+".over"
	if err := errors.Join(os.Rename(dir, below), os.Mkdir(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	undo = func() {
		once.Do(func() {
			if err := errors.Join(os.Rename(dir, over), os.Rename(below, dir)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(undo)
	return undo
}

// A file system that is mounted over hls.path or the path of recordings while they
// are written has what comes next, and so has what is below it once it is
// unmounted. Viewers find each fragment that a playlist names.
func TestMountedOutputs(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, fmt.Sprintf(recordedConfig, s.dir))
	background(t, command(t, 2*time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10",
		"-f", "lavfi", "-i", "sine=sample_rate=44100", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "20", "-c:a", "aac", "-f", "flv", s.rtmpURL("show")))
	s.waitLive(t, "show")
	live, records := filepath.Join(s.dir, "www", "live"), filepath.Join(s.dir, "records")
	// goesOn waits until the last three fragments, of which the newest is after the
	// one given, are in the directory and can be fetched.
	goesOn := func(what string, after int) (sequence int) {
		t.Helper()
		eventually(t, time.Minute, "HLS goes on "+what, func() bool {
			list, err := get(s.hlsURL("show"))
			if err != nil {
				return false
			}
			var uris []string
			for line := range strings.Lines(string(list)) {
				if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
					uris = append(uris, line)
				}
				_, _ = fmt.Sscanf(line, "#EXT-X-MEDIA-SEQUENCE:%d", &sequence)
			}
			there, _ := filepath.Glob(filepath.Join(live, "*.ts"))
			if sequence += len(uris); len(uris) < 3 || len(there) < 3 || sequence <= after {
				return false
			}
			for _, uri := range uris[len(uris)-3:] {
				if _, err := os.Stat(filepath.Join(live, uri)); err != nil {
					return false
				}
				if _, err := get("http://" + s.http + "/live/" + uri); err != nil {
					return false
				}
			}
			return true
		})
		return sequence
	}
	recorded := func(what string, not []string) (files []string) {
		t.Helper()
		eventually(t, time.Minute, "the recording goes on "+what, func() bool {
			files, _ = filepath.Glob(filepath.Join(records, "*.flv"))
			for _, f := range files {
				if info, err := os.Stat(f); err == nil && info.Size() > 10000 && !strings.Contains(strings.Join(not, "\n"), f) {
					return true
				}
			}
			return false
		})
		return files
	}
	first := goesOn("at first", 0)
	before := recorded("at first", nil)
	off, offRecords := mountOver(t, live), mountOver(t, records)
	second := goesOn("in what is mounted over it", first)
	recorded("in what is mounted over it", nil)
	off()
	offRecords()
	goesOn("in what it was mounted over", second)
	recorded("in what it was mounted over", before)
	if n := strings.Count(s.log.String(), "hls path was replaced"); n != 2 {
		t.Errorf("the log says it %d times, want 2", n)
	}
}

// A configuration directory that another one is mounted over, as Kubernetes and
// some deployments do, is read again.
func TestMountedConfig(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	conf := filepath.Join(s.dir, "conf.d")
	write := func(application string) {
		t.Helper()
		config := strings.Replace(fmt.Sprintf(serverConfig, s.dir), `application "live"`, `application "`+application+`"`, 1)
		if err := os.WriteFile(filepath.Join(conf, "rtmpd.hcl"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(conf, 0o755); err != nil {
		t.Fatal(err)
	}
	write("live")
	s.log = watch(t, exec.Command(rtmpd, "run", "-c", conf))
	s.rtmp, s.http = listensAt(t, s.log.String, "rtmp", 1)[0], listensAt(t, s.log.String, "http", 1)[0]
	reloads := func(n int) func() bool {
		return func() bool { return strings.Count(s.log.String(), "configuration reloaded") >= n }
	}
	// The empty file system is a configuration without a file, for a moment.
	off := mountOver(t, conf)
	write("mounted")
	eventually(t, time.Minute, "what is mounted is read", func() bool {
		return reloads(1)() && strings.Contains(s.log.String(), "mounted")
	})
	off()
	eventually(t, time.Minute, "what is below is read again", reloads(2))
}
