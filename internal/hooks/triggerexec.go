package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// handlerKill is how long after SIGTERM a handler that is late gets SIGKILL.
const handlerKill = time.Second

// execute runs the handler of a trigger: the payload is its standard input, its
// standard output the answer, and what it writes to standard error goes to the log. A
// status other than 0 is a failure. It, and what it has started, are gone when execute
// returns.
func (c *Caller) execute(ctx context.Context, t *config.Trigger, e Event) (string, error) {
	p := &Command{Exec: config.Exec{Kind: "trigger", Name: t.Name, KillSignal: "TERM", KillTimeout: handlerKill}, Log: c.log}
	if e.Hook == PushRewrite || e.Hook == RTMPPushRewrite {
		p.Exec.Environment = make(value.Environment) // what no line of the log may have
		for _, f := range e.payload.fields {
			p.Exec.Environment[f.name] = value.Secret(f.line)
		}
	}
	command := t.Handler.Command()
	cmd := exec.Command(command[0], append(command[1:], t.Name)...)
	cmd.Env, cmd.SysProcAttr = handlerEnvironment(t, e), ownSession()
	heard, quiet, err := p.listen(&c.voice)
	if err != nil {
		return "", err
	}
	defer quiet()
	defer heard.Close()
	in, err := newPipe()
	if err != nil {
		return "", err
	}
	defer in.close()
	out, err := newPipe()
	if err != nil {
		return "", err
	}
	defer out.close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in.r, out.w, heard
	err = cmd.Start()
	heard.Close()
	in.r.Close()
	out.w.Close()
	if err != nil {
		return "", err
	}
	return p.converse(ctx, cmd, in.w, out.r, body(t, e))
}

// body is the payload in the format that the block names.
func body(t *config.Trigger, e Event) []byte {
	if t.Format == "json" {
		return e.payload.object(e.Hook)
	}
	return e.payload.lines()
}

// converse writes to a program that was started, reads its answer, and ends its group.
func (c *Command) converse(ctx context.Context, cmd *exec.Cmd, in, out *os.File, payload []byte) (string, error) {
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, _ = in.Write(payload) // a program need not read it
		in.Close()
	}()
	read := make(chan []byte, 1)
	go func() {
		answer, _ := io.ReadAll(io.LimitReader(out, maxAnswer+1))
		read <- answer
	}()
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	var answer []byte
	var err error
	waiting := exited
	for done := false; !done; {
		select {
		case answer = <-read:
			read = nil
			done = waiting == nil || len(answer) > maxAnswer
		case err = <-waiting:
			waiting = nil
			// What it has left running may hold its standard output for ever.
			_ = out.SetReadDeadline(time.Now().Add(lastWords))
			done = read == nil
		case <-ctx.Done():
			done = true
		}
	}
	c.endGroup(cmd.Process.Pid, waiting, nil)
	_ = in.SetWriteDeadline(time.Unix(1, 0))
	_ = out.SetReadDeadline(time.Unix(1, 0))
	<-written
	if read != nil {
		<-read
	}
	switch {
	case len(answer) > maxAnswer:
		return cleanAnswer(answer)
	case waiting != nil:
		return "", cmp.Or(ctx.Err(), errors.New("it did not end"))
	case err != nil:
		return "", fmt.Errorf("it fails: %w", err)
	}
	return cleanAnswer(answer)
}

// A pipe is both ends of one. Closing an end twice does no harm.
type pipe struct{ r, w *os.File }

func newPipe() (p pipe, err error) {
	p.r, p.w, err = os.Pipe()
	return p, err
}

func (p pipe) close() {
	p.r.Close()
	p.w.Close()
}

// handlerEnvironment is all of what the environment of a handler holds: MistServer's
// variables beside a few of rtmpd's own environment.
func handlerEnvironment(t *config.Trigger, e Event) []string {
	out := []string{"PATH=" + cmp.Or(os.Getenv("PATH"), defaultPath)}
	for _, name := range strings.Fields(kept) {
		if v, ok := os.LookupEnv(name); ok {
			out = append(out, name+"="+v)
		}
	}
	return append(out,
		"MIST_TRIGGER="+t.Name, "MIST_TRIG_DEF="+t.Default, "MIST_PID="+strconv.Itoa(os.Getpid()),
		"MIST_INSTANCE=", "MIST_NAME=", "MIST_TUUID="+e.payload.uuid,
		"MIST_TIME="+strconv.FormatInt(e.payload.at.UnixMilli(), 10), "MIST_DATE="+e.payload.at.UTC().Format(http.TimeFormat))
}
