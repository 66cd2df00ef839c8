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
	"github.com/rtmpd/rtmpd/internal/apiserver"
	"github.com/rtmpd/rtmpd/internal/apistate"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmpserver"
	"github.com/rtmpd/rtmpd/internal/web"
)

// Options are what a Server gets besides its configuration.
type Options struct {
	Log   *zap.Logger
	Level zap.AtomicLevel // of Log; follows the configuration
	// Announce shows a person a line that is said once and never logged: a
	// stream key that was just made.
	Announce func(line string)
	Version  string
	Built    time.Time // for stat; the zero time: not known
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
	goes         origin.Crew

	origin   *origin.Origin
	rtmp     *rtmpserver.Server
	acme     *acme.Manager // of tls.domains
	hub      *fanout.Hub
	awake    *awake.Clock // of every timer that watches a peer
	hooks    *hooks.Client
	triggers *hooks.Caller // of the triggers about the server
	metrics  http.Handler
	api      *apiserver.Server
	counters counters
	nextID   atomic.Uint64 // of clients
	shownOut atomic.Uint64 // bytes sent, as the latest snapshot showed them

	healthNow atomic.Pointer[api.Health] // of the last second; nil before the first
	examined  atomic.Pointer[time.Time]  // when that was made

	applying sync.Mutex                     // one Apply at a time
	cfg      atomic.Pointer[config.Config]  // in force
	file     atomic.Pointer[config.Config]  // cfg without what the API has changed
	kept     atomic.Pointer[apistate.State] // that; nil: not read yet

	mu        sync.Mutex
	listeners map[string]*listener // by endpoint
	blocks    []*rtmpserver.Block  // in the order of the rtmp blocks
	sites     []*web.Site          // in the order of the http blocks
	held      []*origin.Directory  // hls.paths of the present configuration
}

// New makes a Server that does nothing until Apply.
func New(o Options) *Server {
	if o.Bind == nil {
		o.Bind = listen.Bind
	}
	s := &Server{opts: o, started: time.Now(), awake: awake.New(), listeners: make(map[string]*listener)}
	lines := &apiserver.Lines{}
	s.log = s.counters.counted(cleaned(o.Log.WithOptions(zap.WrapCore(lines.Core)), func(text string) string { return s.origin.Mask(text) }))
	s.hub = fanout.NewHub(defaultFlush, s.awake)
	s.acme, s.hooks = acme.New(s.log, 0), hooks.New(s.log)
	s.hooks.Awake = s.awake
	s.triggers = s.hooks.Caller(s.log)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.outputCtx, s.outputCancel = context.WithCancel(context.Background())
	s.cfg.Store(&config.Config{ShutdownTimeout: 10 * time.Second})
	s.file.Store(s.cfg.Load())
	nextID := func() uint64 { return s.nextID.Add(1) }
	s.origin = origin.New(s.ctx, s.outputCtx, origin.Options{
		Log: s.log, Awake: s.awake, Hooks: s.hooks, Hub: s.hub, NextID: nextID, WatchURL: s.watchURL,
	})
	s.rtmp = rtmpserver.New(s.ctx, rtmpserver.Options{Log: s.log, Awake: s.awake, Hub: s.hub, Origin: s.origin, NextID: nextID})
	s.metrics = s.newMetrics()
	s.api = apiserver.New(apiserver.Options{
		Origin: s.origin, Version: o.Version, Log: s.log, Wanted: func() bool { return apistate.Wanted(s.cfg.Load()) },
		State: s.state, Change: s.changeState, Health: s.Health, Lines: lines,
	})
	s.goes.Go(func() { s.api.Run(s.ctx) })
	s.goes.Go(func() {
		s.awake.Run(s.outputCtx, func(gap time.Duration) {
			s.log.Warn("the process did not run: the machine or the process was paused; every timer begins anew", zap.Duration("away", gap.Round(time.Millisecond)))
		})
	})
	s.goes.Go(func() { s.watchHealth(s.ctx) })
	s.goes.Go(func() { watchMemory(s.ctx) })
	return s
}

// Log is the server's log.
func (s *Server) Log() *zap.Logger { return s.log }

func (s *Server) stopping() bool { return s.origin.Stopping() }

// Kick ends the publisher of a stream, or the wait for it to come back, and keeps it
// out for d. It says how many there were: an application may be in several rtmp blocks.
func (s *Server) Kick(app, name string, d time.Duration) (n int) { return s.origin.Kick(app, name, d) }

// Origin holds the streams.
func (s *Server) Origin() *origin.Origin { return s.origin }

// defaultFlush is the longest pause of the fan-out before a configuration says
// another.
const defaultFlush = 100 * time.Millisecond

var errTimeout = errors.New("shutdown_timeout is over: some connections were cut")

// Shutdown stops accepting, unpublishes the publishers, closes the open segments
// (no playlist is ended: the next start resumes them) and returns when all is
// done or shutdown_timeout is over. It is called once.
func (s *Server) Shutdown() error {
	s.applying.Lock() // a reload under way ends first; later ones are refused
	timeout := s.cfg.Load().ShutdownTimeout
	s.mu.Lock()
	s.origin.Stop()
	s.eachRTMP(rest)
	blocks := s.blocks
	s.mu.Unlock()
	s.applying.Unlock()
	deadline := time.Now().Add(timeout)
	hooksDeadline := time.Now().Add(timeout / 2) // Docker and others kill after as long as timeout's default
	s.sayStop()
	s.hooks.Drain() // calls that fail from here on are not repeated
	s.cancel()
	err := waitUntil(deadline, s.rtmp.WaitSessions)
	for _, b := range blocks {
		b.UseAccessLog(nil)
	}
	s.origin.Directories().StopWaits()
	s.closeHTTP(deadline)
	s.origin.Audience().Close()
	s.outputCancel()
	s.origin.EachStream(func(st *origin.Stream) { err = errors.Join(err, waitUntil(deadline, st.WaitOutputs)) })
	if now := time.Now(); hooksDeadline.Before(now.Add(deadline.Sub(now) / 2)) {
		hooksDeadline = now.Add(deadline.Sub(now) / 2) // requests have taken long to end
	}
	_ = waitUntil(hooksDeadline, s.origin.EndStreams) // s.origin.Wait reports what is left
	s.rtmp.HangUp()
	s.hub.Close()
	s.hooks.Close(hooksDeadline) // after the last playlist
	s.origin.Directories().Close()
	s.origin.EndCommands(hooksDeadline, deadline.Add(-timeout/10))
	err = errors.Join(err, waitUntil(deadline, s.acme.Close))
	for _, wait := range []func(){s.rtmp.Wait, s.origin.Wait, s.goes.Wait} {
		err = errors.Join(err, waitUntil(deadline, wait))
	}
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

// Drain stops accepting publishers and returns when the last stream has ended
// and its files are closed, or with ctx. Viewers are served meanwhile.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.eachRTMP(func(ln net.Listener) { ln.Close() })
	s.mu.Unlock()
	s.origin.EndStatic()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for s.origin.Busy() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
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

// ReopenLogs reopens the access logs, for SIGUSR1.
func (s *Server) ReopenLogs() error {
	s.applying.Lock() // a log that a reload or a stop closes meanwhile stays closed
	defer s.applying.Unlock()
	if s.stopping() {
		return nil
	}
	s.mu.Lock()
	sites, blocks := s.sites, s.blocks
	s.mu.Unlock()
	var err error
	for _, b := range blocks {
		err = errors.Join(err, b.ReopenLog())
	}
	for _, site := range sites {
		err = errors.Join(err, site.Reopen())
	}
	return err
}
