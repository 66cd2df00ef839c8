package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdTop runs rtmpd top in a terminal of 80x24 until it has shown all that the
// arguments after the configuration match, makes the terminal larger, where it
// must show more, and presses q: it must leave with 0 and give the terminal back.
func cmdTop(ts *testscript.TestScript, neg bool, args []string) {
	p := &process{cmd: exec.Command(filepath.Join(binDir(ts), "rtmpd"), "top", "-c", args[0]), done: make(chan struct{})}
	p.cmd.Dir = ts.Getenv("WORK")
	p.cmd.Env = append(os.Environ(), "TERM=xterm-256color", "XDG_STATE_HOME="+ts.Getenv("XDG_STATE_HOME"), "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"))
	tty, err := pty.StartWithSize(p.cmd, &pty.Winsize{Cols: 80, Rows: 24})
	ts.Check(err)
	go func() {
		_, _ = io.Copy(p, tty) // ends with the process: EIO
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	ts.Defer(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		tty.Close()
	})
	ended := func() bool {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	}
	shows := func(pattern string) {
		re := regexp.MustCompile(pattern)
		waitUntil(ts, func() string { return "rtmpd top never showed " + pattern + ":\n" + p.text() },
			func() bool { return ended() || re.MatchString(p.text()) })
	}
	for _, pattern := range args[1:] {
		shows(pattern)
	}
	if strings.Contains(p.text(), "total") {
		ts.Fatalf("80 columns show what is for 120:\n%s", p.text())
	}
	ts.Check(pty.Setsize(tty, &pty.Winsize{Cols: 120, Rows: 40}))
	shows("total")
	_, err = io.WriteString(tty, "q")
	ts.Check(err)
	waitUntil(ts, func() string { return "q does not end rtmpd top:\n" + p.text() }, ended)
	const leave = "\x1b[?1049l" // of the alternate screen
	if text := p.text(); p.err != nil || !strings.Contains(text, leave) {
		ts.Fatalf("rtmpd top: %v\n%q", p.err, text)
	}
}
