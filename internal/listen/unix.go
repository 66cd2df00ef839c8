package listen

import (
	"context"
	"net"
	"os"
	"syscall"
)

// Unix listens on a socket file with that mode. The file has no wider mode at any time. The
// process's umask is not changed: that would change the mode of files that other
// goroutines create meanwhile.
func Unix(path string, mode os.FileMode) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// bind creates the file with the mode of the socket, without the bits of
		// the umask.
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode.Perm())) })
	}}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil { // adds the bits that the umask removed
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}
