package testport

import (
	"net"
	"testing"
)

// StaleSocket leaves a socket file at path that nobody serves, as a process does that
// was killed.
func StaleSocket(t testing.TB, path string) {
	t.Helper()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
}
