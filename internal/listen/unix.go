package listen

import (
	"net"
	"os"
	"sync"
	"syscall"
)

// umasking is held while the process's umask is another.
var umasking sync.Mutex

// Unix listens on a socket file that has its mode before anyone can connect.
func Unix(path string, mode os.FileMode) (net.Listener, error) {
	umasking.Lock()
	defer umasking.Unlock()
	old := syscall.Umask(int(0o777 &^ mode))
	defer syscall.Umask(old)
	return net.Listen("unix", path)
}
