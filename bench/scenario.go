//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Options are what the user can change about a measurement.
type options struct {
	window  time.Duration // measured
	settle  time.Duration // before it, after the last client came
	bitRate int64         // of each stream, message bodies
	mss     int           // of players and viewers; 0: the loopback's
	pace    time.Duration // between two players' joins
	stopped int           // players that are stopped in a second window
}

// hlsPath is the playlist of the n-th stream.
func hlsPath(n int) string { return "/hls/" + streamName(n) + ".m3u8" }

// measurePublish measures steps[0] publishers without watchers, then
// steps[1] in all, and so on, on one server.
func measurePublish(ctx context.Context, t *target, app string, steps []int, o options) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := newPublishers(t, app, o.bitRate, clock{time.Now()})
	defer p.sending.Wait()
	defer cancel()
	idle, err := treeMemory(t.pids)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, n := range steps {
		if err := p.add(ctx, n-len(p.starts)); err != nil {
			return results, err
		}
		if err := pause(ctx, o.settle); err != nil {
			return results, err
		}
		r := Result{Scenario: "publish-" + app, Streams: n, BitRate: o.bitRate, Idle: idle}
		var before int64
		err := t.window(ctx, o.window, &r, func() {
			before = p.bytes.Load()
			p.late.begin()
		}, func() { r.Bytes = p.bytes.Load() - before })
		if err != nil {
			return results, err
		}
		p.report(&r)
		results = append(results, r)
	}
	return results, nil
}

// report notes in r how the publishers fared.
func (p *publishers) report(r *Result) {
	r.Late = milliseconds(percentile(p.late.end(), 0.99))
	if n := p.lost.Load(); n > 0 {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.problem("lost %d publishers: %v", n, p.problem)
	}
}

// measurePlay measures steps[0] players dealt out over the streams, then
// steps[1] in all, and so on, on one server.
func measurePlay(ctx context.Context, t *target, steps []int, streams int, o options) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := clock{time.Now()}
	p := newPublishers(t, appLive, o.bitRate, c)
	defer p.sending.Wait()
	crowd := newCrowd(ctx, t, appLive, o.mss, o.pace, c)
	defer crowd.playing.Wait()
	defer cancel()
	idle, err := treeMemory(t.pids)
	if err != nil {
		return nil, err
	}
	if err := p.add(ctx, streams); err != nil {
		return nil, err
	}
	if err := pause(ctx, max(o.settle, gop)); err != nil { // some servers refuse players of a young stream
		return nil, err
	}
	base, err := treeMemory(t.pids)
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, n := range steps {
		crowd.first.begin()
		if err := crowd.join(ctx, n-crowd.joined, streams); err != nil {
			return results, err
		}
		if err := pause(ctx, o.settle); err != nil {
			return results, err
		}
		r := Result{Scenario: "play", Streams: streams, BitRate: o.bitRate, MSS: o.mss, Idle: idle, Base: base}
		first := crowd.first.end()
		r.First50, r.First99 = milliseconds(percentile(first, 0.5)), milliseconds(percentile(first, 0.99))
		err := t.window(ctx, o.window, &r, func() {
			p.late.begin()
			crowd.begin()
		}, func() { crowd.end(&r) })
		if err != nil {
			return results, err
		}
		p.report(&r)
		if r.Gaps > 0 || r.Damaged > 0 {
			r.problem("players that check missed %d messages and got %d damaged ones", r.Gaps, r.Damaged)
		}
		if len(first) == 0 {
			r.problem("no player that checks saw a video frame")
		}
		results = append(results, r)
		if o.stopped > 0 {
			r, err := measureStopped(ctx, t, p, crowd, o)
			if err != nil {
				return results, err
			}
			r.Streams, r.Idle, r.Base = streams, idle, base
			results = append(results, r)
		}
	}
	return results, nil
}

// measureHLS measures steps[0] viewers of one stream's HLS, then steps[1] in
// all, and so on, on one server.
func measureHLS(ctx context.Context, t *target, steps []int, o options) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := clock{time.Now()}
	p := newPublishers(t, appHLS, o.bitRate, c)
	defer p.sending.Wait()
	a := &audience{addr: t.http, path: hlsPath(0), mss: o.mss, clock: c}
	a.check = func() *checker { return &checker{table: p.table} }
	defer a.watching.Wait()
	defer cancel()
	idle, err := treeMemory(t.pids)
	if err != nil {
		return nil, err
	}
	if err := p.add(ctx, 1); err != nil {
		return nil, err
	}
	if _, err := a.waitPlayable(ctx, 15*time.Second); err != nil {
		return nil, err
	}
	var results []Result
	for _, n := range steps {
		a.add(ctx, n-len(a.viewers))
		// Two segments, so that everybody has fetched one, but at least settle.
		if err := pause(ctx, max(o.settle, 2*gop)); err != nil {
			return results, err
		}
		r := Result{Scenario: "hls", Streams: 1, BitRate: o.bitRate, MSS: o.mss, Idle: idle}
		err := t.window(ctx, o.window, &r, func() {
			p.late.begin()
			a.begin()
		}, func() { a.end(&r) })
		if err != nil {
			return results, err
		}
		p.report(&r)
		results = append(results, r)
	}
	return results, nil
}

// measureAudience measures, for one window, n viewers of the playlist of a, which p publishes.
func measureAudience(ctx context.Context, t *target, p *publishers, a *audience, n int, o options, r Result) (Result, error) {
	ctx, stop := context.WithCancel(ctx)
	a.addr, a.mss, a.clock = t.http, o.mss, p.clock
	a.check = func() *checker { return &checker{table: p.table} }
	defer a.watching.Wait()
	defer stop()
	if _, err := a.waitPlayable(ctx, 15*time.Second); err != nil {
		return r, err
	}
	a.add(ctx, n)
	if err := pause(ctx, max(o.settle, 2*gop)); err != nil { // everybody has fetched a segment
		return r, err
	}
	err := t.window(ctx, o.window, &r, func() {
		p.late.begin()
		a.begin()
	}, func() { a.end(&r) })
	if err == nil {
		p.report(&r)
	}
	return r, err
}

// measureChurn sets up players as fast as the server lets it, with parallel of
// them in flight, and closes each as soon as it has the status that it plays.
func measureChurn(ctx context.Context, t *target, parallel int, o options) (Result, error) {
	r := Result{Scenario: "churn", Streams: 1, BitRate: o.bitRate, MSS: o.mss}
	ctx, cancel := context.WithCancel(ctx)
	p := newPublishers(t, appLive, o.bitRate, clock{time.Now()})
	var churning sync.WaitGroup
	defer p.sending.Wait()
	defer churning.Wait()
	defer cancel()
	var err error
	if r.Idle, err = treeMemory(t.pids); err != nil {
		return r, err
	}
	if err := p.add(ctx, 1); err != nil {
		return r, err
	}
	var cycles, failed atomic.Int64
	var times recorder
	for range parallel {
		churning.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				w, err := dialRTMP(ctx, t.rtmp, appLive, o.mss, 4<<10)
				if err == nil {
					err = w.play(streamName(0))
					w.conn.Close()
				}
				if err != nil && ctx.Err() == nil {
					failed.Add(1)
					continue
				}
				cycles.Add(1)
				times.add(time.Since(began))
			}
		})
	}
	if err := pause(ctx, time.Second); err != nil {
		return r, err
	}
	var before, after int64
	err = t.window(ctx, o.window, &r, func() {
		before = cycles.Load()
		times.begin()
	}, func() {
		after = cycles.Load()
		r.Lost = int(failed.Load())
	})
	if err != nil {
		return r, err
	}
	took := times.end()
	r.P50, r.P99 = milliseconds(percentile(took, 0.5)), milliseconds(percentile(took, 0.99))
	r.Rate = float64(after-before) / r.Seconds
	r.PerCycle = 1000 * ratio(r.ServerCPU, float64(after-before))
	if r.Lost > 0 {
		r.problem("%d set-ups failed", r.Lost)
	}
	return r, nil
}

// measureStart measures the cost of a server that has just started and how soon it
// makes the first HLS playlist: late after the end of the first GOP.
func measureStart(ctx context.Context, t *target, o options) (Result, error) {
	r := Result{Server: t.name, Scenario: "start", Streams: 1, BitRate: o.bitRate, Startup: milliseconds(t.startup)}
	if err := pause(ctx, time.Second); err != nil {
		return r, err
	}
	var err error
	if r.Idle, err = treeMemory(t.pids); err != nil {
		return r, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := clock{time.Now()}
	p := newPublishers(t, appHLS, o.bitRate, c)
	defer p.sending.Wait()
	defer cancel()
	if err := p.add(ctx, 1); err != nil {
		return r, err
	}
	a := &audience{addr: t.http, path: hlsPath(0), clock: c}
	playable, err := a.waitPlayable(ctx, 15*time.Second)
	if err != nil {
		return r, err
	}
	r.Playable = milliseconds(playable.Sub(p.starts[0].Add(gop)))
	return r, nil
}

// waitPlayable returns when the playlist and the first segment it names could
// be fetched.
func (a *audience) waitPlayable(ctx context.Context, limit time.Duration) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	v := &viewer{audience: &audience{addr: a.addr}, target: a.path}
	if a.query != nil {
		v.target += "?" + a.query(0)
	}
	defer v.hangUp()
	for {
		p, err := v.playlist(ctx)
		if err != nil {
			return time.Time{}, fmt.Errorf("wait for %s: %w", a.path, err)
		}
		if p != nil && len(p.segments) > 0 {
			body, err := v.get(ctx, sibling(v.target, p.segments[0]), true)
			if err != nil {
				return time.Time{}, err
			}
			if len(body) > 0 {
				return time.Now(), nil
			}
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return time.Time{}, errors.Join(fmt.Errorf("%s is not playable", a.path), err)
		}
	}
}
