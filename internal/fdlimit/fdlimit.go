// Package fdlimit reserves some of the process's file descriptors for fragments,
// recordings and hooks, which must not fail. Connections, and the files that their
// requests open, are refused before the descriptors run out.
package fdlimit

import "syscall"

// reserve is how many descriptors connections leave to the outputs.
const reserve = 100

// Short reports whether fd, which was just opened, is one of the reserved descriptors.
// The kernel assigns the lowest free number: fd descriptors are in use.
func Short(fd uintptr) bool {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil {
		return false
	}
	return fd >= uintptr(r.Cur-min(reserve, r.Cur/4))
}

// ShortOf is Short for the descriptor of a file or connection; false if it has none.
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

// Error reports that a connection or file was refused because it would have taken a
// reserved descriptor. It is temporary.
type Error struct{}

func (Error) Error() string {
	return "too many open files: the last descriptors are kept for the outputs (LimitNOFILE in systemd, ulimit -n)"
}

// Temporary and Timeout make it a net.Error that an accept loop waits out.
func (Error) Temporary() bool { return true }

// Timeout is false.
func (Error) Timeout() bool { return false }
