//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// userTick is the unit of utime and stime in /proc: USER_HZ is 100 on every
// Linux Go runs on. Their sum is the scheduler's exact run time, rounded.
const userTick = 10 * time.Millisecond

// A procStat holds what the tool needs from /proc/PID/stat.
type procStat struct {
	parent int
	cpu    time.Duration // utime + stime, without children
	exited bool          // zombie
}

// parseStat reads a /proc/PID/stat line (proc(5)); the command name in brackets
// may hold spaces and brackets of its own.
func parseStat(line []byte) (procStat, error) {
	i := bytes.LastIndexByte(line, ')')
	if i < 0 {
		return procStat{}, fmt.Errorf("stat line %q has no command", line)
	}
	f := strings.Fields(string(line[i+1:]))
	if len(f) < 13 {
		return procStat{}, fmt.Errorf("stat line %q is short", line)
	}
	parent, err1 := strconv.Atoi(f[1])
	user, err2 := strconv.ParseUint(f[11], 10, 64)
	system, err3 := strconv.ParseUint(f[12], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return procStat{}, fmt.Errorf("stat line %q: %w", line, err)
	}
	return procStat{parent, time.Duration(user+system) * userTick, f[0] == "Z"}, nil
}

// processTree returns pid and its living descendants.
func processTree(pid int) ([]int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := map[int][]int{}
	found := false
	for _, name := range names {
		line, err := os.ReadFile(name)
		if err != nil {
			continue // it ended meanwhile
		}
		st, err := parseStat(line)
		if err != nil {
			return nil, err
		}
		id, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		if st.exited {
			continue
		}
		found = found || id == pid
		children[st.parent] = append(children[st.parent], id)
	}
	if !found {
		return nil, fmt.Errorf("process %d is gone", pid)
	}
	tree := []int{pid}
	for i := 0; i < len(tree); i++ {
		tree = append(tree, children[tree[i]]...)
	}
	return tree, nil
}

// treeCPU is the CPU time that pids have used so far. A process that ended is
// an error: its time would be missing.
func treeCPU(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		st, err := parseStat(line)
		if err != nil {
			return 0, err
		}
		sum += st.cpu
	}
	return sum, nil
}

// A memory is a process tree's memory in bytes.
type memory struct {
	RSS   int64 `json:"rss"`
	PSS   int64 `json:"pss"`
	Memfd int64 `json:"memfd"` // pages of anonymous files, not counted in RSS unless mapped
}

// parseRollup reads /proc/PID/smaps_rollup.
func parseRollup(text string) (m memory, err error) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[2] != "kB" || (f[0] != "Rss:" && f[0] != "Pss:") {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return m, fmt.Errorf("smaps_rollup %q: %w", line, err)
		}
		if f[0] == "Rss:" {
			m.RSS = n << 10
		} else {
			m.PSS = n << 10
		}
	}
	if m.RSS == 0 {
		return m, errors.New("smaps_rollup has no Rss line")
	}
	return m, nil
}

// treeMemory adds up the memory of pids. Memfd files are distinguished by inode.
func treeMemory(pids []int) (sum memory, err error) {
	type file struct{ dev, inode uint64 }
	seen := map[file]bool{}
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return sum, err
		}
		m, err := parseRollup(string(text))
		if err != nil {
			return sum, fmt.Errorf("process %d: %w", pid, err)
		}
		sum.RSS += m.RSS
		sum.PSS += m.PSS
		dir := fmt.Sprintf("/proc/%d/fd", pid)
		fds, err := os.ReadDir(dir)
		if err != nil {
			return sum, err
		}
		for _, fd := range fds {
			name := filepath.Join(dir, fd.Name())
			target, err := os.Readlink(name)
			if err != nil || !strings.HasPrefix(target, "/memfd:") {
				continue
			}
			var st syscall.Stat_t
			if syscall.Stat(name, &st) == nil && !seen[file{st.Dev, st.Ino}] {
				seen[file{st.Dev, st.Ino}] = true
				sum.Memfd += st.Blocks * 512
			}
		}
	}
	return sum, nil
}

// machineBusy is the time that all cores together have spent working since
// boot: everything in /proc/stat's first line but idle and iowait.
func machineBusy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseMachine(string(text))
}

// parseMachine reads "cpu user nice system idle iowait irq softirq steal guest
// guest_nice"; guest time is part of user time already.
func parseMachine(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	f := strings.Fields(line)
	if len(f) < 9 || f[0] != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins %q", line)
	}
	var sum uint64
	for i, s := range f[1:9] {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/stat %q: %w", line, err)
		}
		if i != 3 && i != 4 {
			sum += n
		}
	}
	return time.Duration(sum) * userTick, nil
}

// ownCPU is the CPU time this process has used.
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("getrusage: %w", err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// raiseFileLimit makes room for n descriptors in this process and, because
// setting it by hand makes it inheritable, in the servers it starts.
func raiseFileLimit(n uint64) error {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return fmt.Errorf("read the descriptor limit: %w", err)
	}
	want := syscall.Rlimit{Cur: max(n, r.Cur), Max: max(n, r.Max)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want) == nil {
		return nil
	}
	want = syscall.Rlimit{Cur: r.Max, Max: r.Max} // no right to go beyond the hard limit
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want); err != nil {
		return fmt.Errorf("raise the descriptor limit to %d: %w", r.Max, err)
	}
	return nil
}
