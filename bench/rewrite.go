//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// rewriteTime is how long the handler of PUSH_REWRITE thinks.
	rewriteTime = 5 * time.Millisecond
	// rewriteLife is how long each publisher stays.
	rewriteLife = 50 * time.Millisecond
	// rewriteFlying bounds the publishers that are there at one time: those that come
	// and, at the rate of the goal, some 60 that stay.
	rewriteFlying = 512
	// rewriteOver is how much more often than the goal says publishers are begun.
	rewriteOver = 1.05
	// restTime is how long the server may take to be as it was.
	restTime = 20 * time.Second
)

const typedPrefix, shownPrefix = "typed", "shown"

// A rewriter is the handler of PUSH_REWRITE: it answers each name with another one.
type rewriter struct {
	listener net.Listener
	server   http.Server
	asked    atomic.Int64
	closed   chan error
}

// listenRewriter starts a rewriter on a free port. The caller closes it.
func listenRewriter(ctx context.Context) (*rewriter, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &rewriter{listener: listener, closed: make(chan error, 1)}
	r.server.Handler = http.HandlerFunc(r.answer)
	go func() { r.closed <- r.server.Serve(listener) }()
	return r, nil
}

func (r *rewriter) url() string { return "http://" + r.listener.Addr().String() + "/" }

func (r *rewriter) close() {
	r.server.Close()
	<-r.closed
}

// answer reads MistServer's lines: the URL, the address, the name.
func (r *rewriter) answer(w http.ResponseWriter, q *http.Request) {
	r.asked.Add(1)
	body, err := io.ReadAll(io.LimitReader(q.Body, 4<<10))
	lines := strings.Split(string(body), "\n")
	if err != nil || len(lines) < 3 || q.Header.Get("X-Trigger") != "PUSH_REWRITE" {
		http.Error(w, "no PUSH_REWRITE", http.StatusBadRequest)
		return
	}
	if pause(q.Context(), rewriteTime) == nil {
		io.WriteString(w, shownPrefix+strings.TrimPrefix(lines[2], typedPrefix))
	}
}

// rewriteConfig is what measureRewrite needs in rtmpd's configuration.
func (l *launcher) rewriteConfig() (applications, locations string) {
	if l.rewrite != "" {
		applications = fmt.Sprintf(`
  application %q {
    trigger "PUSH_REWRITE" {
      handler = %q
    }
  }
`, appRewrite, l.rewrite)
	}
	return applications, `
  location "/metrics" {
    metrics {}
  }
`
}

// measureRewrite begins rate publishers a second, and some more, each with a name of its
// own that the trigger replaces, and ends each after rewriteLife. Afterwards the server
// must have no stream, goroutine or descriptor more than before.
func measureRewrite(ctx context.Context, t *target, asked *atomic.Int64, rate int, o options) (Result, error) {
	r := Result{Scenario: "rewrite", Clients: rate, BitRate: o.bitRate}
	ctx, cancel := context.WithCancel(ctx)
	var flying sync.WaitGroup
	defer flying.Wait()
	defer cancel()
	var err error
	if r.Idle, err = treeMemory(t.pids); err != nil {
		return r, err
	}
	before, err := t.rest(ctx)
	if err != nil {
		return r, err
	}
	b := &burst{addr: t.rtmp}
	sending, stop := context.WithCancel(ctx)
	defer stop()
	flying.Go(func() { b.run(sending, ctx, &flying, float64(rate)*rewriteOver) })
	if err := pause(ctx, time.Second); err != nil {
		return r, err
	}
	var done, calls int64
	if err = t.window(ctx, o.window, &r, func() {
		done, calls = b.begun.Load(), asked.Load()
		b.times.begin()
	}, func() { done, calls = b.begun.Load()-done, asked.Load()-calls }); err != nil {
		return r, err
	}
	took := b.times.end()
	stop()
	flying.Wait()
	r.P50, r.P99 = milliseconds(percentile(took, 0.5)), milliseconds(percentile(took, 0.99))
	r.Rate = float64(done) / r.Seconds
	r.PerCycle = 1000 * ratio(r.ServerCPU, float64(done))
	r.Lost = int(b.failed.Load())
	if r.Lost > 0 {
		r.problem("%d publishers failed, first: %v", r.Lost, b.problem)
	}
	if float64(calls) < 0.9*float64(done) {
		r.problem("the handler was asked %d times about %d publishers", calls, done)
	}
	return r, t.rests(ctx, &r, before)
}

// A burst is publishers that come at a steady rate and go soon.
type burst struct {
	addr   string
	begun  atomic.Int64 // that the server let publish
	failed atomic.Int64
	times  recorder // from before the connection to NetStream.Publish.Start

	mu      sync.Mutex
	problem error // why the first one failed
}

// run begins publishers until sending ends; those that are there then end by themselves,
// or with ctx. What can't be begun in time, because too many are there, is left out.
func (b *burst) run(sending, ctx context.Context, flying *sync.WaitGroup, rate float64) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	room := make(chan struct{}, rewriteFlying)
	start, n := time.Now(), 0
	for {
		select {
		case <-sending.Done():
			return
		case <-tick.C:
		}
		for due := int(time.Since(start).Seconds() * rate); n < due; n++ {
			select {
			case room <- struct{}{}:
			default:
				continue
			}
			name := typedPrefix + strconv.Itoa(n)
			flying.Go(func() {
				defer func() { <-room }()
				if err := b.one(ctx, name); err != nil && ctx.Err() == nil {
					b.failed.Add(1)
					b.mu.Lock()
					if b.problem == nil {
						b.problem = err
					}
					b.mu.Unlock()
				}
			})
		}
	}
}

// one is the life of a publisher.
func (b *burst) one(ctx context.Context, name string) error {
	began := time.Now()
	w, err := dialRTMP(ctx, b.addr, appRewrite, 0, 4<<10)
	if err != nil {
		return err
	}
	defer w.conn.Close()
	stop := context.AfterFunc(ctx, func() { w.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := w.publish(name); err != nil {
		return err
	}
	b.begun.Add(1)
	b.times.add(time.Since(began))
	w.append(5, typeData, w.stream, 0, metadata(0))
	w.append(6, typeVideo, w.stream, 0, avcSequenceHeader())
	w.append(4, typeAudio, w.stream, 0, aacSequenceHeader())
	if err := w.flush(); err != nil {
		return err
	}
	if err := pause(ctx, rewriteLife); err != nil {
		return err
	}
	w.append(3, typeCommand, 0, 0, slices.Concat(amfString("deleteStream"), amfNumber(4), amfNull(), amfNumber(float64(w.stream))))
	if err := w.begin("NetStream.Unpublish.Success"); err != nil {
		return err
	}
	// A reset in place of a FIN, so that the port is free again at once.
	return w.conn.SetLinger(0)
}

// atRest are the figures of rtmpd's metrics that must be as before.
var atRest = []string{"rtmpd_streams", "rtmpd_publishers", "go_goroutines", "process_open_fds"}

// rest reads them.
func (t *target) rest(ctx context.Context) (map[string]float64, error) {
	v := &viewer{audience: &audience{addr: t.http}}
	defer v.hangUp()
	text, err := v.get(ctx, "/metrics", true)
	if err != nil {
		return nil, err
	}
	got := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if slices.Contains(atRest, name) {
			if got[name], err = strconv.ParseFloat(value, 64); err != nil {
				return nil, fmt.Errorf("metrics: %q: %w", line, err)
			}
		}
	}
	if len(got) != len(atRest) {
		return nil, fmt.Errorf("metrics have %v, want %v", got, atRest)
	}
	return got, nil
}

// rests notes in r what the server has not given back within restTime. Its connections
// to the handler may stay for the next question, each with two goroutines.
func (t *target) rests(ctx context.Context, r *Result, before map[string]float64) error {
	const kept = 64
	allowed := map[string]float64{"go_goroutines": 2*kept + 4, "process_open_fds": kept + 4}
	for began := time.Now(); ; {
		now, err := t.rest(ctx)
		if err != nil {
			return err
		}
		var left []string
		for _, name := range atRest {
			if now[name] > before[name]+allowed[name] {
				left = append(left, fmt.Sprintf("%s %g, before %g", name, now[name], before[name]))
			}
		}
		if len(left) == 0 {
			return nil
		}
		if time.Since(began) > restTime {
			r.problem("after it: %s", strings.Join(left, ", "))
			return nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}
