package fanout

import (
	"golang.org/x/sys/unix"

	"github.com/rtmpd/rtmpd/internal/fdlimit"
)

// newSegment makes a segment of capacity bytes in a memfd of its own, so that
// sendfile can hand its pages to sockets without a copy. Pages still queued in
// a socket live on after the memfd is closed. Without memfds (too many open
// files, a seccomp rule) it lies on the heap.
func newSegment(capacity int) *segment {
	fd, err := unix.MemfdCreate("rtmpd-log", unix.MFD_CLOEXEC)
	if err != nil {
		return newHeapSegment(capacity)
	}
	if fdlimit.Short(uintptr(fd)) {
		_ = unix.Close(fd)
		return newHeapSegment(capacity)
	}
	if err := unix.Ftruncate(fd, int64(capacity)); err != nil {
		_ = unix.Close(fd)
		return newHeapSegment(capacity)
	}
	mem, err := unix.Mmap(fd, 0, capacity, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd)
		return newHeapSegment(capacity)
	}
	return &segment{mem: mem, fd: fd, free: func() {
		_ = unix.Munmap(mem)
		_ = unix.Close(fd)
	}}
}
