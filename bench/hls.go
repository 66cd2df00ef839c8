//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	pollInterval = time.Second // of the playlist, by every viewer
	fetchTimeout = 5 * time.Second
	// staleAfter is how long a playlist may stand still: 1.5 target durations
	// (RFC 8216bis §4.4.3.8 lets clients give up then) and the poll itself.
	staleAfter = 3*time.Second + pollInterval
	sampleOf   = 50 // one client in so many checks every frame
)

// An audience is a number of HLS viewers of one playlist and their counters.
type audience struct {
	addr  string             // host:port
	path  string             // of the playlist, media or multivariant
	query func(n int) string // of the n-th viewer's first request; nil: none
	mss   int
	clock clock
	check func() *checker // makes one for a viewer that checks

	fetches  recorder // request to last byte, playlists and segments
	ages     recorder // age of a segment's newest frame, from viewers that check
	notFound atomic.Int64
	stale    atomic.Int64
	lost     atomic.Int64                          // connections that broke or answers that made no sense
	base     struct{ notFound, stale, lost int64 } // at the window's begin
	sizes    sync.Map                              // segment URI to its length: every viewer must get the same

	mu       sync.Mutex
	viewers  []*viewer
	problem  error // the first that lost or damaged counted
	watching sync.WaitGroup
}

// A viewer is one HLS client with one keep-alive connection.
type viewer struct {
	*audience
	number  int      // in its User-Agent, so that servers tell viewers apart
	target  string   // path and query of the playlist; once known, of the media playlist
	checker *checker // nil: the viewer drains
	cookie  string   // the newest that it was given, as a line of its requests; kept as browsers do
	conn    net.Conn
	raw     syscall.RawConn
	in      *bufio.Reader
	got     atomic.Int64                       // bytes
	base    struct{ got, gaps, damaged int64 } // at the window's begin

	next    uint64 // media sequence number of the segment to fetch next; 0 before the first
	changed time.Time
}

// add starts n viewers, spread over one poll interval; they end with ctx.
func (a *audience) add(ctx context.Context, n int) {
	for i := range n {
		v := &viewer{audience: a}
		if i%sampleOf == 0 {
			v.checker = a.check()
		}
		a.mu.Lock()
		v.number = len(a.viewers)
		v.target = a.path
		if a.query != nil {
			v.target += "?" + a.query(v.number)
		}
		a.viewers = append(a.viewers, v)
		a.mu.Unlock()
		a.watching.Go(func() { v.watch(ctx, pollInterval*time.Duration(i)/time.Duration(n)) })
	}
}

// fail counts what went wrong and keeps the first reason.
func (a *audience) fail(err error) {
	a.lost.Add(1)
	a.mu.Lock()
	if a.problem == nil {
		a.problem = err
	}
	a.mu.Unlock()
}

// watch polls until ctx ends. A viewer that breaks counts and connects again.
func (v *viewer) watch(ctx context.Context, offset time.Duration) {
	if pause(ctx, offset) != nil {
		return
	}
	defer v.hangUp()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err := v.poll(ctx); err != nil && ctx.Err() == nil {
			v.fail(err)
			v.hangUp()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (v *viewer) hangUp() {
	if v.conn != nil {
		v.conn.Close()
		v.conn = nil
	}
}

// poll fetches the playlist and every segment that is new in it; the first
// time only the newest.
func (v *viewer) poll(ctx context.Context) error {
	p, err := v.playlist(ctx)
	if err != nil || p == nil {
		return err
	}
	if len(p.segments) == 0 {
		return errors.New("playlist without segments")
	}
	end := p.sequence + uint64(len(p.segments))
	switch {
	case v.next == 0:
		v.next, v.changed = end-1, time.Now()
	case end < v.next:
		return fmt.Errorf("media sequence fell from %d to %d", v.next, end)
	case end == v.next:
		if time.Since(v.changed) > staleAfter {
			v.stale.Add(1)
			v.changed = time.Now()
		}
		return nil
	case v.next < p.sequence: // this viewer slept through it
		if v.checker != nil {
			v.checker.forget()
		}
		v.next = p.sequence
	}
	for ; v.next < end; v.next++ {
		if err := v.segment(ctx, p.segments[v.next-p.sequence]); err != nil {
			return err
		}
	}
	v.changed = time.Now()
	return nil
}

// segment fetches one segment and, in a viewer that checks, all its frames.
func (v *viewer) segment(ctx context.Context, uri string) error {
	before := v.got.Load()
	body, err := v.get(ctx, sibling(v.target, uri), v.checker != nil)
	if err != nil {
		return err
	}
	size := v.got.Load() - before
	if other, known := v.sizes.LoadOrStore(uri, size); known && other != size {
		return fmt.Errorf("segment %s has %d bytes, another viewer got %d", uri, size, other)
	}
	if v.checker == nil || body == nil {
		return nil
	}
	newest, err := checkSegment(body, v.checker)
	if err != nil {
		v.checker.damaged.Add(1)
		return fmt.Errorf("segment %s: %w", uri, err)
	}
	v.ages.add(v.clock.now() - newest)
	return nil
}

// get requests a path. It returns the body when keep is set and nil when the
// answer is 404, which it counts; other bodies are thrown away in the kernel.
func (v *viewer) get(ctx context.Context, name string, keep bool) ([]byte, error) {
	began := time.Now()
	if v.conn == nil {
		conn, err := dialTCP(ctx, v.addr, v.mss)
		if err != nil {
			return nil, err
		}
		if v.raw, err = conn.SyscallConn(); err != nil {
			conn.Close()
			return nil, err
		}
		v.conn, v.in = conn, bufio.NewReaderSize(conn, 4<<10)
	}
	if err := v.conn.SetDeadline(began.Add(fetchTimeout)); err != nil {
		return nil, err
	}
	conn := v.conn
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := fmt.Fprintf(v.conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: rtmpd-bench/%d\r\n%s\r\n", name, v.addr, v.number, v.cookie); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(v.in, nil)
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	for _, c := range answer.Cookies() {
		v.cookie = "Cookie: " + c.Name + "=" + c.Value + "\r\n"
	}
	var body []byte
	switch {
	case keep || answer.StatusCode != http.StatusOK || answer.ContentLength < 0:
		if body, err = io.ReadAll(answer.Body); err == nil {
			v.got.Add(int64(len(body)))
		}
	default:
		err = v.discard(answer.ContentLength)
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if answer.Close {
		v.hangUp()
	}
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		v.notFound.Add(1)
		return nil, nil
	default:
		return nil, fmt.Errorf("get %s: %s", name, answer.Status)
	}
	v.fetches.add(time.Since(began))
	return body, nil
}

// discard drops n bytes of the connection, those in the socket without copying.
func (v *viewer) discard(n int64) error {
	v.got.Add(n)
	buffered, err := v.in.Discard(int(min(n, int64(v.in.Buffered()))))
	if err != nil {
		return err
	}
	n -= int64(buffered)
	var failed error
	for n > 0 && failed == nil {
		err := v.raw.Read(func(fd uintptr) bool {
			got, err := truncate(int(fd), n)
			switch {
			case err == syscall.EAGAIN:
				return false
			case err != nil:
				failed = err
			case got == 0:
				failed = io.ErrUnexpectedEOF
			}
			n -= got
			return true
		})
		failed = errors.Join(failed, err)
	}
	return failed
}

// begin starts to count afresh.
func (a *audience) begin() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.base.notFound, a.base.stale, a.base.lost = a.notFound.Load(), a.stale.Load(), a.lost.Load()
	for _, v := range a.viewers {
		v.base.got = v.got.Load()
		if v.checker != nil {
			v.base.gaps, v.base.damaged = v.checker.gaps.Load(), v.checker.damaged.Load()
		}
	}
	a.fetches.begin()
	a.ages.begin()
}

// end writes what the window saw into r.
func (a *audience) end(r *Result) {
	fetches, ages := a.fetches.end(), a.ages.end()
	a.mu.Lock()
	defer a.mu.Unlock()
	slowest := int64(-1)
	for _, v := range a.viewers {
		got := v.got.Load() - v.base.got
		r.Bytes += got
		if slowest < 0 || got < slowest {
			slowest = got
		}
		if v.checker != nil {
			r.Sampled++
			r.Gaps += int(v.checker.gaps.Load() - v.base.gaps)
			r.Damaged += int(v.checker.damaged.Load() - v.base.damaged)
		}
	}
	r.Clients = len(a.viewers)
	r.SlowestRate = ratio(float64(slowest), ratio(float64(r.Bytes), float64(r.Clients)))
	r.P50, r.P99 = milliseconds(percentile(fetches, 0.5)), milliseconds(percentile(fetches, 0.99))
	r.Age50 = milliseconds(percentile(ages, 0.5))
	r.NotFound = int(a.notFound.Load() - a.base.notFound)
	r.Stale = int(a.stale.Load() - a.base.stale)
	r.Lost = int(a.lost.Load() - a.base.lost)
	if r.Lost > 0 {
		r.problem("%d fetches failed, first: %v", r.Lost, a.problem)
	}
	if r.NotFound > 0 || r.Stale > 0 {
		r.problem("%d fetches found nothing, %d playlists stood still", r.NotFound, r.Stale)
	}
	if r.Gaps > 0 || r.Damaged > 0 {
		r.problem("viewers that check missed %d frames and got %d damaged ones", r.Gaps, r.Damaged)
	}
}
