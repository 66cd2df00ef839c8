package main

import (
	"fmt"
	"net"
	"os"
)

// A notifier reports the state of the service to systemd (sd_notify(3)). Elsewhere it is
// silent.
type notifier struct{ socket string }

func newNotifier() notifier { return notifier{os.Getenv("NOTIFY_SOCKET")} }

func (n notifier) send(state string) {
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
	_, _ = c.Write([]byte(state))
}

// reloading starts a reload; READY=1 ends it. systemd wants the time with it
// (Type=notify-reload, CLOCK_MONOTONIC in µs).
func (n notifier) reloading() {
	if n.socket != "" {
		n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", monotonicMicros()))
	}
}
