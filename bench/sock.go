//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// A clock counts from the tool's start; stamps carry its time.
type clock struct{ base time.Time }

func (c clock) now() time.Duration { return time.Since(c.base) }

// limitSegments sets TCP_MAXSEG on a socket that is about to connect or listen; 0
// leaves the loopback's.
func limitSegments(mss int) func(network, address string, c syscall.RawConn) error {
	return func(_, _ string, c syscall.RawConn) error {
		if mss == 0 {
			return nil
		}
		var failed error
		if err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, mss)
		}); err != nil {
			return err
		}
		return failed
	}
}

// dialTCP connects to addr; mss, if not 0, is TCP_MAXSEG, so that the server's
// segments are as small as on an Ethernet.
func dialTCP(ctx context.Context, addr string, mss int) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: limitSegments(mss)}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// truncate takes up to n bytes out of a TCP socket's queue without copying them
// (tcp(7), MSG_TRUNC) and never blocks. It returns 0 at the end of the stream.
func truncate(fd int, n int64) (int64, error) {
	var unused byte // TCP writes nothing to the buffer
	got, _, errno := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(&unused)), uintptr(min(n, 1<<30)),
		syscall.MSG_TRUNC|syscall.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int64(got), nil
}

// detach takes the descriptor away from Go's runtime, whose poller would wake
// for every segment that arrives, and closes conn without ending the
// connection. The caller closes the descriptor.
func detach(conn *net.TCPConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	var failed error
	if err := raw.Control(func(old uintptr) {
		got, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			failed = fmt.Errorf("duplicate a socket: %w", errno)
			return
		}
		fd = int(got)
	}); err != nil {
		return -1, err
	}
	if failed != nil {
		return -1, failed
	}
	return fd, conn.Close()
}
