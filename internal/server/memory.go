package server

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// After a peak the runtime keeps what it has: with nothing to allocate it collects
// garbage every two minutes only, and gives pages back one by one. On a machine
// that does other work as well a minute is long enough.
const (
	memoryLook = 20 * time.Second
	// memorySpare is how much a process may keep in any case.
	memorySpare = 16 << 20
	// memoryEvery bounds how often all of the heap is looked through for it.
	memoryEvery = time.Minute
)

// A memoryUse is what the Go heap has at one moment, in bytes.
type memoryUse struct {
	cycles  uint64 // of the collector, so far
	objects uint64 // in use, garbage included
	idle    uint64 // of the system, and in no use
}

func memoryNow() memoryUse {
	s := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
	}
	metrics.Read(s)
	return memoryUse{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64() + s[3].Value.Uint64()}
}

// A memoryWatch decides when memory is to be given back.
type memoryWatch struct {
	cycles uint64 // at the look before
	done   bool   // it was given back, and nothing was collected since
	last   time.Time
}

// due reports whether memory is to be given back: much of it is idle, or nobody
// has looked for garbage since the look before.
func (m *memoryWatch) due(u memoryUse, now time.Time) bool {
	quiet := u.cycles == m.cycles
	if !quiet {
		m.cycles, m.done = u.cycles, false
	}
	switch {
	case u.objects+u.idle < memorySpare, now.Sub(m.last) < memoryEvery:
		return false
	case u.idle > max(memorySpare, u.objects/2), quiet && !m.done:
		m.last, m.done = now, true
		m.cycles = u.cycles + 1 // the one that this makes
		return true
	}
	return false
}

// watchMemory gives memory back to the system, until ctx ends.
func watchMemory(ctx context.Context) {
	tick := time.NewTicker(memoryLook)
	defer tick.Stop()
	var m memoryWatch
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if m.due(memoryNow(), now) {
				debug.FreeOSMemory()
			}
		}
	}
}
