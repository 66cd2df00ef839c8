// Package rtmpserver speaks RTMP with publishers and players: accept, handshake,
// connect, then publish or play. It turns what they ask for into requests to
// package origin, and its refusals into onStatus.
//
//	accept.go → session.go → publish.go    one goroutine for each connection; packets: package ingest
//	                       → play.go       the socket goes to the fan
package rtmpserver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/origin"
)

// Options are what a Server is made with.
type Options struct {
	Log    *zap.Logger
	Awake  *awake.Clock // of every timer that watches a client
	Hub    *fanout.Hub  // sets the pace of the players
	Origin *origin.Origin
	NextID func() uint64 // numbers connections, from 1
}

// Server is the RTMP connections of one process.
type Server struct {
	Options
	ctx context.Context // ends the sessions

	readTicks *readTicks
	accepted  atomic.Uint64
	sessions  sync.WaitGroup // goroutines of connections, until nothing is left to do for them
	lingering origin.Crew    // and those that wait for their clients to hang up
	goes      origin.Crew    // everything else

	mu   sync.Mutex
	live map[uint64]*session
	gone struct{ in, out uint64 } // bytes of sessions that have ended
}

// New returns a Server without connections. Its sessions end with ctx.
func New(ctx context.Context, o Options) *Server {
	s := &Server{Options: o, ctx: ctx, live: make(map[uint64]*session)}
	s.readTicks = newReadTicks(o.Hub)
	s.goes.Go(func() { s.readTicks.run(ctx) })
	return s
}

func (s *Server) startSession(sess *session) {
	id := s.NextID()
	s.accepted.Add(1)
	sess.id = id
	sess.log = s.Log.With(zap.Uint64("conn", id), zap.String("remote", sess.peer))
	s.mu.Lock()
	if s.Origin.Stopping() {
		s.mu.Unlock()
		sess.nc.Close()
		sess.block.exit(sess)
		return
	}
	s.live[id] = sess
	s.sessions.Add(1)
	s.mu.Unlock()
	go sess.run(s.ctx)
}

// ended forgets a session whose connection is closed.
func (s *Server) ended(sess *session) {
	s.mu.Lock()
	delete(s.live, sess.id)
	if conn := sess.conn.Load(); conn != nil {
		s.gone.in += conn.BytesIn()
		s.gone.out += conn.BytesOut()
	}
	s.mu.Unlock()
	sess.block.exit(sess)
	if sess.app != nil {
		sess.app.Exit()
	}
}

// WaitSessions returns when nothing is left to do for any connection; their
// context has ended before. Some may wait for their clients to hang up: see HangUp.
func (s *Server) WaitSessions() {
	s.mu.Lock() // a session that starts from here on sees that the origin stops
	started := &s.sessions
	s.mu.Unlock()
	started.Wait()
}

// HangUp closes the connections whose clients have not done so. Those that read
// what they were told have had a moment for it.
func (s *Server) HangUp() {
	gone := make(chan struct{})
	go func() { s.lingering.Wait(); close(gone) }()
	t := time.NewTimer(stopLingerTime)
	defer t.Stop()
	select {
	case <-gone:
		return
	case <-t.C:
	}
	s.mu.Lock()
	for _, sess := range s.live {
		sess.nc.Close()
	}
	s.mu.Unlock()
	<-gone
}

// Wait returns when every goroutine has ended.
func (s *Server) Wait() { s.goes.Wait() }

// KickAll ends every session of an application that is gone.
func (s *Server) KickAll(app *origin.Application) {
	for _, sess := range s.sessionsOf(app) {
		sess.Kick(origin.Reason{Rule: origin.RuleEnded, Text: origin.WhyAppGone})
	}
}

func (s *Server) sessionsOf(app *origin.Application) []*session {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*session
	for _, sess := range s.live {
		sess.mu.Lock()
		if sess.app == app {
			out = append(out, sess)
		}
		sess.mu.Unlock()
	}
	return out
}

// Figures are what the connections have cost so far. Bytes that a fan sent to
// players are counted there.
type Figures struct {
	Accepted          uint64
	Connections       int // now
	BytesIn, BytesOut uint64
}

// Figures sums the connections up.
func (s *Server) Figures() Figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := Figures{Accepted: s.accepted.Load(), Connections: len(s.live), BytesIn: s.gone.in, BytesOut: s.gone.out}
	for _, sess := range s.live {
		if conn := sess.conn.Load(); conn != nil {
			f.BytesIn += conn.BytesIn()
			f.BytesOut += conn.BytesOut()
		}
	}
	return f
}
