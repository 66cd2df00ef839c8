package rtmpserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/awake"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A session is one RTMP connection: handshake, connect, then commands and media
// until either side has had enough. run is its only reader.
type session struct {
	id      uint64
	srv     *Server
	block   *Block
	log     *zap.Logger
	addr    netip.Addr // the client; v4-mapped addresses are unmapped
	peer    string     // address and port, for people
	started time.Time

	conn    atomic.Pointer[rtmp.Conn] // nil until the handshake is done; kick may look
	nc      net.Conn                  // what RTMP is spoken over: raw, or TLS above it
	raw     net.Conn                  // the socket
	proxied bool                      // must begin with a PROXY header, which says who addr is
	counted netip.Addr                // where max_connections_per_ip counts it; zero: nowhere

	// Set by run as the connection goes on; snapshot reads them under mu.
	mu          sync.Mutex
	connect     rtmp.Connect
	app         *origin.Application
	publication *origin.Publication // while publishing
	player      *player             // while playing
	hookSession *hooks.Session      // for the hooks, from connect on

	visit   visit
	ordered bool // the next play is an operator's word; run's alone

	published   bool        // a publish was accepted once: stray media afterwards is no error
	settled     atomic.Bool // it was let publish or play once
	kicked      atomic.Pointer[kick]
	undecided   *awake.Timer // of maxUndecided
	stop        func() bool  // ends the watch for the server's stop
	redirecting atomic.Pointer[redirection]
}

// Status codes that are rtmpd's own choice; the rest are in package rtmp.
const (
	statusUnpublished = rtmp.StatusUnpublishNotify
	statusDenied      = rtmp.StatusPublishDenied
	statusBadName     = rtmp.StatusPublishBadName
)

// A refusal ends the session: it is sent to the client as an onStatus and
// logged in one line.
type refusal struct {
	code, reason string // no code: the client has its answer already
}

func (r *refusal) Error() string { return r.reason }

// refused is what an error of the origin means for the session. code gives the
// status of a rule.
func refused(err error, code func(origin.Rule) string) error {
	var r *origin.Refusal
	if errors.As(err, &r) {
		return &refusal{code(r.Rule), r.Text}
	}
	return errBye // it left, or was kicked meanwhile: kick says so
}

// publisherCode is the status that a publisher gets.
func publisherCode(r origin.Rule) string {
	switch r {
	case origin.RuleName, origin.RuleReplaced:
		return statusBadName
	case origin.RuleEnded:
		return statusUnpublished
	}
	return statusDenied
}

// playerCode is the status that a player gets.
func playerCode(r origin.Rule) string {
	if r == origin.RuleNoStream {
		return rtmp.StatusPlayStreamNotFound
	}
	return rtmp.StatusPlayFailed
}

// errBye is the clean end of a session: the client said so.
var errBye = errors.New("closed by the client")

// run is the session from the first byte on.
func (s *session) run(ctx context.Context) {
	s.stop = context.AfterFunc(ctx, func() { s.kick(statusUnpublished, "the server is stopping") })
	s.undecided = s.srv.Awake.AfterFunc(maxUndecided, func() {
		if !s.settled.Load() {
			s.kick(rtmp.StatusFailed, fmt.Sprintf("neither publish nor play within %s", maxUndecided))
		}
	})
	s.goOn(ctx, s.serve(ctx))
}

// goOn ends the session, or has it stay for what may be hours as a player: in a
// new goroutine, because the stack of this one has grown to twice what that
// takes, and would not shrink.
func (s *session) goOn(ctx context.Context, err error) {
	if err == errPlaying {
		go func() { s.goOn(ctx, s.stay(ctx)) }()
		return
	}
	s.leave(false)
	s.sayDisconnect()
	if s.app != nil {
		s.app.Closed(s.Describe(), s.visit.name)
	}
	lingers := s.finish(err)
	s.logAccess()
	s.undecided.Stop()
	s.stop()
	running := s.srv.lingering.Go(func() { // not in the way of a stop
		if lingers {
			s.linger()
		}
		s.nc.Close()
		s.srv.ended(s)
	})
	if !running {
		s.nc.Close()
		s.srv.ended(s)
	}
	s.srv.sessions.Done()
}

// maxUndecided is how long a connection may take to publish or play: pings can
// be answered for ever, and bytes trickled.
const maxUndecided = time.Minute

// serve does the handshake and carries out commands. It returns why the session ends, or errPlaying.
func (s *session) serve(ctx context.Context) error {
	options := s.block.options()
	if err := s.open(&options); err != nil {
		return err
	}
	conn, err := rtmp.Accept(s.nc, options)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	s.conn.Store(conn)
	if s.kicked.Load() != nil { // it came before there was a conn to close
		return errBye
	}
	return s.commands(ctx)
}

// commands carries out what the client says until it plays or leaves.
func (s *session) commands(ctx context.Context) error {
	conn := s.conn.Load()
	for {
		m, err := conn.ReadMessage()
		switch {
		case s.kicked.Load() != nil:
			return errBye
		case errors.Is(err, rtmp.ErrInterrupted):
			continue // a redirection from a stream that it has left since
		case err != nil && s.published:
			return errBye // it had unpublished: how it hangs up is its business
		case err != nil:
			return err
		}
		switch m.Type {
		case rtmp.TypeVideo, rtmp.TypeAudio, rtmp.TypeDataAMF0, rtmp.TypeDataAMF3:
			if s.published {
				continue // an encoder's last frames after its FCUnpublish
			}
			if m.Type == rtmp.TypeDataAMF0 || m.Type == rtmp.TypeDataAMF3 {
				continue // harmless, and bounded by the reader
			}
			return &refusal{rtmp.StatusFailed, "media before publish"}
		case rtmp.TypeCommandAMF0, rtmp.TypeCommandAMF3:
			cmd, err := rtmp.ParseCommand(m)
			if err != nil {
				return fmt.Errorf("command: %w", err)
			}
			if err := s.command(ctx, m.StreamID, cmd); err != nil {
				return err
			}
			if err := conn.Flush(); err != nil && !s.published {
				return err
			}
		}
	}
}

// command answers one command outside of media. Commands that nobody needs an
// answer to are passed over, as every other server does.
func (s *session) command(ctx context.Context, streamID uint32, cmd rtmp.Command) error {
	conn := s.conn.Load()
	name := strings.ToLower(cmd.Name)
	if name == "connect" {
		return s.onConnect(ctx, cmd)
	}
	if s.app == nil {
		return &refusal{rtmp.StatusConnectRejected, "the first command must be connect"}
	}
	switch name {
	case "createstream":
		return conn.WriteCommand(0, "_result", cmd.Transaction, nil, float64(1))
	case "releasestream", "_checkbw":
		return conn.WriteCommand(0, "_result", cmd.Transaction, nil, amf.Undefined{})
	case "fcpublish":
		if err := conn.WriteCommand(0, "onFCPublish", 0, nil, rtmp.StatusObject("status", rtmp.StatusPublishStart, "FCPublish")); err != nil {
			return err
		}
		return conn.WriteCommand(0, "_result", cmd.Transaction, nil, amf.Undefined{})
	case "fcunpublish", "deletestream", "closestream":
		return s.answerUnpublish(streamID, name, cmd)
	case "publish":
		if s.published && unpublishes(cmd) { // it has stopped in another way before
			return s.answerUnpublish(streamID, "closestream", cmd)
		}
		return s.publish(ctx, streamID, cmd)
	case "play", "play2":
		return s.play(ctx, streamID, cmd)
	}
	return nil
}

func (s *session) answerUnpublish(streamID uint32, name string, cmd rtmp.Command) error {
	conn := s.conn.Load()
	switch name {
	case "fcunpublish":
		if err := conn.WriteCommand(0, "onFCUnpublish", 0, nil, rtmp.StatusObject("status", rtmp.StatusUnpublishSuccess, "FCUnpublish")); err != nil {
			return err
		}
		return conn.WriteCommand(0, "_result", cmd.Transaction, nil, amf.Undefined{})
	case "closestream", "deletestream":
		if s.published {
			return conn.WriteStatus(max(streamID, 1), "status", rtmp.StatusUnpublishSuccess, "Stop publishing")
		}
	}
	return nil
}

func (s *session) onConnect(ctx context.Context, cmd rtmp.Command) error {
	if s.app != nil {
		return &refusal{rtmp.StatusConnectRejected, "connect was sent twice"}
	}
	c, err := rtmp.ParseConnect(cmd)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	c.App = value.NormalName(c.App)
	conn := s.conn.Load()
	name, err := s.askConnect(ctx, c) // before the application is looked for: the hook may name another
	if err != nil {
		return s.rejectConnect(cmd, err.Error(), err)
	}
	app := s.block.Named(name)
	if app == nil {
		why := fmt.Sprintf("no application %q here", name)
		err := &refusal{"", why}
		if value.ValidStreamName(name) != nil {
			// A URL in the wrong field of an encoder ends in a stream key.
			err.reason = "no such application here"
		}
		return s.rejectConnect(cmd, why, err)
	}
	s.mu.Lock()
	s.connect, s.app = c, app
	s.mu.Unlock()
	s.log = s.log.With(zap.String("app", app.Name()))
	if err := app.Opened(ctx, s.Describe()); err != nil {
		var no *origin.Refusal
		if !errors.As(err, &no) {
			return errBye
		}
		return s.rejectConnect(cmd, no.Text, &refusal{"", no.Text})
	}
	return conn.WriteConnectResult(cmd.Transaction, c)
}

// enliven has the application that connect named come to life.
func (s *session) enliven(code string) error {
	app, err := s.block.Alive(s.app)
	if err != nil {
		return &refusal{code, err.Error()}
	}
	s.mu.Lock()
	s.app = app
	s.mu.Unlock()
	return nil
}

// rejectConnect answers a connect with why, and returns err.
func (s *session) rejectConnect(cmd rtmp.Command, why string, err error) error {
	if errors.Is(err, errBye) {
		return err
	}
	conn := s.conn.Load()
	if err := conn.WriteConnectError(cmd.Transaction, rtmp.StatusConnectRejected, why); err != nil {
		return err
	}
	if err := conn.Flush(); err != nil {
		return err
	}
	return err
}
