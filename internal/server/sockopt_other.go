//go:build !linux

package server

import (
	"net"
	"time"
)

// setUserTimeout is Linux's; elsewhere keep-alive finds the dead.
func setUserTimeout(net.Conn, time.Duration) {}
