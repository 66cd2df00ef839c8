package http1

import (
	"io"
	"syscall"
	"time"
)

// sendChunk is how much one call may hand to the kernel; the write deadline is
// set anew for each, so that a slow client that does take data is not cut off.
const sendChunk = 4 << 20

// writeMore writes with MSG_MORE: the kernel keeps the head back for the bytes
// of the file, so that both leave in one segment. It may write less than p.
func (c *Conn) writeMore(p []byte) (n int, err error) {
	werr := c.raw.Write(func(fd uintptr) bool {
		for {
			n, err = syscall.SendmsgN(int(fd), p, nil, nil, syscall.MSG_MORE|syscall.MSG_NOSIGNAL)
			if err != syscall.EINTR {
				return err != syscall.EAGAIN
			}
		}
	})
	if werr != nil {
		return 0, werr
	}
	return max(n, 0), err
}

// sendSection sends the next n bytes of s.
func (c *Conn) sendSection(s *Section, n int64) (sent int64, err error) {
	if c.raw == nil {
		return io.Copy(struct{ io.Writer }{c}, io.LimitReader(s, n))
	}
	file, err := s.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := file.Control(func(in uintptr) {
		for err == nil && sent < n {
			var k int
			_ = c.SetWriteDeadline(time.Now().Add(WriteTimeout))
			werr := c.raw.Write(func(out uintptr) bool {
				for {
					k, err = syscall.Sendfile(int(out), int(in), &s.off, int(min(n-sent, sendChunk)))
					if err != syscall.EINTR {
						return err != syscall.EAGAIN
					}
				}
			})
			switch {
			case werr != nil:
				err = werr
			case err == nil && k == 0:
				err = io.ErrUnexpectedEOF // the file was cut short
			case err == nil:
				sent += int64(k)
			}
		}
	})
	if cerr != nil {
		err = cerr
	}
	return sent, err
}
