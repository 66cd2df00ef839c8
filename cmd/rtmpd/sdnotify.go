package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// A notifier reports the state of the service to systemd (sd_notify(3)). Elsewhere it is
// silent.
type notifier struct{ socket string }

func newNotifier() notifier { return notifier{os.Getenv("NOTIFY_SOCKET")} }

// send sends a state, with descriptors that belong to it.
func (n notifier) send(state string, fds ...int) {
	if n.socket == "" {
		return
	}
	name := n.socket
	if name[0] == '@' {
		name = "\x00" + name[1:] // abstract socket
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return // no systemd
	}
	defer c.Close()
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	// WriteMsgUnix sends no descriptors on a connected socket of datagrams.
	_ = raw.Write(func(fd uintptr) bool {
		return !errors.Is(syscall.Sendmsg(int(fd), []byte(state), rights, nil, 0), syscall.EAGAIN)
	})
}

// reloading starts a reload; READY=1 ends it. systemd wants the time with it
// (Type=notify-reload, CLOCK_MONOTONIC in µs).
func (n notifier) reloading() {
	if n.socket != "" {
		n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonicMicros()))
	}
}

// stopping starts the stop, which may take that long, whatever TimeoutStopSec= says.
func (n notifier) stopping(within time.Duration) {
	n.send(fmt.Sprintf("STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=%d", (within + stopSlack).Microseconds()))
}

// stopSlack is for what comes after shutdown_timeout: programs are killed, the process
// ends.
const stopSlack = 5 * time.Second

// watchdog is the longest time that may pass between two WATCHDOG=1 (WatchdogSec=); 0:
// nobody watches.
func watchdog(getenv func(string) string) time.Duration {
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || n <= 0 || n > int64(24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}
