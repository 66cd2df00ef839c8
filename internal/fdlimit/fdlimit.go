// Package fdlimit keeps some of the process's file descriptors back for what
// must not fail: fragments, recordings, hooks. Connections, and the files that
// their requests open, are refused before the last ones are gone.
package fdlimit

import "syscall"

// reserve is how many descriptors connections leave to the outputs.
const reserve = 100

// Short reports whether fd, which was just opened, is one of those that are kept
// back. The kernel gives out the lowest number that is free: fd others are in use.
func Short(fd uintptr) bool {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return false
	}
	return fd >= uintptr(r.Cur-min(reserve, r.Cur/4))
}

// ShortOf is Short for what a file or connection holds; false if it has no
// descriptor.
func ShortOf(c any) bool {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	short := false
	_ = raw.Control(func(fd uintptr) { short = Short(fd) })
	return short
}

// Error is what was not accepted or opened because it would have been one of the
// descriptors that are kept back. It is temporary.
type Error struct{}

func (Error) Error() string {
	return "too many open files: the last descriptors are kept for the outputs (LimitNOFILE in systemd, ulimit -n)"
}

// Temporary and Timeout make it a net.Error that an accept loop waits out.
func (Error) Temporary() bool { return true }

// Timeout is false.
func (Error) Timeout() bool { return false }
