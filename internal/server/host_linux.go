package server

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/rtmpd/rtmpd/internal/api"
)

// host asks the kernel what the machine does (proc(5)). What can't be read, as in
// some containers, stays zero.
func host() api.Host {
	var h api.Host
	h.CPUBusy, h.CPUTotal = cpuTicks(procFile("stat"))
	total, available := memory(procFile("meminfo"))
	h.MemTotal, h.MemUsed = total, total-min(available, total)
	h.NetworkIn, h.NetworkOut = interfaces(procFile("net/dev"))
	var fs syscall.Statfs_t
	if syscall.Statfs("/dev/shm", &fs) == nil {
		block := uint64(fs.Bsize)
		h.ShmTotal, h.ShmUsed = fs.Blocks*block, (fs.Blocks-min(fs.Bfree, fs.Blocks))*block
	}
	return h
}

func procFile(name string) string {
	b, err := os.ReadFile("/proc/" + name)
	if err != nil {
		return ""
	}
	return string(b)
}

// numbers are the fields of a line that are numbers, from the first one on.
func numbers(line string) []uint64 {
	var out []uint64
	for field := range strings.FieldsSeq(line) {
		n, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			break
		}
		out = append(out, n)
	}
	return out
}

// cpuTicks reads the sum over all cores of stat: user nice system idle iowait irq
// softirq steal; those of guests are in user already.
func cpuTicks(stat string) (busy, total uint64) {
	for line := range strings.Lines(stat) {
		rest, ok := strings.CutPrefix(line, "cpu ")
		if !ok {
			continue
		}
		for i, n := range numbers(rest) {
			if i >= 8 {
				break
			}
			total += n
			if i != 3 && i != 4 {
				busy += n
			}
		}
	}
	return busy, total
}

// memory reads meminfo, which is in KiB.
func memory(meminfo string) (total, available uint64) {
	for line := range strings.Lines(meminfo) {
		name, rest, _ := strings.Cut(line, ":")
		n := append(numbers(rest), 0)[0] * 1024
		switch name {
		case "MemTotal":
			total = n
		case "MemAvailable":
			available = n
		}
	}
	return total, available
}

// interfaces sums net/dev: the first and the ninth column of each line.
func interfaces(dev string) (in, out uint64) {
	for line := range strings.Lines(dev) {
		name, rest, ok := strings.Cut(line, ":")
		n := numbers(rest)
		if !ok || strings.TrimSpace(name) == "lo" || len(n) < 9 {
			continue
		}
		in, out = in+n[0], out+n[8]
	}
	return in, out
}
