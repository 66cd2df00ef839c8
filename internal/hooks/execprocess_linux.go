package hooks

import (
	"math"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownSession puts a program into a session and process group of its own, without a
// terminal. If rtmpd dies by a signal that it can't handle, the kernel kills the
// program, though not what that has started. (The kernel goes by the thread that
// started it. Threads of Go live on, unless a goroutine ends that is locked to one:
// there are none.)
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// closeOnExec keeps descriptors that rtmpd has inherited itself from its programs. Its
// own are closed anyway.
func closeOnExec() { _ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) }
