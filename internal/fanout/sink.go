package fanout

import (
	"errors"
	"os"
	"sync"
	"time"
)

// A sink sends bytes to one player. Only the goroutine that serves the player calls it.
type sink interface {
	// serve runs the player's step or wakes the goroutine that does. It returns
	// false when the player is closed.
	serve() bool
	// send writes b and returns how many bytes were sent; 0: the socket is full.
	send(b []byte) (int, error)
	// sendLog sends a part of the log.
	sendLog(seg *segment, off, end int64) (int, error)
}

// A connSink writes through net.Conn with a goroutine of its own: for TLS, and where
// there is no raw socket. The flusher wakes it at each pass.
type connSink struct {
	p    *Player
	wake chan struct{}
	once sync.Once
}

// tlsRecord is how many bytes are written at a time: the content of one TLS record.
const tlsRecord = 16 << 10

func newConnSink(p *Player) *connSink {
	return &connSink{p: p, wake: make(chan struct{}, 1)}
}

func (s *connSink) serve() bool {
	s.once.Do(func() { s.p.fl.conns.Go(s.run) })
	s.p.fl.sends++ // a wake-up costs about what a send does
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return !s.p.ended.Load()
}

func (s *connSink) run() {
	slow := false // the last step was held up: only then can the player be behind
	for {
		select {
		case <-s.wake:
			if slow {
				s.p.lag()
			}
			began := time.Now()
			alive := s.p.step()
			slow = time.Since(began) >= slowTick
			if !alive {
				s.p.ended.Store(true)
				s.p.fl.poke(s.p)
				return
			}
		case <-s.p.gone:
			s.p.ended.Store(true)
			s.p.fl.poke(s.p)
			return
		}
	}
}

func (s *connSink) send(b []byte) (int, error) {
	total := 0
	for len(b) > 0 {
		if s.p.o.Timeout > 0 {
			if err := s.p.conn.SetWriteDeadline(time.Now().Add(s.p.o.Timeout)); err != nil {
				return total, err
			}
		}
		n, err := s.p.conn.Write(b[:min(len(b), tlsRecord)])
		total += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = ErrStuck
		}
		if err != nil {
			return total, err
		}
		b = b[n:]
	}
	return total, nil
}

func (s *connSink) sendLog(seg *segment, off, end int64) (int, error) {
	return s.send(seg.mem[off:end])
}
