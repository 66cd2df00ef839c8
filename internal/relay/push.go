package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
)

// Options are what a Push is told beside its block.
type Options struct {
	ID        uint64 // no other push's; for people
	App, Name string // of the stream
	Stream    *live.Stream
	Log       *zap.Logger
	Expand    func(placeholder string) string
	Via       func() []string // for connect; nil: nothing
	TLS       *tls.Config     // for rtmps; nil: the system's authorities
	// Aim is asked before each attempt of a push where it is to go that goes to url;
	// empty: there. After an error the attempt has failed. nil: it is not asked.
	Aim func(ctx context.Context, url string) (value.RTMPURL, error)
	// Ended is told of each attempt of a push. nil: it is not.
	Ended func(End)
}

// An End is how an attempt of a push has ended. No key is in it.
type End struct {
	Name              string // of the block
	Target, Effective string // where it was to go, and where it went
	Err               error  // nil: the stream is over, or the push was stopped
	Bytes             uint64
	For               time.Duration
}

// A Push publishes a stream to another server, again and again while it fails.
// It never holds up the stream: a server that is slow loses packets.
type Push struct {
	o   Options
	cfg config.Push
	log *zap.Logger

	mu      sync.Mutex // guards what follows
	state   output.State
	link    *link  // the present one; nil: none
	before  uint64 // bytes sent over those before
	told    uint64 // of them in what Ended has heard
	media   time.Duration
	again   bool          // "live again" is in the log already
	logged  string        // why it failed, as the log has it; empty after a good while
	wanted  bool          // it is to send; false: it was stopped by hand, or waits for it
	changed chan struct{} // closed when wanted changes
}

// New makes the push of a stream. It connects in Run.
func New(cfg config.Push, o Options) (*Push, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	p := &Push{o: o, cfg: cfg, log: o.Log.With(zap.String("push", cfg.Name)), wanted: !cfg.Manual, changed: make(chan struct{})}
	t, err := p.target()
	if err != nil {
		return nil, err
	}
	p.state.Target, p.state.Phase = t.shown, output.Connecting
	if cfg.Manual {
		p.state.Phase = output.Stopped
	}
	return p, nil
}

func (p *Push) target() (target, error) {
	return newTarget(&p.cfg.Remote, p.o.App, p.o.Name, p.o.Expand)
}

// ID is the one of Options.
func (p *Push) ID() uint64 { return p.o.ID }

// URL is where the push goes; it may hold a secret.
func (p *Push) URL() value.RTMPURL { return p.cfg.Remote.URL }

// Shown is a target without its secrets, as the push of an application's stream shows it.
// Placeholders stay as they are.
func Shown(r *config.Remote, app, stream string) string {
	t, err := newTarget(r, app, stream, func(name string) string { return "$" + name })
	if err != nil {
		return value.Hidden
	}
	return t.shown
}

// State may be called from any goroutine.
func (p *Push) State() output.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.state
	s.Bytes, s.Duration = p.before, p.media
	if p.link != nil {
		s.Bytes += p.link.BytesOut()
	}
	return s
}

// Want starts the push, or stops it, by hand, and says whether that changed
// anything. One that waits for its next attempt tries at once. Any goroutine may
// call it.
func (p *Push) Want(on bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted == on && !(on && p.state.Phase == output.Waiting) {
		return false
	}
	p.wanted = on
	close(p.changed)
	p.changed = make(chan struct{})
	return true
}

// Run pushes what cur delivers until the stream ends or ctx does.
func (p *Push) Run(ctx context.Context, cur *live.Cursor) error {
	defer func() { cur.Close() }()
	renew := func() { // what was passed over meanwhile is not sent
		cur.Close()
		cur = p.o.Stream.Cursor(live.FromKeyframe, true)
	}
	pause := output.Backoff{First: p.cfg.Remote.Reconnect, Max: time.Minute, Spread: true}
	for {
		waited, err := p.awaitStart(ctx, cur)
		if err != nil {
			return nil
		}
		if waited {
			renew()
		}
		wanted, stop := p.whileWanted(ctx)
		began := time.Now()
		err = p.session(wanted, cur)
		stopped := wanted.Err() != nil
		stop()
		p.sayEnded(began, err, stopped)
		switch {
		case err == nil || ctx.Err() != nil: // the stream is over, or the output is
			return nil
		case stopped:
			pause.Reset()
		default:
			if pause.Ran(time.Since(began)) {
				p.forget()
			}
			if p.rest(ctx, cur, p.failed(err, pause.Next())) != nil {
				return nil
			}
		}
		renew()
	}
}

// sayEnded tells how an attempt has ended that began then.
func (p *Push) sayEnded(began time.Time, err error, stopped bool) {
	if p.o.Ended == nil {
		return
	}
	e := End{Name: p.cfg.Name, For: time.Since(began)}
	if !stopped {
		e.Err = err
	}
	if t, err := p.target(); err == nil {
		e.Target = t.shown
	}
	p.mu.Lock()
	e.Effective, e.Bytes = p.state.Target, p.before-p.told
	p.told = p.before
	p.mu.Unlock()
	p.o.Ended(e)
}

// aim is where the next attempt goes.
func (p *Push) aim(ctx context.Context) (config.Remote, target, error) {
	remote := p.cfg.Remote
	if p.o.Aim != nil {
		to, err := p.o.Aim(ctx, value.Template(remote.URL.Reveal()).Expand(p.o.Expand))
		if err != nil {
			return remote, target{}, err
		}
		if to != "" { // with all that belongs to it
			remote = config.Remote{URL: to, Reconnect: remote.Reconnect, Queue: remote.Queue, PageURL: remote.PageURL, SWFURL: remote.SWFURL, FlashVer: remote.FlashVer}
		}
	}
	t, err := newTarget(&remote, p.o.App, p.o.Name, p.o.Expand)
	return remote, t, err
}

// whileWanted is ctx for as long as the push is not stopped by hand.
func (p *Push) whileWanted(ctx context.Context) (context.Context, context.CancelFunc) {
	p.mu.Lock()
	changed, wanted := p.changed, p.wanted
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	if !wanted {
		cancel()
	}
	go func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// awaitStart returns when the push is to send; with an error when the stream is
// over, or ctx is.
func (p *Push) awaitStart(ctx context.Context, cur *live.Cursor) (waited bool, err error) {
	for {
		p.mu.Lock()
		changed, wanted := p.changed, p.wanted
		if !wanted {
			p.state.Phase = output.Stopped
			p.state.Work()
		}
		p.mu.Unlock()
		if wanted {
			return waited, nil
		}
		waited = true
		if err := pass(ctx, cur, changed, nil); err != nil {
			return true, err
		}
	}
}

// rest waits for d, or until somebody starts or stops the push.
func (p *Push) rest(ctx context.Context, cur *live.Cursor, d time.Duration) error {
	p.mu.Lock()
	changed := p.changed
	p.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	return pass(ctx, cur, changed, timer.C)
}

// pass reads past what cur delivers until changed is closed or timer fires; with an
// error when the stream is over, or ctx is.
func pass(ctx context.Context, cur *live.Cursor, changed <-chan struct{}, timer <-chan time.Time) error {
	passing, enough := context.WithCancel(ctx)
	defer enough()
	go func() {
		defer enough()
		select {
		case <-changed:
		case <-timer:
		case <-passing.Done():
		}
	}()
	buf := make([]*media.Packet, readAhead)
	for {
		n, _, err := cur.Next(passing, buf)
		clear(buf[:n])
		switch {
		case errors.Is(err, io.EOF):
			return err
		case err != nil:
			return ctx.Err()
		}
	}
}

// session publishes once. nil: the stream is over, and the server has all of it.
func (p *Push) session(ctx context.Context, cur *live.Cursor) error {
	remote, t, err := p.aim(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.state.Target, p.state.Phase, p.state.Retry = t.shown, output.Connecting, time.Time{}
	p.mu.Unlock()
	asking, answered := context.WithTimeoutCause(ctx, answerTimeout, errNoAnswer)
	l, err := connect(asking, &remote, &t, via(p.o.Via), false, p.o.TLS)
	if err == nil {
		if err = l.Publish(asking, t.name); err != nil {
			err = why(asking, err)
			_ = l.Close()
		}
	}
	answered()
	if err != nil {
		return t.hideIn(err)
	}
	p.began(l, t.shown)
	defer p.ended(l)
	go l.listen()
	if err := p.send(ctx, l, cur, &t); err != nil && ctx.Err() == nil {
		_ = l.Close()
		<-l.done
		return t.hideIn(err)
	}
	l.bye()
	return ctx.Err()
}

func (p *Push) began(l *link, shown string) {
	p.mu.Lock()
	failed := p.logged
	p.link, p.media = l, 0
	p.state.Phase, p.state.Since = output.Live, time.Now()
	p.state.Work()
	p.mu.Unlock()
	log := p.log.Info
	if p.again && failed != "" { // it comes and goes
		log = p.log.Debug
	}
	if p.again = failed != ""; p.again {
		log("push is live again", zap.String("target", shown))
		return
	}
	log("push is live", zap.String("target", shown))
}

func (p *Push) ended(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before += l.BytesOut()
	p.link = nil
	p.state.Since = time.Time{}
}

// forget has the log tell of the next failure, whatever it is.
func (p *Push) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logged, p.again = "", false
}

// failed notes that the push will be tried again in wait, and logs why, unless the
// log has it already.
func (p *Push) failed(err error, wait time.Duration) time.Duration {
	p.mu.Lock()
	known := p.logged == err.Error()
	p.logged = err.Error()
	p.state.Fail(err.Error(), time.Now())
	p.state.Phase, p.state.Retry = output.Waiting, time.Now().Add(wait)
	shown := p.state.Target
	p.mu.Unlock()
	log := p.log.Warn
	if known {
		log = p.log.Debug
	}
	log("push failed", zap.String("target", shown), zap.Error(err), zap.Duration("retry_in", wait.Round(100*time.Millisecond)))
	return wait
}

const (
	readAhead = 64 // packets at a time
	maxDrain  = 32 // readings at the end: some seconds of media
)

// send sends what cur delivers until ctx ends. nil: the stream is over.
func (p *Push) send(ctx context.Context, l *link, cur *live.Cursor, t *target) error {
	s := &sender{to: l.Client, metadata: p.o.Stream.Metadata, waitKey: true}
	s.say = func(text string) { p.log.Warn("push: "+t.hide(text), zap.String("target", t.shown)) }
	sending, over := context.WithCancel(ctx)
	defer over()
	go func() {
		select {
		case <-l.done: // the server has ended it
			over()
		case <-sending.Done():
			l.conn.endBy(time.Now().Add(farewell))
		}
	}()
	cur.Prompt()
	buf := make([]*media.Packet, readAhead)
	for {
		if queue := p.cfg.Remote.Queue; queue > 0 && cur.Lag() > queue {
			cur.Pass()
		}
		n, skipped, err := cur.Next(sending, buf)
		if werr := p.write(l, s, buf[:n], skipped); werr != nil {
			err = werr
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return errors.Join(ctx.Err(), p.drain(l, s, cur, buf))
		case err != nil || sending.Err() != nil:
			select {
			case <-l.done: // a write fails because the server had said no before
				return l.err
			default:
				return err
			}
		}
	}
}

// drain sends what there is at the end.
func (p *Push) drain(l *link, s *sender, cur *live.Cursor, buf []*media.Packet) error {
	for range maxDrain {
		n, skipped, err := cur.TryNext(buf)
		if werr := p.write(l, s, buf[:n], skipped); werr != nil || n == 0 || err != nil {
			return werr
		}
	}
	return nil
}

// write sends packets, after skipped ones.
func (p *Push) write(l *link, s *sender, packets []*media.Packet, skipped uint64) error {
	if skipped > 0 {
		s.waitKey = true
		p.log.Warn("push: the server is too slow and has missed packets", zap.Uint64("packets", skipped), zap.Duration("queue", p.cfg.Remote.Queue))
	}
	if len(packets) == 0 {
		return nil
	}
	for i, pkt := range packets {
		if err := s.packet(pkt); err != nil {
			return err
		}
		packets[i] = nil // the ring may forget it
	}
	if s.nothing() {
		return fmt.Errorf("the server takes none of the stream's codecs; it announces %s", announced(&l.Server))
	}
	if err := l.Flush(); err != nil {
		return err
	}
	p.mu.Lock()
	p.media = s.last
	p.mu.Unlock()
	return nil
}
