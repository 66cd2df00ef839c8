package web

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// waitFor polls until ok; the bound is ten times what any machine needs.
func waitFor(tb testing.TB, ok func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("waited 20 s in vain")
		}
	}
}

func dialable(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// freeAddr is an address for a program that can't be given a listener.
func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// startProxy runs a program in the foreground with a config file until the test
// is over, and returns its pid once it listens.
func startProxy(tb testing.TB, conf, addr, name string, args ...string) int {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), name+".conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		tb.Fatal(err)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		tb.Fatalf("%s is not installed: apt-get install %s", name, name)
	}
	cmd := exec.Command(path, append(args, file)...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitFor(tb, func() bool { return dialable(addr) })
	return cmd.Process.Pid
}
