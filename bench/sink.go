//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A sink is the server that the servers under test push their streams to. It accepts
// every publisher and reads as a crowd does.
type sink struct{ listener *net.TCPListener }

// listenSink opens a sink on a free port. mss, if not 0, is TCP_MAXSEG: what is
// pushed comes in segments as small as on an Ethernet.
func listenSink(ctx context.Context, mss int) (*sink, error) {
	l := net.ListenConfig{Control: limitSegments(mss)}
	listener, err := l.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &sink{listener.(*net.TCPListener)}, nil
}

func (s *sink) addr() string { return s.listener.Addr().String() }

// serve has what is pushed read by c until ctx ends.
func (s *sink) serve(ctx context.Context, c *crowd) {
	stop := context.AfterFunc(ctx, func() { s.listener.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	s.listener.SetDeadline(time.Time{}) // the turn before has set it
	for ctx.Err() == nil {
		conn, err := s.listener.AcceptTCP()
		if err != nil {
			continue
		}
		c.playing.Go(func() {
			if err := c.takePush(ctx, conn); err != nil && ctx.Err() == nil {
				c.fail(err)
			}
		})
	}
}

// takePush reads one pushed stream. A connection that ends before it publishes is
// none: a server that the turn before has stopped may have left it.
func (c *crowd) takePush(ctx context.Context, conn *net.TCPConn) error {
	w := &wire{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), chunkSize: 128, chunks: map[uint32]*chunkStream{}}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	name, err := w.accept()
	stop()
	number, found := strings.CutPrefix(name, streamPrefix)
	stream, nerr := strconv.Atoi(number)
	if err == nil && (!found || nerr != nil) {
		err = fmt.Errorf("stream %q was pushed", name)
	}
	if err != nil {
		conn.Close()
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	}
	c.mu.Lock()
	c.joined++
	c.mu.Unlock()
	return c.keep(ctx, w, stream, stream, time.Now())
}

// arrived returns when n streams are pushed.
func (c *crowd) arrived(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, replyTimeout)
	defer cancel()
	for {
		c.mu.Lock()
		joined, problem := c.joined, c.problem
		c.mu.Unlock()
		switch {
		case problem != nil:
			return problem
		case joined >= n:
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d streams are pushed: %w", joined, n, err)
		}
	}
}

// accept is the server's side of a connection until the client publishes: the name
// that it publishes.
func (w *wire) accept() (name string, err error) {
	if err := w.conn.SetDeadline(time.Now().Add(replyTimeout)); err != nil {
		return "", err
	}
	hello := make([]byte, 1+handshakeSize)
	if _, err := io.ReadFull(w.in, hello); err != nil {
		return "", fmt.Errorf("handshake: %w", err)
	}
	w.out = slices.Concat([]byte{3}, make([]byte, handshakeSize), hello[1:]) // S1 without digest
	if err := w.flush(); err != nil {
		return "", err
	}
	if _, err := io.ReadFull(w.in, hello[1:]); err != nil {
		return "", fmt.Errorf("handshake: %w", err)
	}
	w.append(2, typeSetChunkSize, 0, 0, binary.BigEndian.AppendUint32(nil, outChunkSize))
	for {
		m, err := w.read()
		if err != nil {
			return "", err
		}
		if m.kind != typeCommand {
			continue
		}
		name, published, err := w.answer(m.body)
		if err != nil {
			return "", err
		}
		if err := w.flush(); err != nil {
			return "", err
		}
		if published {
			return name, w.conn.SetDeadline(time.Time{})
		}
	}
}

// answer appends the yes to a command. published: the command was publish, of name.
func (w *wire) answer(command []byte) (name string, published bool, err error) {
	said, rest, ok := amfText(command)
	if !ok || len(rest) < 9 || rest[0] != 0 {
		return "", false, fmt.Errorf("command % x", command)
	}
	result := slices.Concat(amfString("_result"), rest[:9])
	switch said {
	case "connect":
		w.append(3, typeCommand, 0, 0, slices.Concat(result, amfObject("fmsVer", "FMS/3,0,1,123"),
			amfObject("level", "status", "code", "NetConnection.Connect.Success")))
	case "createStream":
		w.append(3, typeCommand, 0, 0, slices.Concat(result, amfNull(), amfNumber(1)))
	case "publish":
		if name, _, ok = amfText(rest[min(10, len(rest)):]); !ok { // behind a null
			return "", false, fmt.Errorf("publish % x", command)
		}
		w.append(3, typeCommand, 1, 0, slices.Concat(amfString("onStatus"), amfNumber(0), amfNull(),
			amfObject("level", "status", "code", "NetStream.Publish.Start", "description", "go on")))
		return name, true, nil
	default: // releaseStream, FCPublish
		w.append(3, typeCommand, 0, 0, slices.Concat(result, amfNull(), amfNull()))
	}
	return "", false, nil
}

// measurePush measures steps[0] streams, each of which the server pushes to s, then
// steps[1] in all, and so on, on one server.
func measurePush(ctx context.Context, t *target, s *sink, steps []int, o options) ([]Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := clock{time.Now()}
	p := newPublishers(t, appPush, o.bitRate, c)
	defer p.sending.Wait()
	crowd := newCrowd(ctx, t, appPush, o.mss, o.pace, c)
	defer crowd.playing.Wait()
	defer cancel()
	idle, err := treeMemory(t.pids)
	if err != nil {
		return nil, err
	}
	crowd.playing.Go(func() { s.serve(ctx, crowd) })
	var results []Result
	for _, n := range steps {
		if err := p.add(ctx, n-len(p.starts)); err != nil {
			return results, err
		}
		if err := crowd.arrived(ctx, n); err != nil {
			return results, err
		}
		if err := pause(ctx, o.settle); err != nil {
			return results, err
		}
		r := Result{Scenario: "push", Streams: n, BitRate: o.bitRate, MSS: o.mss, Idle: idle}
		err := t.window(ctx, o.window, &r, func() {
			p.late.begin()
			crowd.begin()
		}, func() { crowd.end(&r) })
		if err != nil {
			return results, err
		}
		p.report(&r)
		if r.Gaps > 0 || r.Damaged > 0 || r.Clients != n {
			r.problem("%d streams are pushed, %d messages were missed and %d damaged", r.Clients, r.Gaps, r.Damaged)
		}
		results = append(results, r)
	}
	return results, nil
}
