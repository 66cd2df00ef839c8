//go:build linux

package main

import (
	"context"
	"fmt"
	"hash/crc32"
	"sync"
	"sync/atomic"
	"time"
)

const (
	drains     = 2  // goroutines that drain; one does about 5000 players
	joinTokens = 32 // players between dialling and Play.Start
	firstOf    = 10 // one player in so many waits for its first video frame before it is drained
)

// A crowd is a number of RTMP players: one in sampleOf reads and checks every
// message, the others are drained in the kernel.
type crowd struct {
	addr, app string
	mss       int
	clock     clock
	table     *crc32.Table
	pace      time.Duration // between two joins

	latency recorder // publisher's stamp to a whole message at a player that checks
	first   recorder // play command to first video frame
	drains  [drains]drain

	mu      sync.Mutex
	joined  int
	players []*player
	lost    int   // players that could not join
	problem error // why the first one could not, or why a checking one ended
	playing sync.WaitGroup
}

// A player is one that checks.
type player struct {
	*checker
	bytes   atomic.Int64
	last    atomic.Int64 // when something came, on the tool's clock
	stalled atomic.Bool
	lost    atomic.Bool

	base struct{ bytes, gaps, damaged int64 } // at the window's begin
}

func newCrowd(ctx context.Context, t *target, app string, mss int, pace time.Duration, c clock) *crowd {
	r := &crowd{addr: t.rtmp, app: app, mss: mss, clock: c, pace: pace, table: crc32.MakeTable(crc32.Castagnoli)}
	for i := range r.drains {
		r.playing.Go(func() { r.drains[i].run(ctx) })
	}
	return r
}

// join lets n more players in, dealt out over the streams, and returns when
// each has the status that it plays. They leave with ctx.
func (c *crowd) join(ctx context.Context, n, streams int) error {
	var joining sync.WaitGroup
	tokens := make(chan struct{}, joinTokens)
	tick := time.NewTicker(c.pace)
	defer tick.Stop()
	for range n {
		index := c.joined
		c.joined++
		tokens <- struct{}{}
		joining.Go(func() {
			err := c.enter(ctx, index, streams, sync.OnceFunc(func() { <-tokens }))
			if err != nil && ctx.Err() == nil {
				c.fail(fmt.Errorf("player %d: %w", index, err))
			}
		})
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	joining.Wait()
	return ctx.Err()
}

func (c *crowd) fail(err error) {
	c.mu.Lock()
	c.lost++
	if c.problem == nil {
		c.problem = err
	}
	c.mu.Unlock()
}

// enter lets one player in and calls admitted when it plays or failed to. One
// of sampleOf checks; both kinds go round the streams.
func (c *crowd) enter(ctx context.Context, index, streams int, admitted func()) error {
	defer admitted()
	sampled := index%sampleOf == 0
	stream, buffer := index%streams, 4<<10
	if sampled {
		stream, buffer = index/sampleOf%streams, 64<<10
	}
	w, err := dialRTMP(ctx, c.addr, c.app, c.mss, buffer)
	if err != nil {
		return err
	}
	asked := time.Now()
	if err := w.play(streamName(stream)); err != nil {
		w.conn.Close()
		return err
	}
	admitted()
	return c.keep(ctx, w, index, stream, asked)
}

// keep reads from a connection over which the stream comes until ctx ends. It closes
// w.
func (c *crowd) keep(ctx context.Context, w *wire, index, stream int, asked time.Time) error {
	if index%sampleOf != 0 {
		if index%firstOf == 0 {
			if err := c.awaitVideo(w, asked); err != nil {
				w.conn.Close()
				return fmt.Errorf("wait for a video frame: %w", err)
			}
		}
		fd, err := detach(w.conn)
		if err != nil {
			w.conn.Close()
			return err
		}
		c.drains[index%drains].add(fd)
		return nil
	}
	p := &player{checker: &checker{table: c.table, stream: uint32(stream)}}
	c.mu.Lock()
	c.players = append(c.players, p)
	c.mu.Unlock()
	c.playing.Go(func() {
		defer w.conn.Close()
		if err := c.watch(ctx, w, p, asked); err != nil && ctx.Err() == nil {
			p.lost.Store(true)
			c.mu.Lock()
			c.problem = fmt.Errorf("player %d: %w", index, err)
			c.mu.Unlock()
		}
	})
	return nil
}

// awaitVideo reads to the first video frame after a play command.
func (c *crowd) awaitVideo(w *wire, asked time.Time) error {
	if err := w.conn.SetReadDeadline(asked.Add(replyTimeout)); err != nil {
		return err
	}
	for {
		m, err := w.read()
		if err != nil {
			return err
		}
		if m.kind == typeVideo && len(m.body) > flvVideoHeader+naluLength && m.body[1] != 0 {
			c.first.add(time.Since(asked))
			return nil
		}
	}
}

// watch reads and checks every message until ctx ends.
func (c *crowd) watch(ctx context.Context, w *wire, p *player, asked time.Time) error {
	stop := context.AfterFunc(ctx, func() { w.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	seen := false
	p.last.Store(int64(c.clock.now()))
	for {
		m, err := w.read()
		if err != nil {
			return err
		}
		now := c.clock.now()
		if now-time.Duration(p.last.Swap(int64(now))) > stallTime {
			p.stalled.Store(true)
		}
		p.bytes.Store(w.received)
		kind, header := kindVideo, flvVideoHeader+naluLength
		switch m.kind {
		case typeVideo:
		case typeAudio:
			kind, header = kindAudio, flvAudioHeader
		default:
			continue
		}
		if len(m.body) < header || m.body[1] == 0 { // a sequence header, or the server's own empty message
			continue
		}
		s, ok := p.frame(kind, m.body[header:])
		if !ok {
			continue
		}
		c.latency.add(now - s.sent)
		if kind == kindVideo && !seen {
			seen = true
			c.first.add(time.Since(asked))
		}
	}
}

// begin starts to count afresh.
func (c *crowd) begin() {
	c.mu.Lock()
	for _, p := range c.players {
		p.base.bytes, p.base.gaps, p.base.damaged = p.bytes.Load(), p.gaps.Load(), p.damaged.Load()
		p.stalled.Store(false)
	}
	c.mu.Unlock()
	for i := range c.drains {
		c.drains[i].begin()
	}
	c.latency.begin()
}

// end writes what the window saw into r.
func (c *crowd) end(r *Result) {
	latency := c.latency.end()
	slowest := int64(-1)
	count := func(bytes int64, stalled, lost bool) {
		r.Clients++
		r.Bytes += bytes
		if slowest < 0 || bytes < slowest {
			slowest = bytes
		}
		if stalled {
			r.Stalled++
		}
		if lost {
			r.Lost++
		}
	}
	for i := range c.drains {
		c.drains[i].visit(count)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.now()
	for _, p := range c.players {
		silent := now-time.Duration(p.last.Load()) > stallTime
		count(p.bytes.Load()-p.base.bytes, silent || p.stalled.Load(), p.lost.Load())
		r.Gaps += int(p.gaps.Load() - p.base.gaps)
		r.Damaged += int(p.damaged.Load() - p.base.damaged)
	}
	r.Sampled = len(c.players)
	r.Lost += c.lost
	r.SlowestRate = ratio(float64(slowest), ratio(float64(r.Bytes), float64(r.Clients)))
	r.P50, r.P99 = milliseconds(percentile(latency, 0.5)), milliseconds(percentile(latency, 0.99))
	if r.Lost > 0 {
		r.problem("lost players, first: %v", c.problem)
	}
}
