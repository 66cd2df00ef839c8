package main

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// cmdSpare leaves rtmpd so many descriptors more than it has open; "off" ends it.
func cmdSpare(ts *testscript.TestScript, neg bool, args []string) {
	pid := benchOf(ts).rtmpd.cmd.Process.Pid
	limit := unix.Rlimit{Cur: 1024, Max: 1024}
	if args[0] != "off" {
		spare, err := strconv.Atoi(args[0])
		ts.Check(err)
		open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		ts.Check(err)
		limit.Cur = uint64(len(open) + spare)
	}
	ts.Check(unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil))
}

// cmdCrowd opens connections that say nothing, and holds them; 0 closes them.
func cmdCrowd(ts *testscript.TestScript, neg bool, args []string) {
	b := benchOf(ts)
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for _, c := range b.crowd {
		c.Close()
	}
	b.crowd = nil
	for range n {
		c, err := net.DialTimeout("tcp", ts.Getenv("RTMP"), 10*time.Second)
		ts.Check(err)
		b.crowd = append(b.crowd, c)
	}
	ts.Defer(func() {
		for _, c := range b.crowd {
			c.Close()
		}
	})
}
