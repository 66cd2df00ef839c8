//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The scenarios of measureCount.
const (
	servedLive = "hls-live" // with viewers counted
	servedRoot = "hls-root" // as files of which the server knows nothing
)

// mirrored is where the server's other location finds the same files.
func (t *target) mirrored() string { return filepath.Join(t.dir, "mirror", "plain") }

// mirror keeps every segment, as another link to the same file, and a copy of
// every playlist in mirrored, until ctx ends.
func (t *target) mirror(ctx context.Context) error {
	if err := os.MkdirAll(t.mirrored(), 0o755); err != nil {
		return err
	}
	have := make(map[string]bool)
	for {
		if err := t.mirrorOnce(have); err != nil {
			return fmt.Errorf("mirror: %w", err)
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return nil
		}
	}
}

func (t *target) mirrorOnce(have map[string]bool) error {
	entries, err := os.ReadDir(t.segments())
	if err != nil {
		return err
	}
	there := make(map[string]bool)
	var lists []string
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."):
		case strings.HasSuffix(name, ".m3u8"):
			lists = append(lists, name)
		default:
			there[name] = true
			if have[name] {
				continue
			}
			if err := os.Link(filepath.Join(t.segments(), name), filepath.Join(t.mirrored(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			have[name] = true
		}
	}
	for _, name := range lists { // after the segments that they name
		text, err := os.ReadFile(filepath.Join(t.segments(), name))
		if err != nil {
			return err
		}
		aside := filepath.Join(t.mirrored(), "."+name)
		if err := os.WriteFile(aside, text, 0o644); err != nil {
			return err
		}
		if err := os.Rename(aside, filepath.Join(t.mirrored(), name)); err != nil {
			return err
		}
	}
	for name := range have {
		if !there[name] {
			delete(have, name)
			if err := os.Remove(filepath.Join(t.mirrored(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// measureCount measures the same viewers of the same files twice on one server:
// served live, where each of them is counted, and served by a root that is no
// hls path. Which comes first changes with the round.
func measureCount(ctx context.Context, t *target, n int, o options, round int) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := newPublishers(t, appHLS, o.bitRate, clock{time.Now()})
	defer p.sending.Wait()
	mirrored := make(chan error, 1)
	defer func() { cancel(); <-mirrored }()
	go func() { mirrored <- t.mirror(ctx) }()
	idle, err := treeMemory(t.pids)
	if err != nil {
		return nil, err
	}
	if err := p.add(ctx, 1); err != nil {
		return nil, err
	}
	both := [2][2]string{{servedLive, hlsPath(0)}, {servedRoot, "/plain/" + streamName(0) + ".m3u8"}}
	var results []Result
	for i := range both {
		which := both[(i+round)%2]
		r, err := measureAudience(ctx, t, p, &audience{path: which[1]}, n, o,
			Result{Scenario: which[0], Streams: 1, BitRate: o.bitRate, MSS: o.mss, Idle: idle})
		if err != nil {
			return results, fmt.Errorf("%s: %w", which[0], err)
		}
		results = append(results, r)
	}
	select {
	case err := <-mirrored:
		mirrored <- err
		return results, err
	default:
		return results, nil
	}
}
