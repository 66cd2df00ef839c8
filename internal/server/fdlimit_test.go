package server

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fdlimit"
	"github.com/rtmpd/rtmpd/internal/listen"
)

// Connections are refused while there are still descriptors for the outputs. The
// test limits its own process, and so runs in another one.
func TestConnectionsLeaveDescriptorsForTheOutputs(t *testing.T) {
	const child = "RTMPD_TEST_FEW_DESCRIPTORS"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestConnectionsLeaveDescriptorsForTheOutputs$", "-test.timeout=5m")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	limit := syscall.Rlimit{Cur: 500, Max: 500}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan net.Conn, 500)
	done := make(chan struct{})
	go func() {
		defer close(done)
		listen.AcceptLoop(ln, zap.NewNop(), func(nc net.Conn) { accepted <- nc })
	}()
	var theirs []net.Conn
	var files []*os.File
	for { // both ends are in this process
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		theirs = append(theirs, c)
		hungUp := make(chan struct{})
		go func() {
			defer close(hungUp)
			_, _ = c.Read(make([]byte, 1)) // nothing is ever sent: it ends with the connection
		}()
		select {
		case <-accepted:
			continue
		case <-hungUp:
		case <-time.After(2 * time.Minute): // a busy machine may take its time
			t.Fatalf("connection %d is neither accepted nor refused", len(theirs))
		}
		break
	}
	if len(theirs) < 150 {
		t.Errorf("only %d connections were accepted", len(theirs)-1)
	}
	for range 90 {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatalf("an output is left without a file after %d: %v", len(files), err)
		}
		files = append(files, f)
	}
	if !fdlimit.Short(files[80].Fd()) {
		t.Error("the last descriptors were not used: nothing was shown")
	}
	for _, f := range files {
		f.Close()
	}
	for _, c := range theirs[:20] { // their ends are in accepted, closed with the process
		c.Close()
	}
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-accepted:
	case <-time.After(2 * time.Minute):
		t.Error("nothing is accepted after some have gone")
	}
	c.Close()
	ln.Close()
	<-done
}

// A unix socket is for its user and group.
func TestUnixListenersAreNotForAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rtmp.sock")
	ln, err := listen.Bind(value.Address{Network: "unix", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if mode := fi.Mode().Perm(); mode != 0o660 {
		t.Errorf("mode %o, want 660", mode)
	}
}
