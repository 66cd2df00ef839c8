package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	// The scripts wait for media most of their time, not for a processor. -parallel,
	// which is parsed later, wins.
	if err := flag.Set("test.parallel", "5"); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"rtmpd": main})
}

// TestScripts runs the scripts in testdata/script with the real binary and real clients.
// Commands besides testscript's own:
//
//	serve CONFIG [ARG…]     start rtmpd in the background, wait until it serves;
//	                        sets $RTMP and $HTTP to its addresses
//	waitlog [-n N] REGEXP   wait until N lines of rtmpd's log match (default 1)
//	nolog REGEXP            no line of the log matches
//	hup | usr1 | int | quit  signal rtmpd
//	term | kill9 | ended    signal rtmpd or not, wait for its end: with 0, after kill9 without
//	publish NAME SECS ARG…  ffmpeg publishes in the background; ARG… come before the URL
//	unpublish NAME          wait for that ffmpeg's own end; it must succeed
//	cut NAME                kill -9 that ffmpeg: a lost connection
//	fetch STATUS URL FILE   GET (follows no redirect), save the body
//	waitfor URL REGEXP      poll URL until its body matches
//	republish NAME FILE ARG… URL  ffmpeg publishes the file as it is
//	push NAME MS URL FILE…  publish FLV files on one connection, from that timestamp on
//	pushed NAME             wait for the end of that push
//	player [-nobody] NAME COMMAND…  a player in the background
//	played NAME…            wait for the players' own ends
//	suffix FILE ORIGINAL GOP MIN [LACKS]  FILE's pictures are the last ones of ORIGINAL, whole GOPs
//	wholes FILE GOP MIN     FILE has whole GOPs
//	decoded NAME GOP MIN    a GStreamer player decoded whole GOPs
//	spare N                 leave rtmpd N descriptors more than it has open (off: plenty)
//	crowd N                 hold N silent connections to rtmpd
//	rising FILE             timestamps of an FLV file never fall
//	frames FILE|URL OP N    decoded video frames (OP: -ge -eq -le)
//	poll NAME URL|FILE      poll a playlist all the time, in the background, over HTTP
//	                        or on disk, where rtmpd may end and start meanwhile
//	polled NAME [DURATION]  stop polling, after DURATION of it at the earliest: every
//	                        answer was 200, whole and true
//	swap FILE OLD NEW       replace text in FILE, by rename, as editors do
//	reloads N FILE A B C    swap B and C behind A in FILE N times, each waited for
//	sh COMMAND              a line of shell; $EXAMPLES and $SCRIPTS are the tree's directories
//	publishkey NAME SECS KEYFILE ARG… URL  publish, with the key behind URL
//	topkeys CONFIG REGEXP…  rtmpd top in a terminal, until it has shown each; q ends it
//	nologfile FILE          the log holds the key in FILE only where it was made
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Values[benchKey{}] = &bench{pubs: make(map[string]*process), polls: make(map[string]*poller), players: make(map[string]*watcher), pushes: make(map[string]*pushed)}
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("XDG_RUNTIME_DIR", filepath.Join(e.WorkDir, "run"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": cmdServe, "waitlog": cmdWaitLog, "nolog": cmdNoLog,
			"hup": cmdSignal(syscall.SIGHUP), "usr1": cmdSignal(syscall.SIGUSR1), "int": cmdSignal(syscall.SIGINT), "quit": cmdSignal(syscall.SIGQUIT),
			"term": cmdSignal(syscall.SIGTERM), "paused": cmdPaused, "kill9": cmdSignal(syscall.SIGKILL), "ended": cmdEnded,
			"publish": cmdPublish, "unpublish": cmdUnpublish, "cut": cmdCut,
			"fetch": cmdFetch, "waitfor": cmdWaitFor, "frames": cmdFrames,
			"poll": cmdPoll, "polled": cmdPolled, "swap": cmdSwap,
			"reloads": cmdReloads, "sh": cmdSh, "publishkey": cmdPublishKey, "nologfile": cmdNoLogFile,
			"topkeys": cmdTop, "republish": cmdRepublish, "push": cmdPush, "pushed": cmdPushed,
			"player": cmdPlayer, "played": cmdPlayed, "suffix": cmdSuffix, "wholes": cmdWholes, "decoded": cmdDecoded, "rising": cmdRising, "spare": cmdSpare, "crowd": cmdCrowd,
		},
	})
}

// patience bounds every wait: ten times what a slow machine needs.
const patience = 60 * time.Second

type benchKey struct{}

// A bench holds the processes of one script.
type bench struct {
	rtmpd   *process
	pubs    map[string]*process
	polls   map[string]*poller
	players map[string]*watcher
	pushes  map[string]*pushed
	crowd   []net.Conn
}

func benchOf(ts *testscript.TestScript) *bench { return ts.Value(benchKey{}).(*bench) }

// A process is a child with its output kept.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // valid after done

	enough func() // ends what it reads; nil: it ends by itself

	mu  sync.Mutex
	out bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func start(ts *testscript.TestScript, name string, args ...string) *process {
	return startWith(ts, nil, name, args...)
}

// startWith is start for a command that reads stdin.
func startWith(ts *testscript.TestScript, stdin io.Reader, name string, args ...string) *process {
	path, err := exec.LookPath(name)
	if err != nil {
		ts.Fatalf("%s is missing: apt-get install ffmpeg (make test does it)", name)
	}
	p := &process{cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Dir = ts.Getenv("WORK")
	p.cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+ts.Getenv("XDG_STATE_HOME"), "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"))
	if key := ts.Getenv("SHOW_KEY"); key != "" {
		p.cmd.Env = append(p.cmd.Env, "SHOW_KEY="+key)
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, p, p
	ts.Check(p.cmd.Start())
	go func() { p.err = p.cmd.Wait(); close(p.done) }()
	ts.Defer(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// waitUntil polls cond until it holds; the script fails with what otherwise.
func waitUntil(ts *testscript.TestScript, what func() string, cond func() bool) {
	for deadline := time.Now().Add(patience); !cond(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("timed out: %s", what())
		}
	}
}

var listening = regexp.MustCompile(`listening \{"for": "(rtmp|http|https)", "listener": "([^"]+)"\}`)

func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	b := benchOf(ts)
	p := start(ts, filepath.Join(binDir(ts), "rtmpd"), append([]string{"-c"}, args...)...)
	b.rtmpd = p
	waitUntil(ts, p.text, func() bool {
		select {
		case <-p.done:
			return true
		default:
			return strings.Contains(p.text(), "rtmpd started")
		}
	})
	if !strings.Contains(p.text(), "rtmpd started") {
		ts.Fatalf("rtmpd ended: %v\n%s", p.err, p.text())
	}
	for _, m := range listening.FindAllStringSubmatch(p.text(), -1) {
		ts.Setenv(strings.ToUpper(m[1]), m[2])
	}
}

// binDir is where testscript put the commands of TestMain.
func binDir(ts *testscript.TestScript) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, "rtmpd")); err == nil {
			return dir
		}
	}
	ts.Fatalf("no rtmpd in PATH")
	return ""
}

func cmdWaitLog(ts *testscript.TestScript, neg bool, args []string) {
	n := 1
	if len(args) == 3 && args[0] == "-n" {
		n, _ = strconv.Atoi(args[1])
		args = args[2:]
	}
	re := regexp.MustCompile("(?m)" + args[0])
	p := benchOf(ts).rtmpd
	waitUntil(ts, func() string { return fmt.Sprintf("no %q in the log:\n%s", args[0], p.text()) },
		func() bool { return len(re.FindAllStringIndex(p.text(), -1)) >= n })
}

func cmdNoLog(ts *testscript.TestScript, neg bool, args []string) {
	p := benchOf(ts).rtmpd
	if m := regexp.MustCompile("(?m)^.*" + args[0] + ".*$").FindString(p.text()); m != "" {
		ts.Fatalf("the log has: %s\n\n%s", m, p.text())
	}
}

func cmdSignal(sig syscall.Signal) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		p := benchOf(ts).rtmpd
		ts.Check(p.cmd.Process.Signal(sig))
		switch sig {
		case syscall.SIGTERM:
			cmdEnded(ts, neg, nil)
		case syscall.SIGKILL:
			<-p.done
		}
	}
}

// cmdPaused has rtmpd not run for a while.
func cmdPaused(ts *testscript.TestScript, neg bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	p := benchOf(ts).rtmpd.cmd.Process
	ts.Check(p.Signal(syscall.SIGSTOP))
	time.Sleep(d)
	ts.Check(p.Signal(syscall.SIGCONT))
}

func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	p := benchOf(ts).rtmpd
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("rtmpd does not end:\n%s", p.text())
	}
	if p.err != nil {
		ts.Fatalf("rtmpd: %v\n%s", p.err, p.text())
	}
}

// cmdPublish: testsrc2 and a beep, 640x360 at 30 fps, a keyframe each second.
func cmdPublish(ts *testscript.TestScript, neg bool, args []string) {
	name, secs, rest := args[0], args[1], args[2:]
	url := rest[len(rest)-1]
	opts := rest[:len(rest)-1]
	in := []string{
		"-nostdin", "-hide_banner", "-loglevel", "warning", "-re",
		"-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30", "-f", "lavfi", "-i", "sine=frequency=440:beep_factor=4:sample_rate=48000",
		"-t", secs, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "30", "-keyint_min", "30", "-sc_threshold", "0",
		"-b:v", "600k", "-c:a", "aac", "-b:a", "96k", "-ac", "2",
	}
	all := append(append(in, opts...), "-rw_timeout", "15000000", "-f", "flv", url)
	benchOf(ts).pubs[name] = start(ts, "ffmpeg", all...)
}

func cmdUnpublish(ts *testscript.TestScript, neg bool, args []string) {
	p := benchOf(ts).pubs[args[0]]
	if p.enough != nil {
		p.enough()
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("ffmpeg %s does not end:\n%s\n%s", args[0], p.text(), benchOf(ts).rtmpd.text())
	}
	if (p.err != nil) != neg {
		ts.Fatalf("ffmpeg %s: %v\n%s\n%s", args[0], p.err, p.text(), benchOf(ts).rtmpd.text())
	}
}

func cmdCut(ts *testscript.TestScript, neg bool, args []string) {
	p := benchOf(ts).pubs[args[0]]
	_ = p.cmd.Process.Kill() // it may have ended with the server
	<-p.done
}

var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func get(url string) (status int, body []byte, header http.Header, err error) {
	res, err := client.Get(url)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	var buf bytes.Buffer
	_, err = buf.ReadFrom(res.Body)
	return res.StatusCode, buf.Bytes(), res.Header, err
}

func cmdFetch(ts *testscript.TestScript, neg bool, args []string) {
	status, body, header, err := get(args[1])
	ts.Check(err)
	if want, _ := strconv.Atoi(args[0]); status != want {
		ts.Fatalf("GET %s: %d, want %d\n%s\n%s", args[1], status, want, body, benchOf(ts).rtmpd.text())
	}
	if len(args) > 2 {
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), body, 0o644))
		var h bytes.Buffer
		_ = header.Write(&h)
		ts.Check(os.WriteFile(ts.MkAbs(args[2]+".header"), h.Bytes(), 0o644))
	}
}

func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	re := regexp.MustCompile("(?s)" + args[1])
	var last string
	waitUntil(ts, func() string {
		return fmt.Sprintf("%s never matched %q; last:\n%s\n%s", args[0], args[1], last, benchOf(ts).rtmpd.text())
	}, func() bool {
		status, body, _, err := get(args[0])
		last = fmt.Sprint(status, err, "\n", string(body))
		return err == nil && status == 200 && re.Match(body)
	})
}

func cmdFrames(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", args[0])
	cmd.Dir = ts.Getenv("WORK")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		ts.Fatalf("ffprobe %s: %v\n%s", args[0], err, stderr.String())
	}
	got, _ := strconv.Atoi(strings.Trim(strings.SplitN(string(out), "\n", 2)[0], " ,\r"))
	want, _ := strconv.Atoi(args[2])
	ok := map[string]bool{"-ge": got >= want, "-eq": got == want, "-le": got <= want}[args[1]]
	if !ok {
		ts.Fatalf("%s has %d frames, want %s %d", args[0], got, args[1], want)
	}
}

func cmdSwap(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	s := strings.Replace(string(b), args[1], args[2], 1)
	if s == string(b) {
		ts.Fatalf("%s does not have %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(path+"~", []byte(s), 0o644))
	ts.Check(os.Rename(path+"~", path))
}

func cmdReloads(ts *testscript.TestScript, neg bool, args []string) {
	n, _ := strconv.Atoi(args[0])
	p := benchOf(ts).rtmpd
	old, new := args[3], args[4]
	for i := range n {
		cmdSwap(ts, false, []string{args[1], old, new})
		old, new = new, old
		want := i + 1
		waitUntil(ts, func() string { return fmt.Sprintf("reload %d is not logged:\n%s", want, p.text()) },
			func() bool { return strings.Count(p.text(), "configuration reloaded") >= want })
	}
}

func cmdSh(ts *testscript.TestScript, neg bool, args []string) {
	cmd := exec.Command("sh", "-c", args[0])
	cmd.Dir = ts.Getenv("WORK")
	tree, err := filepath.Abs("../..")
	ts.Check(err)
	cmd.Env = append(os.Environ(), "PATH="+ts.Getenv("PATH"), "EXAMPLES="+filepath.Join(tree, "examples"), "SCRIPTS="+filepath.Join(tree, "scripts"),
		"XDG_STATE_HOME="+ts.Getenv("XDG_STATE_HOME"), "XDG_RUNTIME_DIR="+ts.Getenv("XDG_RUNTIME_DIR"), "RTMP="+ts.Getenv("RTMP"), "HTTP="+ts.Getenv("HTTP"))
	if out, err := cmd.CombinedOutput(); err != nil {
		ts.Fatalf("%s: %v\n%s", args[0], err, out)
	}
}

func cmdPublishKey(ts *testscript.TestScript, neg bool, args []string) {
	key := strings.TrimSpace(ts.ReadFile(args[2]))
	rest := append([]string{args[0], args[1]}, args[3:]...)
	rest[len(rest)-1] += key
	cmdPublish(ts, neg, rest)
}

func cmdNoLogFile(ts *testscript.TestScript, neg bool, args []string) {
	key := strings.TrimSpace(ts.ReadFile(args[0]))
	for line := range strings.Lines(benchOf(ts).rtmpd.text()) {
		if strings.Contains(line, key) && !strings.Contains(line, "made just now") {
			ts.Fatalf("the log has the key: %s", line)
		}
	}
}
