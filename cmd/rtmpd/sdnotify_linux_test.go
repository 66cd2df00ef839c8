package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// supervise listens as systemd does and returns what to put into NOTIFY_SOCKET.
func supervise(t *testing.T, address string) *net.UnixConn {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c
}

func next(t *testing.T, c *net.UnixConn) string {
	t.Helper()
	b := make([]byte, 1024)
	n, err := c.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

func TestNotifierTellsSystemd(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "n") // short: a socket's path has 108 bytes
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "notify")
	abstract := fmt.Sprintf("rtmpd-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	for _, s := range []struct{ env, address string }{{path, path}, {"@" + abstract, "@" + abstract}} {
		systemd := supervise(t, s.address)
		n := notifier{s.env}
		n.send("READY=1")
		if got := next(t, systemd); got != "READY=1" {
			t.Errorf("%s heard %q", s.env, got)
		}
		before := monotonicMicros()
		n.reloading()
		after := monotonicMicros()
		var at int64
		got := next(t, systemd)
		if _, err := fmt.Sscanf(got, "RELOADING=1\nMONOTONIC_USEC=%d", &at); err != nil || at < before || at > after {
			t.Errorf("%s heard %q (%v), want a time from %d to %d", s.env, got, err, before, after)
		}
	}
}

func TestNotifierIsSilentWithoutSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := newNotifier()
	n.send("READY=1")
	n.reloading()
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "gone"))
	n = newNotifier()
	if n.socket == "" {
		t.Error("NOTIFY_SOCKET is not read")
	}
	n.send("READY=1") // without a listener: no effect
	n.reloading()
}

func TestMonotonicMicrosRises(t *testing.T) {
	t.Parallel()
	a := monotonicMicros()
	time.Sleep(2 * time.Millisecond)
	if b := monotonicMicros(); a <= 0 || b-a < 2000 || b-a > int64(patience/time.Microsecond) {
		t.Errorf("from %d to %d in 2 ms", a, b)
	}
}
