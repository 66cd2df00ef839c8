package fanout

import (
	"errors"
	"os"
	"sync"
	"time"
)

// A sink is how bytes get to one player. Its methods are the serving side's.
type sink interface {
	// serve runs the player's step, or has it run. False: it is done for.
	serve() bool
	// send writes b and says how much went; nothing means full.
	send(b []byte) (int, error)
	// sendLog does the same with a piece of the log.
	sendLog(seg *segment, off, end int64) (int, error)
}

// A connSink writes with a goroutine of its own, through net.Conn: for TLS,
// and where there is no raw socket to use. The flusher wakes it at its beat.
type connSink struct {
	p    *Player
	wake chan struct{}
	once sync.Once
}

// tlsRecord is how much is written at a time: what fits one TLS record.
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
	return !s.p.parted.Load()
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
				s.p.parted.Store(true)
				s.p.fl.poke(s.p)
				return
			}
		case <-s.p.gone:
			s.p.parted.Store(true)
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
