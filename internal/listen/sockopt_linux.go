package listen

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeoutSlack leaves the last word to the fan, which knows why it closes a
// player that takes nothing for timeout.
const userTimeoutSlack = time.Second

// SetUserTimeout has the kernel give a connection up whose peer acknowledges
// nothing for so long (RFC 5482): one that vanished without a word would stay
// for a quarter of an hour. 0 is the system's own.
func SetUserTimeout(nc net.Conn, timeout time.Duration) {
	tc, ok := nc.(*net.TCPConn)
	if !ok || timeout <= 0 {
		return
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((timeout + userTimeoutSlack).Milliseconds()))
	})
}
