// Package server ties the rooms together: listeners, sessions, applications,
// their streams and outputs, HTTP, and the one door through which configuration
// comes, Apply. Starting is reloading from nothing.
package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/acme"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/record"
	"github.com/rtmpd/rtmpd/internal/web"
)

// Options are what a Server is told besides its configuration.
type Options struct {
	Log   *zap.Logger
	Level zap.AtomicLevel // of Log; follows the configuration
	// Announce shows a person a line that is said once and never logged: a
	// stream key that was just made.
	Announce func(line string)
	Version  string
	Built    time.Time    // for stat; the zero time: not known
	Player   http.Handler // serves player locations; nil: they are an error
	// Bind listens on an address of the configuration; nil: listen.Bind.
	Bind func(value.Address) (net.Listener, error)
}

// Server is one running rtmpd.
type Server struct {
	opts    Options
	log     *zap.Logger
	started time.Time

	// ctx ends the sessions, outputCtx the outputs after them: in this order
	// a stop loses no packet and ends no playlist.
	ctx          context.Context
	cancel       context.CancelFunc
	outputCtx    context.Context
	outputCancel context.CancelFunc
	stop         atomic.Bool

	sessions  sync.WaitGroup // goroutines of connections, until nothing is left to do for them
	lingering crew           // and those that wait for their clients to hang up
	goes      crew           // everything else

	dirs     *directories
	files    record.Store  // that recorders have open
	acme     *acme.Manager // of tls.domains
	hub      *fanout.Hub
	awake    *awake.Clock // of every timer that watches a peer
	hooks    *hooks.Client
	metrics  http.Handler
	counters counters
	audience *audience
	epochs   atomic.Uint64 // numbers applications, and the verdicts of their hooks
	keptOut  keepOut
	beats    *beats
	nextConn atomic.Uint64
	accepted atomic.Uint64
	fanned   atomic.Uint64 // bytes sent to the players of houses that have closed
	shownOut atomic.Uint64 // bytes sent, as the latest snapshot showed them

	healthNow atomic.Pointer[api.Health] // of the last second; nil before the first

	applying sync.Mutex // one Apply at a time
	cfg      atomic.Pointer[config.Config]

	mu        sync.Mutex
	listeners map[string]*listener       // by endpoint
	services  []*service                 // in the order of the rtmp blocks
	keyed     atomic.Pointer[[]*service] // the same, for isKey
	sites     []*web.Site                // in the order of the http blocks
	held      []*directory               // hls.paths of the present configuration
	live      map[uint64]*session
	gone      struct{ in, out uint64 } // bytes of sessions that have ended
}

// New makes a Server that does nothing until Apply.
func New(o Options) *Server {
	if o.Bind == nil {
		o.Bind = listen.Bind
	}
	s := &Server{
		opts: o, started: time.Now(), awake: awake.New(),
		listeners: make(map[string]*listener),
		live:      make(map[uint64]*session),
	}
	s.log = s.counters.counted(cleaned(o.Log, s.isKey))
	s.hub = fanout.NewHub(defaultFlush, s.awake)
	s.dirs, s.acme, s.hooks = newDirectories(s.log), acme.New(s.log, 0), hooks.New(s.log)
	s.hooks.Awake = s.awake
	s.audience = newAudience(s)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.outputCtx, s.outputCancel = context.WithCancel(context.Background())
	s.cfg.Store(&config.Config{ShutdownTimeout: 10 * time.Second})
	s.metrics = s.newMetrics()
	s.goes.Go(func() {
		s.awake.Run(s.outputCtx, func(gap time.Duration) {
			s.log.Warn("the process did not run: the machine or the process was paused; every timer begins anew", zap.Duration("away", gap.Round(time.Millisecond)))
		})
	})
	s.goes.Go(func() { s.dirs.run(s.outputCtx) })
	s.beats = newBeats(s.hub)
	s.goes.Go(func() { s.beats.run(s.ctx) })
	s.goes.Go(func() { s.watchBitrates(s.ctx) })
	s.goes.Go(func() { s.watchHouses(s.ctx) })
	s.goes.Go(func() { s.watchHealth(s.ctx) })
	s.goes.Go(func() { s.audience.run(s.ctx) })
	s.goes.Go(func() { watchMemory(s.ctx) })
	return s
}

// Log is the server's log.
func (s *Server) Log() *zap.Logger { return s.log }

func (s *Server) stopping() bool { return s.stop.Load() }

func (s *Server) startSession(sess *session) {
	id := s.nextConn.Add(1)
	s.accepted.Add(1)
	sess.id = id
	sess.log = s.log.With(zap.Uint64("conn", id), zap.String("remote", sess.peer))
	s.mu.Lock()
	if s.stopping() {
		s.mu.Unlock()
		sess.nc.Close()
		sess.svc.exit(sess)
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
	sess.svc.exit(sess)
	if sess.app != nil {
		sess.app.exit()
	}
}

// defaultFlush is the slowest beat of the fan-out before a configuration says
// another one.
const defaultFlush = 100 * time.Millisecond

var errTimeout = errors.New("shutdown_timeout is over: some connections were cut")

// Shutdown stops accepting, tells publishers good-bye, closes the open segments
// (no playlist is ended: the next start resumes them) and returns when all is
// done or shutdown_timeout is over. It is called once.
func (s *Server) Shutdown() error {
	s.applying.Lock() // a reload under way ends first; later ones are refused
	timeout := s.cfg.Load().ShutdownTimeout
	s.mu.Lock()
	s.stop.Store(true)
	s.eachRTMP(rest)
	s.mu.Unlock()
	s.applying.Unlock()
	deadline := time.Now().Add(timeout)
	hooksDeadline := time.Now().Add(timeout / 2) // Docker and others kill after as long as timeout's default
	s.hooks.Drain()                              // good-byes are said once from here on
	s.cancel()
	err := waitUntil(deadline, s.sessions.Wait)
	s.mu.Lock()
	services := s.services
	s.mu.Unlock()
	for _, v := range services {
		v.useAccessLog(nil)
	}
	s.closeHTTP(deadline)
	s.audience.close()
	s.outputCancel()
	s.eachStream(func(st *stream) { err = errors.Join(err, waitUntil(deadline, st.outputs.wait)) })
	s.hangUp()
	s.hub.Close()
	s.hooks.Close(hooksDeadline) // after the last playlist
	s.dirs.close()
	err = errors.Join(err, waitUntil(deadline, s.acme.Close))
	err = errors.Join(err, waitUntil(deadline, s.goes.Wait))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eachRTMP(func(ln net.Listener) { ln.Close() })
	return err
}

// eachRTMP calls f for the listeners of RTMP; mu is held.
func (s *Server) eachRTMP(f func(net.Listener)) {
	for _, l := range s.listeners {
		if l.web == nil {
			f(l.ln)
		}
	}
}

// rest ends accepting on a listener that stays open: who comes now waits for
// what comes after this process, or for its end.
func rest(ln net.Listener) {
	if l, ok := ln.(interface{ SetDeadline(time.Time) error }); !ok || l.SetDeadline(time.Unix(1, 0)) != nil {
		ln.Close()
	}
}

// hangUp closes the connections whose clients have not done so. Those that read
// what they were told have had a moment for it.
func (s *Server) hangUp() {
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

// Drain stops accepting publishers and returns when the last stream has ended
// and its files are closed, or with ctx. Viewers are served meanwhile.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.eachRTMP(func(ln net.Listener) { ln.Close() })
	s.mu.Unlock()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for s.busy() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// busy says whether any stream is live, waits, or still closes its files.
func (s *Server) busy() bool {
	s.mu.Lock()
	services := s.services
	s.mu.Unlock()
	for _, v := range services {
		for _, a := range v.all() {
			a.mu.Lock()
			n := len(a.streams) + len(a.ending)
			a.mu.Unlock()
			if n > 0 {
				return true
			}
		}
	}
	return false
}

// waitUntil runs wait and gives up at deadline, at the earliest after 100 ms.
func waitUntil(deadline time.Time, wait func()) error {
	done := make(chan struct{})
	go func() { wait(); close(done) }()
	t := time.NewTimer(max(time.Until(deadline), 100*time.Millisecond))
	defer t.Stop()
	select {
	case <-done:
		return nil
	case <-t.C:
		return errTimeout
	}
}

func (s *Server) eachStream(f func(*stream)) {
	s.mu.Lock()
	services := s.services
	s.mu.Unlock()
	for _, v := range services {
		for _, a := range v.all() {
			a.each(f)
		}
	}
}

// ReopenLogs reopens the access logs, for SIGUSR1.
func (s *Server) ReopenLogs() error {
	s.applying.Lock() // a log that a reload or a stop closes meanwhile stays closed
	defer s.applying.Unlock()
	if s.stopping() {
		return nil
	}
	s.mu.Lock()
	sites, services := s.sites, s.services
	s.mu.Unlock()
	var err error
	for _, v := range services {
		if l := v.access.Load(); l != nil {
			err = errors.Join(err, l.Reopen())
		}
	}
	for _, site := range sites {
		err = errors.Join(err, site.Reopen())
	}
	return err
}

// A crew is goroutines that are waited for at the end. Timers and connections
// may still want one when that has begun: they get none any more.
type crew struct {
	mu   sync.Mutex
	over bool // Wait was called
	wg   sync.WaitGroup
}

// Go runs f, and says whether it does.
func (c *crew) Go(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.wg.Go(f)
	}
	return !c.over
}

// Wait returns when every f has.
func (c *crew) Wait() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.wg.Wait()
}
