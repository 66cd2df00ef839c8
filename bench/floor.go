//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The floor is the kernel's cost of the sends alone: a process that knows
// no protocol and has one loop over all sockets, each of which gets the bytes of
// one beat in one system call. floorMode has the tool be that process.
const floorMode = "floor-server"

// floorWays are the system calls that are measured.
var floorWays = []string{"send", "sendfile"}

// floorFile is how many bytes a floor's memfd takes before the next one.
const floorFile = 2 << 20

// measureFloor measures steps[0] sockets, then as many as steps[1] says, with a
// fresh process each, as beat and o.bitRate say.
func measureFloor(ctx context.Context, way string, beat time.Duration, steps []int, o options) ([]Result, error) {
	var results []Result
	for _, n := range steps {
		r, err := floorWindow(ctx, way, beat, n, o)
		if err != nil {
			return results, fmt.Errorf("floor, %s: %w", way, err)
		}
		results = append(results, r)
	}
	return results, nil
}

func floorWindow(ctx context.Context, way string, beat time.Duration, n int, o options) (Result, error) {
	r := Result{Scenario: "play", Streams: 1, BitRate: o.bitRate, MSS: o.mss}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	bytes := o.bitRate * int64(beat) / int64(8*time.Second)
	cmd := exec.CommandContext(ctx, self, floorMode, way, beat.String(), strconv.FormatInt(bytes, 10), strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if err := cmd.Start(); err != nil {
		return r, err
	}
	defer cmd.Wait() // killed by cancel
	defer cancel()
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		return r, fmt.Errorf("read its address: %w", err)
	}
	t := &target{name: fmt.Sprintf("floor %s/%v", way, beat), pids: []int{cmd.Process.Pid}}
	var d drain
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	go func() { d.run(ctx); close(done) }()
	for range n {
		conn, err := dialTCP(ctx, addr, o.mss)
		if err != nil {
			return r, err
		}
		fd, err := detach(conn)
		if err != nil {
			conn.Close()
			return r, err
		}
		d.add(fd)
	}
	if err := pause(ctx, o.settle); err != nil {
		return r, err
	}
	err = t.window(ctx, o.window, &r, d.begin, func() {
		d.visit(func(bytes int64, stalled, lost bool) {
			r.Clients++
			r.Bytes += bytes
			if stalled {
				r.Stalled++
			}
			if lost {
				r.Lost++
			}
		})
	})
	if r.Lost > 0 {
		r.problem("%d sockets were closed", r.Lost)
	}
	return r, err
}

// floorServer is the process: args are the way, the beat, the bytes of one and
// the sockets to wait for. It prints its address and goes on until it is killed.
func floorServer(args []string) error {
	if len(args) != 4 {
		return errors.New("floor-server: want way, beat, bytes and sockets")
	}
	beat, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	bytes, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	var fds []int
	for range n {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		fd, err := detach(c.(*net.TCPConn))
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	return floorLoop(fds, args[0] == "sendfile", beat, bytes)
}

// floorLoop writes each beat's bytes once, as a server that encodes a stream
// once does, and sends them to every socket.
func floorLoop(fds []int, sendfile bool, beat time.Duration, bytes int) error {
	size := max(floorFile, bytes)
	fresh := []byte(strings.Repeat("fresh ", bytes/6+1))[:bytes]
	var file int
	var mem []byte
	used := size
	for range time.Tick(beat) {
		if used+bytes > size {
			if mem != nil {
				if err := errors.Join(unix.Munmap(mem), unix.Close(file)); err != nil {
					return err
				}
			}
			var err error
			if file, err = unix.MemfdCreate("floor", unix.MFD_CLOEXEC); err != nil {
				return err
			}
			if err := unix.Ftruncate(file, int64(size)); err != nil {
				return err
			}
			if mem, err = unix.Mmap(file, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
				return err
			}
			used = 0
		}
		copy(mem[used:], fresh)
		for _, fd := range fds {
			var err error
			if from := int64(used); sendfile {
				_, err = unix.Sendfile(fd, file, &from, bytes)
			} else {
				_, err = unix.SendmsgN(fd, mem[used:used+bytes], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			}
			if err != nil && !errors.Is(err, syscall.EAGAIN) {
				return err
			}
		}
		used += bytes
	}
	return nil
}

// runFloor measures the floor in turns with the servers.
func (c *command) runFloor(ctx context.Context) error {
	beat, err := time.ParseDuration(c.flush)
	if err != nil {
		return fmt.Errorf("-flush: %w", err)
	}
	for range c.rounds {
		for _, way := range floorWays {
			results, err := measureFloor(ctx, way, beat, c.steps, c.options)
			c.note(results)
			if err != nil {
				return err
			}
		}
		if err := c.round(ctx, func(ctx context.Context, t *target) ([]Result, error) {
			return measurePlay(ctx, t, c.steps, 1, c.options)
		}); err != nil {
			return err
		}
	}
	return nil
}
