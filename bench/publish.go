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

// Publishers are a number of synthetic streams sent in real time, each message
// in one write, as encoders do.
type publishers struct {
	addr, app string
	suffix    string // of the streams' names
	shape     shape
	clock     clock
	table     *crc32.Table
	noise     []byte

	bytes atomic.Int64 // of message bodies
	lost  atomic.Int64 // publishers that ended too early
	late  recorder     // how long after its time a message was written

	starts  []time.Time // when each publisher sent its first message
	mu      sync.Mutex
	problem error // why the first one was lost
	sending sync.WaitGroup
}

func newPublishers(t *target, app string, bitsPerSecond int64, c clock) *publishers {
	return &publishers{
		addr: t.rtmp, app: app, shape: newShape(bitsPerSecond), clock: c,
		table: crc32.MakeTable(crc32.Castagnoli), noise: noise(),
	}
}

const streamPrefix = "bench"

// streamName is the name of the n-th stream.
func streamName(n int) string { return fmt.Sprintf("%s%d", streamPrefix, n) }

// add starts n more publishers, spread over one GOP so that their keyframes
// do not coincide, and returns when all are sending. They end with ctx.
func (p *publishers) add(ctx context.Context, n int) error {
	first := len(p.starts)
	for i := range n {
		w, err := dialRTMP(ctx, p.addr, p.app, 0, 4<<10)
		if err != nil {
			return err
		}
		if err := w.publish(streamName(first+i) + p.suffix); err != nil {
			w.conn.Close()
			return fmt.Errorf("publish %s/%s: %w", p.app, streamName(first+i), err)
		}
		s := &source{shape: &p.shape, noise: p.noise, table: p.table, stream: uint32(first + i)}
		start := time.Now()
		p.starts = append(p.starts, start)
		p.sending.Go(func() {
			defer w.conn.Close()
			if err := p.send(ctx, w, s, start); err != nil && ctx.Err() == nil {
				p.lost.Add(1)
				p.mu.Lock()
				p.problem = err
				p.mu.Unlock()
			}
		})
		if i < n-1 {
			if err := pause(ctx, time.Until(start.Add(gop/time.Duration(n)))); err != nil {
				return err
			}
		}
	}
	return nil
}

// send writes the stream in real time from start on until ctx ends.
func (p *publishers) send(ctx context.Context, w *wire, s *source, start time.Time) error {
	stop := context.AfterFunc(ctx, func() { w.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	w.append(5, typeData, w.stream, 0, metadata(p.shape.bitsPerSecond))
	w.append(6, typeVideo, w.stream, 0, avcSequenceHeader())
	w.append(4, typeAudio, w.stream, 0, aacSequenceHeader())
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due := start.Add(s.due())
		if wait := time.Until(due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-timer.C:
			}
		}
		video, at, body := s.next(p.clock.now())
		chunkStream, kind := byte(4), byte(typeAudio)
		if video {
			chunkStream, kind = 6, typeVideo
		}
		w.append(chunkStream, kind, w.stream, uint32(at/time.Millisecond), body)
		if err := w.flush(); err != nil {
			return fmt.Errorf("publisher %s: %w", streamName(int(s.stream)), err)
		}
		p.bytes.Add(int64(len(body)))
		p.late.add(time.Since(due))
	}
}
