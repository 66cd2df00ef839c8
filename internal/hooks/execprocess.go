package hooks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
)

var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
	"KILL": syscall.SIGKILL, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
}

// run starts the program and returns when it, and what it has left in its process
// group, are gone. After ctx the group gets kill_signal and, when kill_timeout is over
// or kill is closed, SIGKILL. What made a session of its own can't be followed.
func (c *Command) run(ctx context.Context, kill <-chan struct{}, v *voice, started func(pid int)) error {
	cmd := c.cmd()
	out, quiet, err := c.listen(v)
	if err != nil {
		return err
	}
	defer quiet()
	cmd.Stderr = out
	err = cmd.Start()
	out.Close()
	if err != nil {
		return err
	}
	started(cmd.Process.Pid)
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	select {
	case err = <-exited:
		exited = nil
	case <-ctx.Done():
	}
	rest := c.endGroup(cmd.Process.Pid, exited, kill)
	if exited != nil {
		err = rest
	}
	return err
}

const (
	// The pauses between two looks at whether a group is empty: they double.
	minLook = 2 * time.Millisecond
	maxLook = 100 * time.Millisecond
	// giveUp is how long after SIGKILL a process is waited for: the kernel may hold
	// it (a disk that does not answer), or it may be another user's (sudo).
	giveUp = 5 * time.Second
)

var errStays = errors.New("it does not end, not even after SIGKILL")

// endGroup ends the process group pgid. exited has what becomes of its leader; nil: it
// is gone already, and was reaped. As long as a group has members its number is
// nobody else's.
func (c *Command) endGroup(pgid int, exited chan error, kill <-chan struct{}) (err error) {
	began := time.Now()
	_ = syscall.Kill(-pgid, signals[c.Exec.KillSignal])
	var late, never <-chan time.Time
	if c.Exec.KillTimeout > 0 {
		t := time.NewTimer(c.Exec.KillTimeout)
		defer t.Stop()
		late = t.C
	}
	murder := func() {
		_ = syscall.Kill(-pgid, syscall.SIGKILL)
		kill, late = nil, nil
		never = time.After(giveUp)
	}
	for look := minLook; exited != nil || !groupGone(pgid, began); look = min(2*look, maxLook) {
		tick := time.NewTimer(look)
		select {
		case err = <-exited:
			exited = nil
		case <-late:
			murder()
		case <-kill:
			murder()
		case <-never:
			tick.Stop()
			c.Log.Error("exec: a process stays", zap.String("exec", c.title()), zap.Int("pid", pgid))
			return errStays
		case <-tick.C:
		}
		tick.Stop()
	}
	return err
}

// groupGone says whether no process is left in a group whose leader was reaped, but for
// dead ones that their new parent, process 1, has not reaped yet.
func groupGone(pgid int, since time.Time) bool {
	// Where rtmpd is process 1 it inherits the orphans.
	for {
		pid, err := syscall.Wait4(-pgid, nil, syscall.WNOHANG, nil)
		if pid <= 0 && !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	return errors.Is(syscall.Kill(-pgid, 0), syscall.ESRCH) || allDead(pgid, since)
}

// listen opens what the program writes standard error to: the block's file, or a pipe
// to the log. quiet ends that, after the process.
func (c *Command) listen(v *voice) (out *os.File, quiet func(), err error) {
	if c.Exec.Log != "" {
		// Whatever is at the path, opening it does not block.
		f, err := os.OpenFile(string(c.Exec.Log), os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640)
		if err != nil {
			return nil, nil, fmt.Errorf("log: %w", err)
		}
		return f, func() {}, nil
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		v.hear(r, c)
	}()
	return w, func() {
		// What has left the group may hold the other end for ever.
		_ = r.SetReadDeadline(time.Now().Add(lastWords))
		<-done
		r.Close()
	}, nil
}

// lastWords is how long the rest of what a program wrote may take.
const lastWords = 250 * time.Millisecond
