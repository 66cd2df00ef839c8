//go:build !linux

package main

import "os"

// The tool reads costs from Linux's /proc and drains sockets Linux's way.
func main() {
	os.Stderr.WriteString("bench: runs on Linux only\n")
	os.Exit(2)
}
