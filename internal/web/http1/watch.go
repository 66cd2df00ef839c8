package http1

import (
	"context"
	"syscall"
	"time"
)

// Watch returns a context that ends with the request or when its client goes
// away, for handlers that wait for something. stop must be called before the
// handler returns.
func (w *ResponseWriter) Watch(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if w.c.gone() {
			cancel()
		}
	}()
	return ctx, func() {
		cancel()
		_ = w.c.SetReadDeadline(time.Unix(1, 0)) // gone returns
		<-done
		_ = w.c.SetReadDeadline(time.Time{})
	}
}

// gone waits until the client closes its end. It returns false if the client sends
// bytes or the read deadline passes. It consumes nothing.
func (c *Conn) gone() (closed bool) {
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
