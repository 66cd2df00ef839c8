package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// A fakeSystemd hears what a service says and keeps its sockets.
type fakeSystemd struct {
	path string

	mu    sync.Mutex
	said  []string
	names []string // of files
	files []*os.File
}

func newFakeSystemd(t *testing.T) *fakeSystemd {
	t.Helper()
	dir, err := os.MkdirTemp("", "n") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeSystemd{path: filepath.Join(dir, "notify")}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: f.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for f.hear(c) {
		}
	}()
	t.Cleanup(func() {
		c.Close()
		<-done
		for _, file := range f.files {
			file.Close()
		}
		os.RemoveAll(dir)
	})
	return f
}

func (f *fakeSystemd) hear(c *net.UnixConn) bool {
	b, oob := make([]byte, 4096), make([]byte, 4096)
	n, m, _, _, err := c.ReadMsgUnix(b, oob)
	if err != nil {
		return false
	}
	var files []*os.File
	control, _ := syscall.ParseSocketControlMessage(oob[:m])
	for i := range control {
		fds, _ := syscall.ParseUnixRights(&control[i])
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	text := string(b[:n])
	f.said = append(f.said, text)
	if name, ok := strings.CutPrefix(text, "FDSTORE=1\nFDNAME="); ok && len(files) == 1 {
		f.names, f.files = append(f.names, name), append(f.files, files...)
		return true
	}
	for _, file := range files { // BARRIER=1
		file.Close()
	}
	return true
}

// heard waits for a message that begins so.
func (f *fakeSystemd) heard(t *testing.T, prefix string) {
	t.Helper()
	var said []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		f.mu.Lock()
		said = append([]string(nil), f.said...)
		f.mu.Unlock()
		for _, text := range said {
			if strings.HasPrefix(text, prefix) {
				return
			}
		}
	}
	t.Fatalf("systemd heard no %q of\n%s", prefix, strings.Join(said, "\n--\n"))
}

// start starts rtmpd as systemd does, with what it has stored.
func (f *fakeSystemd) start(t *testing.T, config string) (stop func()) {
	t.Helper()
	f.mu.Lock()
	f.said = nil
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec rtmpd run -c "$0"`, config)
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+f.path, "WATCHDOG_USEC=4000000",
		fmt.Sprintf("LISTEN_FDS=%d", len(f.files)), "LISTEN_FDNAMES="+strings.Join(f.names, ":"))
	cmd.ExtraFiles = append([]*os.File(nil), f.files...)
	f.mu.Unlock()
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("rtmpd: %v\n%s", err, log.String())
		}
	})
	t.Cleanup(stop)
	f.heard(t, "READY=1")
	return stop
}

// TestARestartUnderSystemdLosesNoConnection: who connects while rtmpd is away is
// answered by the next one, over RTMP's and HTTP's listener.
func TestARestartUnderSystemdLosesNoConnection(t *testing.T) {
	t.Parallel()
	systemd := newFakeSystemd(t)
	dir := filepath.Dir(systemd.path) // short
	rtmpAt, httpAt := testport.Address(), testport.Address()
	path := filepath.Join(dir, "rtmpd.hcl")
	write := func(httpAt string) {
		t.Helper()
		text := fmt.Sprintf(`
state_dir   = "%s/state"
runtime_dir = "%[1]s/run"
rtmp {
  listen = %q
  application "live" {}
}
http {
  listen = %q
  location "/health" {
    health {}
  }
}
`, dir, rtmpAt, httpAt)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(httpAt)
	stop := systemd.start(t, path)
	for _, want := range []string{"FDSTORE=1\nFDNAME=address=127.0.0.1_", "WATCHDOG=1", "STATUS=0 publishers, 0 RTMP players, 0 viewers, "} {
		systemd.heard(t, want)
	}
	stop()
	systemd.heard(t, "STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=15000000")
	if len(systemd.files) != 2 {
		t.Fatalf("systemd keeps %v", systemd.names)
	}

	ask := func(address, text string) net.Conn {
		t.Helper()
		c, err := net.DialTimeout("tcp", address, patience)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
		return c
	}
	get := "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	web, rtmp := ask(httpAt, get), ask(rtmpAt, "\x03"+strings.Repeat("0", 1536)) // C0, C1
	systemd.start(t, path)
	if answer, err := io.ReadAll(web); err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 ")) {
		t.Errorf("HTTP: %q, %v", answer, err)
	}
	if _, err := io.ReadFull(rtmp, make([]byte, 1+1536)); err != nil { // S0, S1
		t.Errorf("RTMP: %v", err)
	}

	// A reload gives an address up, and systemd with it.
	write(testport.Address())
	systemd.heard(t, "RELOADING=1\nMONOTONIC_USEC=")
	systemd.heard(t, "FDSTOREREMOVE=1\nFDNAME="+"address="+strings.ReplaceAll(httpAt, ":", "_"))
}

// TestSystemdsOwnSocketsAreTaken has systemd-socket-activate listen, as rtmpd.socket does,
// and start rtmpd for the first client.
func TestSystemdsOwnSocketsAreTaken(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "n") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	rtmpAt, httpAt, odd := testport.Address(), testport.Address(), testport.Address()
	path := filepath.Join(dir, "rtmpd.hcl")
	text := fmt.Sprintf("state_dir = \"%s/state\"\nruntime_dir = \"%[1]s/run\"\nrtmp {\n  listen = %q\n  application \"live\" {}\n}\nhttp {\n  listen = %q\n  location \"/health\" {\n    health {}\n  }\n}\n", dir, rtmpAt, httpAt)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rtmpd, err := exec.LookPath("rtmpd")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("systemd-socket-activate", "-l", rtmpAt, "-l", httpAt, "-l", odd, "--fdname=rtmp:web:odd", rtmpd, "run", "-c", path)
	p := &process{cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p, p
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: see scripts/test-deps", err)
	}
	go func() { p.err = cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-p.done
	})
	answered := false
	for deadline := time.Now().Add(patience); !answered && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		res, err := http.Get("http://" + httpAt + "/health")
		if err == nil {
			answered = res.StatusCode == http.StatusOK
			res.Body.Close()
		}
	}
	if want := `"socket": "odd (` + odd + `)"`; !answered || !strings.Contains(p.text(), want) || strings.Contains(p.text(), "error") {
		t.Errorf("answered: %t, want %s in\n%s", answered, want, p.text())
	}
}

func TestTheStatusLineSaysWhatGoesOnAndWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := &api.Snapshot{BwIn: 2_650_000, BwOut: 10_600_000, Servers: []api.Server{{Applications: []api.Application{{Streams: []api.Stream{
		{Viewers: 17, Clients: []api.Client{{Publishing: true}, {}, {}}}, {Clients: []api.Client{{}}},
	}}}}}}
	want := "1 publisher, 3 RTMP players, 17 viewers, 2.6 Mb/s in, 10.6 Mb/s out over RTMP"
	if got := statusLine(s); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.Findings = []doctor.Finding{{Name: "reload_failed", Advice: "line 1\nline 2"}, {Name: "other"}}
	if got := statusLine(s); got != want+", reload_failed: line 1 line 2" {
		t.Errorf("got %q", got)
	}
}

func TestWhoWatchesIsToldByTheEnvironment(t *testing.T) {
	t.Parallel()
	for _, v := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"60000000", "", time.Minute},
		{"60000000", fmt.Sprint(os.Getpid()), time.Minute},
		{"60000000", "1", 0}, // of the process that has started this one
		{"", "", 0},
		{"-5", "", 0},
		{"soon", "", 0},
		{"99999999999999999999", "", 0},
	} {
		if got := watchdog(func(name string) string {
			return map[string]string{"WATCHDOG_USEC": v.usec, "WATCHDOG_PID": v.pid}[name]
		}); got != v.want {
			t.Errorf("%q of %q: %s, want %s", v.usec, v.pid, got, v.want)
		}
	}
}
