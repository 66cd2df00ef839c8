//go:build !linux

package server

// residentMemory is not known here.
func residentMemory() uint64 { return 0 }
