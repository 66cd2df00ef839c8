package web

import "syscall"

// gone waits until the client has closed its end; false if it sends something
// instead, or the read deadline passes. Nothing is consumed.
func (c *conn) gone() (closed bool) {
	if c.raw == nil {
		return false
	}
	var b [1]byte
	_ = c.raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		if err == syscall.EAGAIN || err == syscall.EINTR {
			return false
		}
		closed = n == 0 || err != nil
		return true
	})
	return closed
}
