//go:build !linux

package main

// monotonicMicros matters to systemd alone.
func monotonicMicros() int64 { return 0 }
