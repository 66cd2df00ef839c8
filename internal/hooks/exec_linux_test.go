package hooks

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// patience bounds every wait: ten times what a slow machine needs.
const patience = 2 * time.Minute

func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// An execRig is Commands with a directory for what their scripts write.
type execRig struct {
	testing.TB
	*Commands
	dir  string
	log  *zap.Logger
	logs *observer.ObservedLogs
}

func newExecRig(t testing.TB) *execRig {
	core, logs := observer.New(zapcore.DebugLevel)
	r := &execRig{TB: t, dir: t.TempDir(), log: zap.New(core), logs: logs}
	r.Commands = NewCommands(r.log)
	t.Cleanup(func() {
		r.Close(time.Now(), time.Now().Add(patience))
		if t.Failed() {
			for _, e := range logs.All() {
				t.Log(e.Message, e.ContextMap())
			}
		}
	})
	return r
}

// script is a block that runs a script of sh with $DIR in its environment.
func (r *execRig) script(text string) Command {
	return Command{Log: r.log, Exec: config.Exec{
		Kind: "push", Name: "x", Command: value.Command{"sh", "-c", value.Template(strings.ReplaceAll(text, "$", "$$"))},
		Respawn: true, RespawnTimeout: 5 * time.Second, KillSignal: "TERM", KillTimeout: 5 * time.Second,
		Environment: value.Environment{"DIR": value.Secret(r.dir)},
	}}
}

func (r *execRig) file(name string) string {
	b, _ := os.ReadFile(filepath.Join(r.dir, name))
	return string(b)
}

// pid is what a script has written to a file with echo.
func (r *execRig) pid(name string) (pid int) {
	r.Helper()
	eventually(r, "a pid in "+name, func() bool {
		pid, _ = strconv.Atoi(strings.TrimSuffix(r.file(name), "\n"))
		return strings.HasSuffix(r.file(name), "\n") && pid > 0
	})
	return pid
}

// gone says whether a process is. A dead one may wait for process 1 to reap it.
func gone(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || bytes.Contains(b, []byte(") Z "))
}

func (r *execRig) ends(k *Kept) {
	r.Helper()
	select {
	case <-k.Done():
	case <-time.After(patience):
		r.Fatal("it does not end")
	}
}

func TestAProgramIsStartedWithWhatItNeedsAndNothingElse(t *testing.T) {
	t.Setenv("RTMPD_TEST_SECRET", "of the server's own")
	inherited, err := syscall.Dup(0) // as whoever started rtmpd may leave one
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(inherited)
	r := newExecRig(t)
	c := r.script(`env >$DIR/env; ls /proc/$$/fd >$DIR/fds; cat >$DIR/stdin; echo "$0|$1|$2|$3" >$DIR/args; ps -o pgid=,pid=,sid= -p $$ >$DIR/group`)
	c.Exec.Command = append(c.Exec.Command, "zero", "$name_low", "$args", "a b $$x $addr")
	c.Values = Values{Session: Session{App: "live", Addr: "10.0.0.1", FlashVer: "OBS\x00\n", ClientID: 7}, Name: "cam+1", Args: "--rm=1&key=secret", Publisher: "jo"}
	c.Exec.Kind = "publish"
	q := r.Queue()
	q.Run(c)
	eventually(t, "it has run", func() bool { return r.logs.FilterMessage("exec ended").Len() == 1 })
	if got := r.file("args"); got != "zero|cam+1_low|rm=1|a b $x 10.0.0.1\n" {
		t.Errorf("arguments %q", got)
	}
	for _, want := range []string{
		"RTMPD_APP=live\n", "RTMPD_NAME=cam+1\n", "RTMPD_BASE=cam\n", "RTMPD_WILDCARD=1\n", "RTMPD_PUBLISHER=jo\n", "RTMPD_CLIENTID=7\n", "RTMPD_FLASHVER=OBS\n",
		"RTMPD_ADDR=10.0.0.1\n", "RTMPD_ARGS=--rm=1\n", "DIR=" + r.dir + "\n", "PATH=",
	} {
		if !strings.Contains(r.file("env"), want) {
			t.Errorf("no %q in the environment:\n%s", want, r.file("env"))
		}
	}
	if strings.Contains(r.file("env"), "SECRET") || r.file("stdin") != "" {
		t.Errorf("environment:\n%s\nstandard input: %q", r.file("env"), r.file("stdin"))
	}
	if f := strings.Fields(r.file("group")); len(f) != 3 || f[0] != f[1] || f[1] != f[2] {
		t.Errorf("group, process, session: %v", f)
	}
	if fds := strings.Fields(r.file("fds")); len(fds) > 4 { // 0 to 2, and the shell's own while ls runs
		t.Errorf("descriptors %v", fds)
	}
}

func TestAProgramIsStartedAgainWithBackOff(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`echo $$ >>$DIR/pids; exit 3`)
	c.Exec.RespawnTimeout = 50 * time.Millisecond
	k := r.Keep(t.Context(), c, nil, nil)
	eventually(t, "four starts", func() bool { return strings.Count(r.file("pids"), "\n") >= 4 })
	eventually(t, "it shows why", func() bool { return k.State().Failing == "exit status 3" }) // the fourth may still run
	k.Stop()
	r.ends(k)
	var waits []time.Duration
	for _, e := range r.logs.FilterMessage("exec ended").All() {
		waits = append(waits, e.ContextMap()["retry_in"].(time.Duration))
	}
	if len(waits) < 3 || waits[0] != 50*time.Millisecond || waits[1] != 100*time.Millisecond || waits[2] != 200*time.Millisecond {
		t.Errorf("pauses %v", waits)
	}
}

func TestAProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	for _, program := range []value.Template{"rtmpd-no-such-program", "/no/such/program", "/etc/passwd"} {
		c := r.script("")
		c.Exec.Command = value.Command{program}
		k := r.Keep(t.Context(), c, nil, nil)
		eventually(t, "it fails", func() bool { return strings.Contains(k.State().Failing, string(program)) && !k.State().Retry.IsZero() })
		k.Stop()
		r.ends(k)
	}
}

func TestAProgramThatIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script("echo x >>$DIR/x")
	c.Exec.Respawn = false
	r.ends(r.Keep(t.Context(), c, nil, nil))
	if got := r.file("x"); got != "x\n" {
		t.Errorf("it ran: %q", got)
	}
}

// The whole group gets kill_signal, and KILL after kill_timeout.
func TestWhatIgnoresTheSignalIsKilled(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! >$DIR/child; echo $$ >$DIR/leader; while :; do sleep 1; done`)
	c.Exec.KillTimeout = 200 * time.Millisecond
	k := r.Keep(t.Context(), c, nil, nil)
	leader, child := r.pid("leader"), r.pid("child")
	began := time.Now()
	k.Stop()
	r.ends(k)
	if !gone(leader) || !gone(child) {
		t.Error("a process is left")
	}
	if time.Since(began) < 200*time.Millisecond {
		t.Error("it was killed before kill_timeout")
	}
}

// A child that closes its file after the signal has the time for it, although the
// script that started it is gone.
func TestAChildHasTheTimeItNeeds(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`(trap 'sleep 0.3; echo closed >$DIR/file; exit' TERM; echo $$ >$DIR/up; while :; do sleep 0.05; done) & wait`)
	k := r.Keep(t.Context(), c, nil, nil)
	r.pid("up")
	k.Stop()
	r.ends(k)
	if r.file("file") != "closed\n" {
		t.Error("the child was killed before it was done")
	}
}

// What forks and leaves goes with the group, at once and without a stop.
func TestWhatAProgramLeavesBehindIsEnded(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`(trap '' HUP; exec sleep 1000) & echo $! >$DIR/child; exit 0`)
	q := r.Queue()
	q.Run(c)
	child := r.pid("child")
	eventually(t, "the child is gone", func() bool { return gone(child) })
}

func TestAStopKillsAtTheDeadline(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`trap '' TERM; echo $$ >$DIR/leader; while :; do sleep 1; done`)
	c.Exec.KillTimeout = 0 // off: not before the stop
	k := r.Keep(t.Context(), c, nil, nil)
	leader := r.pid("leader")
	event := r.script(`echo $$ >$DIR/event; sleep 1000`)
	event.Exec.KillTimeout = 0
	q := r.Queue()
	q.Run(event)
	r.pid("event")
	k.Stop()
	began := time.Now()
	r.Close(time.Now(), time.Now().Add(300*time.Millisecond))
	if took := time.Since(began); took < 300*time.Millisecond || !gone(leader) || !gone(r.pid("event")) {
		t.Errorf("it took %s; gone: %v, %v", took, gone(leader), gone(r.pid("event")))
	}
	after := r.Keep(t.Context(), c, nil, nil)
	r.ends(after)
	q.Run(event)
}

// Events that run have the time until soft.
func TestAStopLetsEventsFinish(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	q := r.Queue()
	q.Run(r.script(`echo $$ >$DIR/up; sleep 0.3; echo done >$DIR/done`))
	r.pid("up")
	r.Close(time.Now().Add(patience), time.Now().Add(patience))
	if r.file("done") != "done\n" {
		t.Error("the event was cut off")
	}
}

// The next program of a stream begins when the one before is gone.
func TestTheNextWaitsForTheOneBefore(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`trap 'sleep 0.3; echo end >>$DIR/order; exit' TERM; echo begin >>$DIR/order; while :; do sleep 0.02; done`)
	first := r.Keep(t.Context(), c, nil, nil)
	eventually(t, "it runs", func() bool { return r.file("order") != "" })
	first.Stop()
	second := r.Keep(t.Context(), c, first.Done(), nil)
	eventually(t, "the second runs", func() bool { return strings.Count(r.file("order"), "begin") == 2 })
	if got := r.file("order"); got != "begin\nend\nbegin\n" {
		t.Errorf("order: %q", got)
	}
	second.Stop()
	r.ends(second)
}

func TestAProgramWaitsUntilItIsWanted(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`echo $$ >$DIR/up; sleep 1000`)
	c.Exec.RespawnTimeout = 10 * time.Millisecond
	asked := make(chan bool)
	k := r.Keep(t.Context(), c, nil, func() bool { return <-asked })
	asked <- false
	asked <- false
	if r.file("up") != "" {
		t.Error("it runs already")
	}
	asked <- true
	r.pid("up")
	k.Stop()
	r.ends(k)
}

// 1 GB of standard error is neither in memory nor in the log.
func TestAFloodOfLinesIsBounded(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	q := r.Queue()
	q.Run(r.script(`head -c 200000000 /dev/zero | tr '\0' 'x' >&2; echo >&2; yes 'a line' | head -c 5000000 >&2`))
	q.Run(r.script(`i=0; while [ $i -lt 20000 ]; do printf 'frame=%d\r' $i; i=$((i+1)); done >&2; echo 'last one' >&2`))
	eventually(t, "both have ended", func() bool { return r.logs.FilterMessage("exec ended").Len() == 2 })
	said := r.logs.FilterMessage("exec stderr").All()
	if len(said) < lineBurst/2 || len(said) > lineBurst+int(patience/lineEvery) {
		t.Errorf("%d lines in the log", len(said))
	}
	for _, e := range said {
		if line := e.ContextMap()["line"].(string); len(line) > maxLine || strings.Contains(line, "frame") {
			t.Errorf("a line of %d bytes: %.80q", len(line), line)
		}
	}
}

func TestLinesOfStandardError(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zapcore.DebugLevel)
	c := Command{Log: zap.New(core), Exec: config.Exec{
		Kind: "push", Name: "x", Environment: value.Environment{"TOKEN": "0123456789", "LANG": "C"},
		Command: value.Command{"ffmpeg", "-i", "rtmp://127.0.0.1/live/$name", "-f", "tee", "[f=flv]rtmp://a.example/live2/my-key|[f=flv]rtmps://b.example:443/x/k2?p=q"},
	}, Values: Values{Name: "cam"}}
	var v voice
	v.hear(strings.NewReader("one\r\ntwo\x1b[0m\n\n  \nprogress 1\rprogress 2\rend\n\xff\nfrom 'rtmp://127.0.0.1/live/cam'\nto rtmp://a.example/live2/my-key: no\nrtmps://b.example:443/x/k2?p=q\nTOKEN=0123456789 LANG=C\nno end"), &c)
	var got []string
	for _, e := range logs.All() {
		got = append(got, e.ContextMap()["line"].(string))
	}
	want := []string{"one", "two [0m", "end", "\uFFFD", "from 'rtmp://127.0.0.1/live/cam'", "to rtmp://a.example/***: no", "rtmps://b.example:443/***", "TOKEN=*** LANG=C", "no end"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestLinesGoToAFile(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`echo one >&2; echo two >&2`)
	c.Exec.Log = value.Path(filepath.Join(r.dir, "log"))
	q := r.Queue()
	q.Run(c)
	eventually(t, "both are there", func() bool { return r.file("log") == "one\ntwo\n" })
	c.Exec.Log = value.Path(filepath.Join(r.dir, "no", "log"))
	q.Run(c)
	eventually(t, "a log that can't be opened is an error", func() bool {
		l := r.logs.FilterMessage("exec failed").All()
		return len(l) == 1 && strings.Contains(fmt.Sprint(l[0].ContextMap()["error"]), "no/log")
	})
}

// However many events there are, only so many processes run.
func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	q := r.Queue()
	for range maxEventsAtOnce + maxEvents + 10 {
		q.Run(r.script(`echo $$ >>$DIR/pids; sleep 1000`))
	}
	eventually(t, "as many as may run", func() bool { return strings.Count(r.file("pids"), "\n") == maxEventsAtOnce })
	if n := r.logs.FilterMessageSnippet("events are lost").Len(); n != 1 {
		t.Errorf("%d lines about lost events", n)
	}
	q.Stop()
	r.Close(time.Now(), time.Now().Add(patience))
	if n := strings.Count(r.file("pids"), "\n"); n != maxEventsAtOnce {
		t.Errorf("%d have run", n)
	}
}

// A thousand programs leave no process and no zombie.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script("")
	c.Exec.Command = value.Command{"sleep", "1000"}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	q := r.Queue()
	for range 500 {
		k := r.Keep(ctx, c, nil, nil)
		eventually(t, "it runs", func() bool { return k.State().Target != "" })
		k.Stop()
		event := c
		event.Exec.Command = value.Command{"true"}
		q.Run(event)
		r.ends(k)
	}
	r.Close(time.Now().Add(patience), time.Now().Add(patience))
	if left := children(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// children are the names of this process's children that run /bin/sleep or true, or
// are dead and not reaped.
func children(t testing.TB) (out []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		name, rest, _ := bytes.Cut(b[bytes.IndexByte(b, '(')+1:], []byte(") "))
		f := strings.Fields(string(rest))
		if f[1] == strconv.Itoa(os.Getpid()) && (string(name) == "sleep" || string(name) == "true") {
			out = append(out, string(name)+" "+f[0])
		}
	}
	return out
}

// A program that closes its files on another signal gets that one.
func TestTheSignalIsTheBlocks(t *testing.T) {
	t.Parallel()
	r := newExecRig(t)
	c := r.script(`trap 'echo int >$DIR/got; exit' INT; trap 'echo term >$DIR/got; exit' TERM; echo $$ >$DIR/up; while :; do sleep 0.05; done`)
	c.Exec.KillSignal = "INT"
	k := r.Keep(t.Context(), c, nil, nil)
	r.pid("up")
	k.Stop()
	r.ends(k)
	if got := r.file("got"); got != "int\n" {
		t.Errorf("it got %q", got)
	}
}
