package listen

import (
	"context"
	"net"
	"os"
	"syscall"
)

// Unix listens on a socket file that nobody can open whom mode does not allow,
// not even for a moment. The process's umask stays as it is: files that are made
// meanwhile would get another mode than theirs.
func Unix(path string, mode os.FileMode) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		// The file that bind makes has the mode of the socket, less the umask.
		return c.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode.Perm())) })
	}}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil { // what the umask took
		_ = ln.Close()
		return nil, err
	}
	return ln, nil
}
