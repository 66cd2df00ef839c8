package server

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
)

// A connection that never says what it wants is closed, however busy it keeps.
func TestAStrangerHasAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := &Server{log: zap.NewNop(), live: make(map[uint64]*session)}
		svc := &service{srv: srv}
		svc.rules.Store(&serviceRules{cfg: &config.RTMP{HandshakeTimeout: time.Hour}})
		ours, theirs := net.Pipe()
		s := &session{srv: srv, svc: svc, raw: ours, nc: ours, log: zap.NewNop(), started: time.Now()}
		srv.ctx = context.Background()
		srv.startSession(s)
		go func() { _, _ = io.Copy(io.Discard, theirs) }()
		start := time.Now()
		go func() { // one byte a second of a handshake that never ends
			for {
				if _, err := theirs.Write([]byte{3}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		srv.sessions.Wait()
		if d := time.Since(start); d < strangerTime || d > strangerTime+5*time.Second {
			t.Errorf("closed after %s, want about %s", d, strangerTime)
		}
		if k := s.kicked.Load(); k == nil || !strings.Contains(k.reason, "neither publish nor play") {
			t.Errorf("closed for %v", k)
		}
		theirs.Close()
		srv.goes.Wait()
		time.Sleep(2 * time.Second) // of the bubble: the writer finds its pipe closed
	})
}
