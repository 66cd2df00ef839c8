package server

import "testing"

func TestWhatTheKernelSays(t *testing.T) {
	busy, total := cpuTicks("cpu  10 1 5 100 20 1 2 3 4 5\ncpu0 1 1 1 1\nintr 5\n")
	if busy != 22 || total != 142 {
		t.Errorf("%d of %d ticks, want 22 of 142", busy, total)
	}
	size, available := memory("MemTotal:        2048 kB\nMemFree: 1 kB\nMemAvailable:    1024 kB\nX:\n")
	if size != 2<<20 || available != 1<<20 {
		t.Errorf("%d of %d bytes, want 1 of 2 MiB", available, size)
	}
	in, out := interfaces("Inter-| Receive | Transmit\n face |bytes packets\n    lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n  eth0: 1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n  eth1:4 0 0 0 0 0 0 0 8 0 0 0 0 0 0 0\nshort: 1\n")
	if in != 5 || out != 10 {
		t.Errorf("%d in, %d out, want 5 and 10", in, out)
	}
	for _, text := range []string{"", "cpu ", "MemTotal:", ":", "cpu x\nMemTotal: x kB\neth0: x"} {
		cpuTicks(text)
		memory(text)
		interfaces(text)
	}
	if h := host(); h.CPUTotal == 0 || h.MemTotal == 0 || h.MemUsed == 0 || h.MemUsed > h.MemTotal {
		t.Errorf("this machine is %+v", h)
	}
}
