//go:build linux

// Bench is rtmpd's load tool: publishers, RTMP players, HLS viewers and churn
// against rtmpd, nginx-rtmp or any other RTMP server, with the server's cost
// read from /proc.
//
//	go run ./bench goals                          the goals beside the results; what make bench runs
//	go run ./bench peers                          players against nginx-rtmp; what make bench-peers runs
//	go run ./bench publish -server rtmpd -n 100,300 [-hls]
//	go run ./bench record  -server nginx,rtmpd -n 300 -format flv,mp4   publishers whose streams are recorded on tmpfs
//	go run ./bench push    -server nginx,rtmpd -n 300 -mss 1448         publishers whose streams are pushed to this tool
//	go run ./bench play    -server nginx,rtmpd -n 100,500 -mss 1448 -rounds 3
//	go run ./bench play    -server rtmpd -n 500 -stopped 1   the same again with a player stopped by SIGSTOP
//	go run ./bench floor   -server nginx,rtmpd -n 500 -flush 100ms   beside what the kernel takes for the sends alone
//	go run ./bench hls     -server rtmpd -n 500
//	go run ./bench count   -n 500                 viewers counted, and the same files from a plain root
//	go run ./bench tokens  -n 500                 viewers with a token each and sessions, and without
//	go run ./bench rewrite -n 1000                publishers a second whose names the trigger PUSH_REWRITE makes
//	go run ./bench churn   -server rtmpd -parallel 64
//	go run ./bench start   -server rtmpd
//
// A server is "rtmpd" (built from ./cmd/rtmpd), "nginx" (from apt: nginx and
// libnginx-mod-rtmp), both started on free loopback ports with their files on
// tmpfs, or the URL of a running one: rtmp://host:port, with -pid for its cost
// and -http for its HLS. It needs the applications "live" and, for HLS, "hls"
// served below /hls/.
//
// What the figures mean: the server's cost is utime and stime of its process
// tree. Loopback charges the receiving half of TCP to the sender's system call
// and, where Nagle holds a segment back, its sending to the reader's; hence
// network-sized segments (-mss 1448) by default and a column with the tool's own
// cost. Players are emptied every 20 ms, in turns, without anybody waiting on
// their sockets. A contended machine makes servers batch more and look cheaper:
// compare only rows of one run and watch the column "others".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(code)
}

// A command is one invocation of the tool.
type command struct {
	options
	launcher
	servers  []string
	steps    []int // -n
	streams  int
	hls      bool
	parallel int
	rounds   int
	limit    time.Duration // of the whole invocation
	json     string
	pid      int
	http     string

	rates []int64 // peers only
	sizes []int   // peers only: TCP_MAXSEG

	formats []string  // record only
	sinks   *sink     // push only
	names   *rewriter // rewrite only

	results []Result // so far
}

// run is main with an exit code: 0, 1 for a failure or a goal missed, 2 for
// wrong usage.
func run(ctx context.Context, args []string) (int, error) {
	if len(args) == 0 {
		return 2, errors.New("usage: bench goals|peers|publish|record|push|play|floor|hls|low|count|tokens|rewrite|churn|start [flags]; -h after one of them lists its flags")
	}
	switch args[0] {
	case holdMode:
		return 1, hold(ctx, args[1:])
	case floorMode:
		return 1, floorServer(args[1:])
	}
	c, err := parse(args[0], args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	}
	if err != nil {
		return 2, err
	}
	if err := raiseFileLimit(20000); err != nil {
		return 1, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	defer c.launcher.close()
	if slices.Contains(c.servers, "rtmpd") {
		if err := c.build(ctx); err != nil {
			return 1, err
		}
	}
	if mode := args[0]; mode == "goals" || mode == "push" {
		if c.sinks, err = listenSink(ctx, c.mss); err != nil {
			return 1, err
		}
		defer c.sinks.listener.Close()
		c.sink = c.sinks.addr()
	}
	if mode := args[0]; mode == "goals" || mode == "rewrite" {
		if c.names, err = listenRewriter(ctx); err != nil {
			return 1, err
		}
		defer c.names.close()
		c.rewrite = c.names.url()
	}
	var goals []goal
	switch args[0] {
	case "goals":
		err = c.runGoals(ctx)
		goals = checkGoals(c.results)
	case "peers":
		err = c.runPeers(ctx)
		goals = peerGoals(c.results, c.flush)
	case "floor":
		err = c.runFloor(ctx)
	case "low":
		err = c.runLow(ctx, c.steps[0], c.options)
		goals = []goal{lowGoal(c.results, c.steps[0], c.bitRate)}
	case "count":
		err = c.runCount(ctx, c.steps[0])
		goals = []goal{countGoal(c.results, c.steps[0], c.bitRate, c.mss)}
	case "tokens":
		err = c.runTokens(ctx, c.steps[0])
		goals = []goal{tokensGoal(c.results, c.steps[0], c.bitRate, c.mss)}
	case "rewrite":
		err = c.runRewrite(ctx, c.steps[0])
		goals = rewriteGoals(c.results, c.steps[0], c.bitRate)
	default:
		err = c.repeat(ctx, args[0])
	}
	out := os.Stdout
	if c.json == "-" {
		out = os.Stderr
	}
	if len(c.results) > 0 {
		printTables(out, c.results)
	}
	if len(c.results) > 0 && goals != nil {
		printGoals(out, goals)
	}
	if c.json != "" {
		err = errors.Join(err, writeJSON(c.json, c.results, goals))
	}
	if err != nil || slices.ContainsFunc(goals, func(g goal) bool { return !g.met }) {
		return 1, err
	}
	return 0, nil
}

// open gives the server of the name: a fresh one, or the running one of a URL.
func (c *command) open(ctx context.Context, name string) (*target, error) {
	if !strings.HasPrefix(name, "rtmp://") {
		return c.start(ctx, name)
	}
	u, err := url.Parse(name)
	if err != nil {
		return nil, err
	}
	t := &target{name: u.Host, rtmp: u.Host, http: c.http}
	if u.Port() == "" {
		t.rtmp += ":1935"
	}
	if c.pid != 0 {
		if t.pids, err = processTree(c.pid); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// repeat measures one mode on each server in turns.
func (c *command) repeat(ctx context.Context, mode string) error {
	if mode == "record" {
		return c.turnsOfRecording(ctx, c.formats, c.steps, c.options)
	}
	return c.turns(ctx, func(ctx context.Context, t *target) ([]Result, error) {
		switch mode {
		case "publish":
			app := appLive
			if c.hls {
				app = appHLS
			}
			return measurePublish(ctx, t, app, c.steps, c.options)
		case "push":
			return measurePush(ctx, t, c.sinks, c.steps, c.options)
		case "play":
			return measurePlay(ctx, t, c.steps, c.streams, c.options)
		case "hls":
			return measureHLS(ctx, t, c.steps, c.options)
		case "churn":
			return single(measureChurn(ctx, t, c.parallel, c.options))
		default:
			return single(measureStart(ctx, t, c.options))
		}
	})
}

// turnsOfRecording measures publishers of recorded streams on each server in turns, one
// format after the other.
func (c *command) turnsOfRecording(ctx context.Context, formats []string, steps []int, o options) error {
	for _, format := range formats {
		if err := c.turns(ctx, func(ctx context.Context, t *target) ([]Result, error) {
			return measurePublish(ctx, t, appRecord+format, steps, o)
		}); err != nil {
			return err
		}
	}
	return nil
}

// turns runs measure on a fresh server of each name, A B A B, c.rounds times.
// What it measured before an error stays in c.results.
func (c *command) turns(ctx context.Context, measure func(context.Context, *target) ([]Result, error)) error {
	for range c.rounds {
		if err := c.round(ctx, measure); err != nil {
			return err
		}
	}
	return nil
}

// round runs measure once on a fresh server of each name.
func (c *command) round(ctx context.Context, measure func(context.Context, *target) ([]Result, error)) error {
	for _, name := range c.servers {
		t, err := c.open(ctx, name)
		if err != nil {
			return err
		}
		results, err := measure(ctx, t)
		if err != nil {
			err = fmt.Errorf("%s: %w%s", name, err, t.lastLog())
		}
		t.stop()
		c.note(results)
		if err != nil {
			return err
		}
	}
	return nil
}

// note keeps results and shows each in a line.
func (c *command) note(results []Result) {
	for _, r := range results {
		fmt.Fprintln(os.Stderr, r.line())
	}
	c.results = append(c.results, results...)
}

// single makes a list of one result, none if there was an error.
func single(r Result, err error) ([]Result, error) {
	if err != nil {
		return nil, err
	}
	return []Result{r}, nil
}
