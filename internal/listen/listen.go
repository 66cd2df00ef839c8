// Package listen makes listening sockets: it binds the addresses of a configuration,
// names the process that has a port already, accepts connections, enforces their limits,
// reads the PROXY header, and reloads certificate files. It starts no goroutines.
package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fdlimit"
)

// Bind listens on a. The error for an address in use names the line of the configuration
// and, if the system shows it, the process that has the address.
func Bind(a value.Address) (net.Listener, error) {
	if a.Network == "unix" {
		return bindUnix(a)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(context.Background(), a.ListenNetwork(), a.String())
	if err == nil {
		return ln, nil
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use%s", where(a), portOwner(a.Port))
	}
	if errors.Is(err, syscall.EACCES) {
		return nil, fmt.Errorf("%s: permission denied: ports below 1024 need root or CAP_NET_BIND_SERVICE", where(a))
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return nil, fmt.Errorf("%s: %w", where(a), err)
}

// where names an address and the line that asks for it.
func where(a value.Address) string {
	if a.Range.Filename == "" {
		return a.String()
	}
	return fmt.Sprintf("%s (%s:%d)", a, filepath.Base(a.Range.Filename), a.Range.Start.Line)
}

// socketMode is the mode of unix listeners: for the server's user and group. A proxy in
// front has to be in the group.
const socketMode = 0o660

// bindUnix listens on a socket file. It replaces a file that nobody serves.
func bindUnix(a value.Address) (net.Listener, error) {
	if fi, err := os.Lstat(a.Path); err == nil && fi.Mode()&os.ModeSocket != 0 {
		c, err := net.DialTimeout("unix", a.Path, time.Second)
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("%s is in use by another process", where(a))
		}
		if err := os.Remove(a.Path); err != nil {
			return nil, fmt.Errorf("%s: remove the stale socket: %w", where(a), err)
		}
	}
	ln, err := Unix(a.Path, socketMode)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", where(a), err)
	}
	return ln, nil
}

const (
	minAcceptDelay = 5 * time.Millisecond
	maxAcceptDelay = time.Second
)

// AcceptLoop calls serve for every connection of ln until ln is closed. After an error
// such as too many open files it pauses, longer each time, and goes on.
func AcceptLoop(ln net.Listener, log *zap.Logger, serve func(net.Conn)) {
	delay := minAcceptDelay
	for {
		nc, err := ln.Accept()
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) { // a deadline in the past ends accepting too
			return
		}
		if err == nil && fdlimit.ShortOf(nc) {
			nc.Close()
			err = fdlimit.Error{}
		}
		if err != nil {
			if delay == minAcceptDelay {
				log.Error("connections are not accepted", zap.Stringer("listener", ln.Addr()), zap.Error(err))
			}
			time.Sleep(delay) // nothing else to do: the kernel keeps the backlog
			delay = min(2*delay, maxAcceptDelay)
			continue
		}
		delay = minAcceptDelay
		serve(nc)
	}
}

// Linger makes sure that the bytes just sent arrive. A kernel resets a connection that is
// closed with unread bytes, and the client loses the answer (RFC 9112 §9.6). Linger
// closes the sending side and reads what still comes, at most limit bytes and for at
// most within. The caller closes nc.
func Linger(nc net.Conn, within time.Duration, limit int64) {
	if cw, ok := nc.(interface{ CloseWrite() error }); ok {
		_ = cw.CloseWrite()
	}
	_ = nc.SetReadDeadline(time.Now().Add(within))
	_, _ = io.CopyN(io.Discard, nc, limit)
}
