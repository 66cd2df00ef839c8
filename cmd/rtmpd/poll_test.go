package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A poller is a viewer without patience: it fetches a playlist as fast as it
// can and believes nothing.
type poller struct {
	cancel context.CancelFunc
	fetch  func(name string) (status int, body []byte, err error) // name is relative to the playlist
	done   sync.WaitGroup
	began  time.Time
	reads  int
	err    error
}

func cmdPoll(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithCancel(context.Background())
	base, playlist := path.Split(args[1])
	p := &poller{cancel: cancel, began: time.Now()}
	if strings.HasPrefix(base, "http://") {
		p.fetch = func(name string) (int, []byte, error) {
			status, body, _, err := get(base + name)
			return status, body, err
		}
	} else {
		dir := ts.MkAbs(base)
		p.fetch = func(name string) (int, []byte, error) {
			body, err := os.ReadFile(filepath.Join(dir, name))
			return http.StatusOK, body, err
		}
	}
	benchOf(ts).polls[args[0]] = p
	p.done.Go(func() { p.err = p.run(ctx, playlist) })
	ts.Defer(cancel)
}

func cmdPolled(ts *testscript.TestScript, neg bool, args []string) {
	p := benchOf(ts).polls[args[0]]
	if len(args) > 1 {
		atLeast, err := time.ParseDuration(args[1])
		ts.Check(err)
		time.Sleep(time.Until(p.began.Add(atLeast))) // the length of the test, not a wait for something
	}
	p.cancel()
	p.done.Wait()
	if p.err != nil {
		ts.Fatalf("poller %s: %v\n%s", args[0], p.err, benchOf(ts).rtmpd.text())
	}
	if p.reads < 10 {
		ts.Fatalf("poller %s read the playlist %d times only", args[0], p.reads)
	}
	ts.Logf("poller %s: %d reads in %s", args[0], p.reads, time.Since(p.began).Round(time.Second))
}

func (p *poller) run(ctx context.Context, playlist string) error {
	var v viewer
	for ; ctx.Err() == nil; time.Sleep(2 * time.Millisecond) { // some 300 times a second, and half a core less
		status, body, err := p.fetch(playlist)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		p.reads++
		if status != http.StatusOK {
			return fmt.Errorf("read %d: status %d: %s", p.reads, status, body)
		}
		fresh, err := v.read(string(body))
		if err != nil {
			return fmt.Errorf("read %d: %w:\n%s", p.reads, err, body)
		}
		for _, uri := range fresh {
			if status, fragment, err := p.fetch(uri); err != nil || status != http.StatusOK || len(fragment) == 0 || len(fragment)%188 != 0 {
				return fmt.Errorf("read %d names %s, which answers %d %v, %d bytes:\n%s", p.reads, uri, status, err, len(fragment), body)
			}
		}
	}
	return nil
}

// A viewer remembers the last version of a playlist and checks that the next version
// agrees (RFC 8216 §6.2.1, §6.2.2).
type viewer struct {
	target  string
	byURI   map[int]string // media sequence number to URI
	newest  int
	discSeq map[int]int // sequence number to its discontinuity sequence
	started bool
}

// read checks one version and returns the URIs that are new in it.
func (v *viewer) read(text string) (fresh []string, err error) {
	if v.byURI == nil {
		v.byURI, v.discSeq = make(map[int]string), make(map[int]int)
	}
	lines := strings.Split(text, "\n")
	if lines[0] != "#EXTM3U" || !strings.HasSuffix(text, "\n") {
		return nil, errors.New("torn playlist")
	}
	seq, disc, target, entries := -1, 0, "", 0
	first := true
	for _, l := range lines {
		tag, value, _ := strings.Cut(l, ":")
		switch {
		case tag == "#EXT-X-TARGETDURATION":
			target = value
		case tag == "#EXT-X-MEDIA-SEQUENCE":
			if seq, err = strconv.Atoi(value); err != nil {
				return nil, err
			}
		case tag == "#EXT-X-DISCONTINUITY-SEQUENCE":
			if disc, err = strconv.Atoi(value); err != nil {
				return nil, err
			}
		case tag == "#EXT-X-DISCONTINUITY":
			disc++
		case tag == "#EXTINF":
			secs, err := strconv.ParseFloat(strings.TrimSuffix(value, ","), 64)
			limit, _ := strconv.Atoi(target)
			if err != nil || secs <= 0 || int(secs+0.5) > limit {
				return nil, fmt.Errorf("EXTINF %q with TARGETDURATION %s", value, target)
			}
		case l != "" && l[0] != '#':
			if first && v.started && seq > v.newest+1 {
				return nil, fmt.Errorf("sequence jumped from %d to %d between two reads", v.newest, seq)
			}
			first = false
			if old, ok := v.byURI[seq]; ok && old != l {
				return nil, fmt.Errorf("sequence %d was %s and is %s", seq, old, l)
			}
			if old, ok := v.discSeq[seq]; ok && old != disc {
				return nil, fmt.Errorf("sequence %d had discontinuity sequence %d, has %d", seq, old, disc)
			}
			if _, ok := v.byURI[seq]; !ok {
				if v.started && seq <= v.newest {
					return nil, fmt.Errorf("sequence %d appeared behind %d", seq, v.newest)
				}
				fresh = append(fresh, l)
				v.byURI[seq], v.discSeq[seq] = l, disc
			}
			v.newest = max(v.newest, seq)
			seq++
			entries++
		}
	}
	if entries == 0 {
		return nil, errors.New("playlist without a segment")
	}
	if v.started && target != v.target {
		return nil, fmt.Errorf("TARGETDURATION was %s and is %s", v.target, target)
	}
	v.target, v.started = target, true
	return fresh, nil
}
