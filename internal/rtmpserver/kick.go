package rtmpserver

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// Kick implements origin.Publisher.
func (s *session) Kick(r origin.Reason) { s.kick(publisherCode(r.Rule), r.Text) }

// A kick is why the server ends a session, as it is told to the client.
type kick struct {
	code, reason string
	told         chan struct{} // closed once that is done
}

// kick ends the session from outside, once: the client is told code and reason
// where it can be told. It does not block. The reader goes on reading: two
// readers would each get half of a message.
func (s *session) kick(code, reason string) { s.kickAfter(0, code, reason) }

// kickAfter lets a player have what there is of its stream before, for as long
// as drain.
func (s *session) kickAfter(drain time.Duration, code, reason string) {
	k := &kick{code, reason, make(chan struct{})}
	if !s.kicked.CompareAndSwap(nil, k) {
		return
	}
	running := s.srv.goes.Go(func() {
		defer close(k.told)
		conn := s.conn.Load()
		if conn == nil {
			s.nc.Close()
			return
		}
		s.leaveFan(drain)
		s.tell(conn, "error", code, reason)
		_ = s.nc.SetReadDeadline(time.Now()) // run wakes up, and lingers
		time.AfterFunc(s.lingerTime(), func() { s.nc.Close() })
	})
	if !running { // the server is gone: nobody waits for words
		close(k.told)
		s.nc.Close()
	}
}

// leaveFan takes the socket back from the fan, if it has it. A player that takes
// nothing is closed: there is nobody to tell.
func (s *session) leaveFan(drain time.Duration) {
	s.mu.Lock()
	pl := s.player
	s.mu.Unlock()
	if pl == nil || pl.fan == nil {
		return
	}
	limit := s.lingerTime()
	leave := func() ([]byte, bool) { return pl.fan.Leave(limit) }
	if drain > 0 {
		leave = func() ([]byte, bool) { return pl.fan.Drain(drain) }
	}
	if s.regain(pl, limit, leave) != nil {
		pl.fan.Close()
	}
}

// tell sends a status in the little time that a refused client gets.
func (s *session) tell(conn *rtmp.Conn, level, code, reason string) {
	conn.LimitWrites(s.lingerTime())
	if conn.WriteStatus(1, level, code, reason) == nil {
		_ = conn.Flush()
	}
}

const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
	// stopLingerTime is lingerTime in a server that stops.
	stopLingerTime = 50 * time.Millisecond
)

// lingerTime bounds each step of an ending: nobody waits for a client that does
// not read.
func (s *session) lingerTime() time.Duration {
	if s.srv.Origin.Stopping() {
		return stopLingerTime
	}
	return lingerTime
}

// linger lets the status just sent arrive.
func (s *session) linger() {
	listen.Linger(s.nc, s.lingerTime(), lingerBytes)
}

// finish tells a client why it is ended and writes the session's one last
// line. lingers: the client was told something that must arrive.
func (s *session) finish(err error) (lingers bool) {
	if errors.Is(err, errTurnedAway) {
		return false
	}
	if k := s.kicked.Load(); k != nil {
		<-k.told
		s.log.Info("session closed by the server", zap.String("reason", k.reason), s.streamField(), s.age())
		return s.conn.Load() != nil
	}
	var r *refusal
	refused := errors.As(err, &r)
	if !refused && peersFault(err) {
		r = &refusal{rtmp.StatusFailed, err.Error()}
	}
	if conn := s.conn.Load(); conn != nil && r != nil {
		if r.code != "" {
			s.tell(conn, "error", r.code, r.reason)
		}
		lingers = true
	}
	switch {
	case s.conn.Load() == nil && errors.Is(err, io.EOF):
		s.log.Debug("session closed", zap.String("reason", reasonText(err)), s.age()) // load balancers do that every two seconds
	case err == nil, errors.Is(err, errBye), errors.Is(err, io.EOF):
		log := s.log.Info
		if s.published || s.visit.play { // the line about the end of what it did has been written
			log = s.log.Debug
		}
		log("session ended", s.streamField(), s.age())
	case s.visit.play && !s.visit.publish && r == nil: // VLC leaves with a reset, others vanish
		s.log.Debug("session ended", zap.String("reason", reasonText(err)), s.streamField(), s.age())
	case refused:
		s.log.Warn("session refused", zap.String("reason", r.reason), s.streamField(), s.age())
	default:
		s.log.Warn("session closed", zap.String("reason", reasonText(err)), s.streamField(), s.age())
	}
	return lingers
}

// peersFault says whether err is what a client did wrong, not a connection that
// was closed or broke: then there is somebody to tell.
func peersFault(err error) bool {
	var broken net.Error
	return err != nil && !errors.Is(err, errBye) && !errors.Is(err, io.EOF) &&
		!errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &broken)
}

func (s *session) age() zap.Field {
	return zap.Int64("dur_ms", time.Since(s.started).Milliseconds())
}

// reasonText is err for a log line: without the addresses that net's errors
// repeat, the line has them already. "read: " stands there once, although both the
// net.OpError and the os.SyscallError in it say so.
func reasonText(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		text := op.Op + ": " + strings.TrimPrefix(op.Err.Error(), op.Op+": ")
		return strings.Replace(err.Error(), op.Error(), text, 1)
	}
	return err.Error()
}
