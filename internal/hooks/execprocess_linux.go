package hooks

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// ownSession puts a program into a session and process group of its own, without a
// terminal. If rtmpd dies by a signal that it can't handle, the kernel kills the
// program, though not what that has started. (The kernel goes by the thread that
// started it. Threads of Go live on, unless a goroutine ends that is locked to one:
// there are none.)
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}

// closeOnExec keeps descriptors that rtmpd has inherited itself from its programs. Its
// own are closed anyway. (close_range(2) would do it at once, and filters of system calls
// that are older than it would kill the process.)
func closeOnExec() {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// groups are the process groups of the machine that have a member which is not dead, as
// of at. All programs that end share one look at /proc.
var groups struct {
	sync.Mutex
	at    time.Time
	alive map[int]bool
}

// lookAge is how old a look at /proc may be.
const lookAge = 20 * time.Millisecond

// allDead says whether the members of a process group, which has been ending since then,
// are all dead and only wait to be reaped.
func allDead(pgid int, since time.Time) bool {
	groups.Lock()
	defer groups.Unlock()
	if asked := time.Now(); groups.at.Before(since) || asked.Sub(groups.at) > lookAge {
		alive, err := liveGroups()
		if err != nil {
			return false
		}
		groups.at, groups.alive = asked, alive
	}
	return !groups.alive[pgid]
}

// liveGroups reads /proc/PID/stat (proc_pid_stat(5)) of every process.
func liveGroups() (map[int]bool, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	alive := make(map[int]bool)
	for _, name := range names {
		if name[0] < '0' || name[0] > '9' {
			continue
		}
		b, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		if len(f) < 3 || f[0][0] == 'Z' || f[0][0] == 'X' {
			continue
		}
		if pgid, err := strconv.Atoi(string(f[2])); err == nil {
			alive[pgid] = true
		}
	}
	return alive, nil
}
