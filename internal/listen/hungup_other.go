//go:build !linux

package listen

import "net"

// HungUp works on Linux only; elsewhere the first write fails.
func HungUp(net.Conn) bool { return false }
