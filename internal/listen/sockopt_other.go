//go:build !linux

package listen

import (
	"net"
	"time"
)

// SetUserTimeout works on Linux only; elsewhere keep-alive finds dead connections.
func SetUserTimeout(net.Conn, time.Duration) {}

// LimitUnsent works on Linux only.
func LimitUnsent(net.Conn) {}
