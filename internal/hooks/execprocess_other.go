//go:build !linux

package hooks

import "syscall"

// ownSession puts a program into a session and process group of its own, without a
// terminal.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

func closeOnExec() {}
