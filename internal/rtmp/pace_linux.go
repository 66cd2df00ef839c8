package rtmp

import (
	"errors"
	"io"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// restingLowat is SO_RCVLOWAT while a connection is read in beats: the kernel
// then wakes nobody for a packet that will be fetched at the next beat anyway.
// Every packet would otherwise wake the runtime's poller, waiting or not.
const restingLowat = 256 << 10

// A pacer reads a TCP socket without ever waiting for it.
type pacer struct {
	rc      syscall.RawConn
	resting bool // SO_RCVLOWAT is set

	once func(fd uintptr) bool // tryRead, bound once: a method value allocates

	p   []byte // of the read under way
	n   int
	err error
}

func newPacer(nc net.Conn) *pacer {
	tc, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	rc, err := tc.SyscallConn()
	if err != nil {
		return nil
	}
	r := &pacer{rc: rc}
	r.once = r.tryRead
	return r
}

// read fills b with what the socket has. n is 0 without an error when it has
// nothing.
func (r *pacer) read(b []byte) (n int, err error) {
	r.p = b
	if err := r.rc.Read(r.once); err != nil {
		return 0, err
	}
	r.p = nil
	switch {
	case errors.Is(r.err, unix.EAGAIN), errors.Is(r.err, unix.EINTR):
		return 0, nil
	case r.err != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Err: r.err}
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}

// tryRead is the callback of read: true, so that the runtime does not wait.
func (r *pacer) tryRead(fd uintptr) bool {
	r.n, r.err = unix.Read(int(fd), r.p)
	return true
}

// rest sets or clears SO_RCVLOWAT.
func (r *pacer) rest(on bool) {
	if r.resting == on {
		return
	}
	r.resting = on
	bytes := 1
	if on {
		bytes = restingLowat
	}
	_ = r.rc.Control(func(fd uintptr) { // without it there are more wake-ups, no more
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes)
	})
}
