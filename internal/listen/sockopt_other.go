//go:build !linux

package listen

import (
	"net"
	"time"
)

// SetUserTimeout is Linux's; elsewhere keep-alive finds the dead.
func SetUserTimeout(net.Conn, time.Duration) {}
