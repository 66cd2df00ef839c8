package interop

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const aptLine = "sudo apt-get install --no-install-recommends ffmpeg nginx libnginx-mod-rtmp rtmpdump " +
	"gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad " +
	"gstreamer1.0-plugins-ugly gstreamer1.0-libav vlc-bin vlc-plugin-base chromium mpv haproxy libxml2-utils jq goaccess prometheus"

// tool finds the first of names in the PATH or where Debian keeps daemons. A
// missing tool fails the test: a test that did not run has shown nothing.
func tool(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if path, err := exec.LookPath(filepath.Join("/usr/sbin", name)); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; run: %s", strings.Join(names, " or "), aptLine)
	return ""
}

// command prepares a process of its own group that is killed, with its children,
// when limit has passed or the test is over. Clients blocked in a read ignore
// SIGTERM, hence the kill.
func command(t *testing.T, limit time.Duration, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, tool(t, name), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}

// output runs cmd to its end and returns what it printed. That it failed or ran
// into its limit is not an error here: what counts is what a client decoded, and
// players of live streams never end by themselves.
func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("%s: %v", filepath.Base(cmd.Path), err)
	}
	return string(out)
}

// outputUntil is output for a client that never ends by itself: it ends it when what it
// printed is enough. However slow the machine, it gets the time until then.
func outputUntil(t *testing.T, cmd *exec.Cmd, enough func(out string) bool) string {
	t.Helper()
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Logf("%s: %v", filepath.Base(cmd.Path), err)
			}
			return out.String()
		case <-time.After(100 * time.Millisecond):
			if enough(out.String()) {
				_ = cmd.Cancel()
				<-ended
				return out.String()
			}
		}
	}
}

// gstPictures is how many pictures GStreamer's fakesink says it had.
func gstPictures(out string) int { return strings.Count(out, "last-message = chain") }

// succeed runs cmd to its end, which must be exit status 0.
func succeed(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(cmd.Path), err, tail(string(out), 40))
	}
	return string(out)
}

// background starts cmd and leaves it to the end of the test. Its output is kept
// as an artefact.
func background(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Cancel() // it may have ended by itself
		_ = cmd.Wait()
		keep(t, filepath.Base(cmd.Path)+".log", out.Bytes())
	})
}

// unprivileged makes cmd run as nobody if the tests run as root, with a home of
// its own: VLC refuses root, and does so with exit status 0.
func unprivileged(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	home, err := os.MkdirTemp("", "rtmpd-interop-") // not t.TempDir: only its owner may enter that
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home, "TMPDIR="+home)
	return home
}

// keep leaves data in test/artefacts under the test's name.
func keep(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join(artefacts, strings.NewReplacer("/", "-", " ", "_").Replace(t.Name())+"-"+name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Error(err)
	}
}

// tail returns the last n lines of s.
func tail(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// eventually polls ok until it is true, and fails the test after limit.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", limit, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
