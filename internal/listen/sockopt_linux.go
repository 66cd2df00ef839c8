package listen

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// userTimeoutSlack lets the fan close a player that takes nothing for timeout before the
// kernel does: the fan knows and logs the reason.
const userTimeoutSlack = time.Second

// SetUserTimeout makes the kernel close a connection whose peer acknowledges nothing for
// that long (RFC 5482). By default a peer that vanished stays for a quarter of an hour.
// 0 restores the default.
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

// unsent is how much may wait in the kernel before what is under way is
// acknowledged: half a second of a fast stream.
const unsent = 256 << 10

// LimitUnsent bounds what the kernel takes of a connection and has not sent
// (TCP_NOTSENT_LOWAT). Otherwise it takes megabytes for a peer that reads nothing,
// and writes wait much later.
func LimitUnsent(nc net.Conn) {
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tc.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsent)
	})
}
