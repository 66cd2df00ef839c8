//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// holdMode has the tool be one player and nothing else: a process of its own,
// so that SIGSTOP stops it alone.
const holdMode = "hold"

// hold plays args: address, application, stream.
func hold(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("hold: want address, application and stream")
	}
	w, err := dialRTMP(ctx, args[0], args[1], 0, 4<<10)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	if err := w.play(args[2]); err != nil {
		return err
	}
	if err := w.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	for {
		if _, err := w.read(); err != nil {
			return err
		}
	}
}

// stopTime is until the socket of a stopped player is full: some megabytes.
const stopTime = 10 * time.Second

// measureStopped measures the crowd again, beside players of its first stream
// that have been stopped: their sockets stay open and take nothing.
func measureStopped(ctx context.Context, t *target, p *publishers, crowd *crowd, o options) (Result, error) {
	r := Result{Scenario: "play-stopped", BitRate: o.bitRate, MSS: o.mss}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	var held []*exec.Cmd
	defer func() {
		for _, c := range held {
			_ = c.Process.Kill()
			_ = c.Wait() // killed
		}
	}()
	for range o.stopped {
		c := exec.Command(self, holdMode, t.rtmp, appLive, streamName(0))
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			return r, fmt.Errorf("start a player: %w", err)
		}
		held = append(held, c)
	}
	if err := pause(ctx, max(o.settle, gop)); err != nil {
		return r, err
	}
	for _, c := range held {
		if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
			return r, fmt.Errorf("stop a player: %w", err)
		}
	}
	if err := pause(ctx, stopTime); err != nil {
		return r, err
	}
	err = t.window(ctx, o.window, &r, func() {
		p.late.begin()
		crowd.begin()
	}, func() { crowd.end(&r) })
	if err != nil {
		return r, err
	}
	p.report(&r)
	if r.Gaps > 0 || r.Damaged > 0 {
		r.problem("players that check missed %d messages and got %d damaged ones", r.Gaps, r.Damaged)
	}
	return r, nil
}
