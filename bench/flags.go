//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parse reads the flags of one mode.
func parse(mode string, args []string) (*command, error) {
	c := &command{}
	both := mode == "goals" || mode == "peers"
	window, limit, n := 8*time.Second, 10*time.Minute, "100"
	switch mode {
	case "goals":
		limit = 30 * time.Minute
	case "peers":
		n, limit = "100,500,1000", time.Hour
	case "publish":
	case "record", "push", "low":
		n = "300"
	case "play", "hls", "count", "tokens", "floor":
		n = "500"
	case "rewrite":
		n = "1000"
	case "churn":
	case "start":
	default:
		return nil, fmt.Errorf("unknown mode %q: goals, peers, publish, record, push, play, floor, hls, low, count, tokens, rewrite, churn, start", mode)
	}
	f := flag.NewFlagSet("bench "+mode, flag.ContinueOnError)
	servers, rounds, flush := "rtmpd", 1, ""
	if both {
		servers, rounds = "nginx,rtmpd", 3
	}
	switch mode {
	case "floor":
		servers, flush = "nginx,rtmpd", "100ms"
	case "record", "push":
		servers, rounds = "nginx,rtmpd", 3
	case "tokens", "rewrite":
		rounds = 3
	}
	f.StringVar(&servers, "server", servers, "servers, taken in turns: rtmpd, nginx or a rtmp:// URL")
	f.IntVar(&c.rounds, "rounds", rounds, "how often each server is measured")
	f.DurationVar(&c.window, "window", window, "measured time; a multiple of the GOP of 2 s")
	f.DurationVar(&c.settle, "settle", 2*time.Second, "time between the last client's arrival and the window")
	f.DurationVar(&c.limit, "limit", limit, "time after which everything is given up")
	f.DurationVar(&c.pace, "pace", 4*time.Millisecond, "time between two players' arrivals")
	f.StringVar(&c.json, "json", "", "file for the results as JSON; - is standard output")
	f.StringVar(&c.rtmpd, "rtmpd", "", "rtmpd binary (default: build ./cmd/rtmpd)")
	f.StringVar(&c.nginx, "nginx", "/usr/sbin/nginx", "nginx binary")
	f.StringVar(&c.module, "module", "/usr/lib/nginx/modules/ngx_rtmp_module.so", "nginx-rtmp module")
	f.StringVar(&c.flush, "flush", flush, "rtmpd's flush_interval (empty: its own), and the floor's beat")
	f.StringVar(&c.shm, "shm", "/dev/shm", "directory on tmpfs for the servers' files")
	f.IntVar(&c.pid, "pid", 0, "process of a server given by URL")
	f.StringVar(&c.http, "http", "", "host:port of the HLS of a server given by URL")
	f.StringVar(&n, "n", n, "publishers (publish, record, push; rewrite: a second), players or viewers: increasing numbers, one window each")
	rates, sizes := "2.65M", "1448"
	if mode == "peers" {
		rates, sizes = "2.65M,200k", "1448,0"
	}
	f.StringVar(&rates, "bitrate", rates, "bit rate of a stream, audio included")
	f.StringVar(&sizes, "mss", sizes, "TCP_MAXSEG of players, viewers and pushes; 0 is the loopback's 64 KiB")
	f.IntVar(&c.streams, "streams", 1, "streams that players are dealt out over")
	f.BoolVar(&c.hls, "hls", false, "publish into the application that writes HLS")
	formats := "flv,mp4"
	f.StringVar(&formats, "format", formats, "format of rtmpd's recordings (record): "+strings.Join(recordFormats, ", ")+"; nginx's are FLV")
	f.IntVar(&c.stopped, "stopped", 0, "players that are stopped (SIGSTOP) for a second window (play)")
	f.IntVar(&c.parallel, "parallel", 64, "set-ups in flight (churn)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	var err error
	c.servers, c.formats = strings.Split(servers, ","), strings.Split(formats, ",")
	for _, format := range c.formats {
		if !slices.Contains(recordFormats, format) {
			return nil, fmt.Errorf("-format %s: want some of %s", format, strings.Join(recordFormats, ", "))
		}
	}
	if c.steps, err = list(n, strconv.Atoi); err != nil {
		return nil, fmt.Errorf("-n: %w", err)
	}
	if !slices.IsSorted(c.steps) || c.steps[0] < 1 {
		return nil, fmt.Errorf("-n %s: want increasing numbers", n)
	}
	if c.sizes, err = list(sizes, strconv.Atoi); err != nil {
		return nil, fmt.Errorf("-mss: %w", err)
	}
	if c.rates, err = list(rates, parseRate); err != nil {
		return nil, fmt.Errorf("-bitrate: %w", err)
	}
	if c.streams < 1 || c.rounds < 1 || c.parallel < 1 || c.window <= 0 || c.pace <= 0 {
		return nil, errors.New("-streams, -rounds, -parallel, -window and -pace are at least 1")
	}
	c.mss, c.bitRate = c.sizes[0], c.rates[0]
	return c, nil
}

// list reads a comma-separated list.
func list[T any](text string, item func(string) (T, error)) ([]T, error) {
	var all []T
	for s := range strings.SplitSeq(text, ",") {
		v, err := item(strings.TrimSpace(s))
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// parseRate reads a bit rate: 200k, 2.65M or bits per second.
func parseRate(s string) (int64, error) {
	unit := 1.0
	if t, ok := strings.CutSuffix(s, "k"); ok {
		s, unit = t, 1e3
	} else if t, ok := strings.CutSuffix(s, "M"); ok {
		s, unit = t, 1e6
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, err
	}
	if v*unit < 50e3 || v*unit > 1e9 {
		return 0, fmt.Errorf("%s bit/s: want 50k to 1000M", s)
	}
	return int64(v * unit), nil
}
