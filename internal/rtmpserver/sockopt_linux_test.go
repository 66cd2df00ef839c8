package rtmpserver

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// Half-open connections die: the kernel asks idle peers, and gives up on those
// that acknowledge nothing.
func TestConnectionsAreWatchedByTheKernel(t *testing.T) {
	t.Parallel()
	b, stop := newBlock(t, oneApp)
	defer stop()
	s := accepted(t, b, "127.0.0.1", "")
	raw, err := s.nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []struct {
		name          string
		level, option int
		want          int
	}{
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
		{"TCP_NODELAY", unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 8000},
	} {
		err := raw.Control(func(fd uintptr) {
			got, err := unix.GetsockoptInt(int(fd), o.level, o.option)
			if err != nil || got != o.want {
				t.Errorf("%s is %d (%v), want %d", o.name, got, err, o.want)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
