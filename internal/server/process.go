package server

import (
	"runtime"
	"syscall"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
)

// process asks the operating system what the server uses.
func process() api.Process {
	p := api.Process{RSS: residentMemory(), Goroutines: runtime.NumGoroutine()}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err == nil {
		p.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return p
}
