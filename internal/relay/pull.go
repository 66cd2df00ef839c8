package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A Pull plays a stream of another server, once.
type Pull struct {
	cfg config.Pull
	o   Options
	t   target
	now atomic.Pointer[link] // nil: not connected
}

// NewPull makes the pull of a stream. It connects in Play. Options.Stream is not
// used.
func NewPull(cfg config.Pull, o Options) (*Pull, error) {
	p := &Pull{cfg: cfg, o: o}
	var err error
	p.t, err = newTarget(&cfg.Remote, o.App, o.Name, o.Expand)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Source is where the stream comes from, without secrets.
func (p *Pull) Source() string { return p.t.shown }

// Conn returns what there is to know of the connection; ok is false without one.
func (p *Pull) Conn() (remote, local net.Addr, received uint64, roundTrip time.Duration, ok bool) {
	l := p.now.Load()
	if l == nil {
		return nil, nil, 0, 0, false
	}
	return l.RemoteAddr(), l.NetConn().LocalAddr(), l.BytesIn(), l.RoundTrip(), true
}

// ErrEnded says that the stream over there is over.
var ErrEnded = errors.New("the stream is over there")

const (
	// quiet is how long a server may say nothing before it is asked whether it is
	// still there; quietTimeout for how long it may not answer that either.
	quiet        = 30 * time.Second
	quietTimeout = 30 * time.Second
)

// Play hands the audio, video and data messages of the stream to take, until that
// returns an error, ctx ends, or the stream over there does: ErrEnded. Errors hold no
// secrets.
func (p *Pull) Play(ctx context.Context, take func(rtmp.Message) error) error {
	err := p.play(ctx, take)
	p.now.Store(nil)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return p.t.hideIn(err)
}

func (p *Pull) play(ctx context.Context, take func(rtmp.Message) error) error {
	asking, answered := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	defer answered()
	l, err := connect(asking, &p.cfg.Remote, &p.t, via(p.o.Via), true, p.o.TLS)
	if err != nil {
		return err
	}
	defer l.Close()
	start, duration := p.span()
	if err := l.PlaySpan(asking, p.t.name, p.cfg.Remote.Queue, start, duration); err != nil {
		return why(asking, err)
	}
	answered()
	p.now.Store(l)
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		m, err := l.ReadMessage()
		switch {
		case errors.Is(err, io.EOF):
			return errors.New("the server closed the connection")
		case err != nil:
			return err
		case m.Type == rtmp.TypeCommandAMF0 || m.Type == rtmp.TypeCommandAMF3:
			err = ended(m)
		case isAccess(m):
		default:
			err = take(m)
		}
		if err != nil {
			return err
		}
	}
}

// span is what play is asked for, in ms: as nginx-rtmp does, -1000 is live.
func (p *Pull) span() (start, duration float64) {
	switch {
	case p.cfg.Start > 0 || p.cfg.Stop > 0:
		start, duration = float64(p.cfg.Start.Milliseconds()), -1000
		if p.cfg.Stop > p.cfg.Start {
			duration = float64((p.cfg.Stop - p.cfg.Start).Milliseconds())
		}
		return start, duration
	case p.cfg.Live:
		return -1000, -1000
	}
	return -2000, -1000
}

// ended is what the server says of the end of the stream; nil: nothing.
func ended(m rtmp.Message) error {
	cmd, err := rtmp.ParseCommand(m)
	if err != nil {
		return fmt.Errorf("command: %w", err)
	}
	if err := rtmp.Refusal(cmd); err != nil {
		return err
	}
	switch rtmp.StatusCode(cmd) {
	case rtmp.StatusPlayStop, rtmp.StatusPlayComplete, rtmp.StatusPlayUnpublishNotify:
		return ErrEnded
	}
	return nil
}

// isAccess tells the |RtmpSampleAccess that servers send before a stream, which is
// about the player alone.
func isAccess(m rtmp.Message) bool {
	return (m.Type == rtmp.TypeDataAMF0 || m.Type == rtmp.TypeDataAMF3) && strings.Contains(string(m.Payload[:min(len(m.Payload), 24)]), "|RtmpSampleAccess")
}

// LocalName is the name that a pull block gives its stream here; empty: the stream
// is called here as it is over there.
func LocalName(cfg *config.Pull) string {
	if cfg.Stream != "" {
		return string(cfg.Stream)
	}
	if cfg.Remote.PlayPath != "" {
		return cfg.Remote.PlayPath
	}
	if url := cfg.Remote.URL.Reveal(); !strings.Contains(url, "$") {
		_, path, _ := strings.Cut(url, "://")
		_, path, _ = strings.Cut(path, "/")
		_, name := split(strings.Trim(path, "/"), cfg.Remote.App, cfg.Remote.Key != "")
		name, _, _ = strings.Cut(name, "?")
		return name
	}
	return ""
}
