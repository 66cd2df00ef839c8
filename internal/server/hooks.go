package server

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const (
	// maxHookArgs bounds what is kept of the arguments behind a name, for as
	// long as a session lasts.
	maxHookArgs = 4096
	// maxPublishType bounds the publishing type: live, record, append.
	maxPublishType = 32
)

// askConnect asks on_connect and returns the application's name. It is not told
// of names that no application can have: a URL in the wrong field of an encoder
// ends in a stream key. An error ends the session.
func (s *session) askConnect(ctx context.Context, c rtmp.Connect) (app string, err error) {
	if value.ValidStreamName(c.App) != nil {
		return c.App, nil
	}
	if len(c.Args) > maxHookArgs {
		return "", &refusal{"", "the application's arguments are too long"}
	}
	s.hello = &hooks.Session{
		App: c.App, Args: c.Args, FlashVer: c.FlashVer, SWFURL: c.SWFURL, TCURL: c.TCURL, PageURL: c.PageURL,
		Addr: s.addr.String(), ClientID: s.id,
	}
	cfg := s.svc.rules.Load().cfg
	v, err := s.svc.hooks.Ask(ctx, cfg.OnConnect, &cfg.Notify, hooks.Connect(*s.hello, time.Since(s.srv.started)))
	var no *hooks.Refusal
	if errors.As(err, &no) {
		s.hello = nil // whom the hook refused it hears no more of
	}
	if err != nil {
		return "", hookRefusal("", err)
	}
	if cfg.OnConnect != "" && s.away() {
		return "", errBye
	}
	s.hello.App = v.NameOr(c.App)
	return s.hello.App, nil
}

// sayDisconnect tells on_disconnect that a client which on_connect let in is gone.
func (s *session) sayDisconnect() {
	if s.hello == nil {
		return
	}
	cfg := s.svc.rules.Load().cfg
	caller := s.svc.hooks
	if s.app != nil {
		caller = s.app.hooks // behind what it says for this session
	}
	caller.Tell(&cfg.Notify, hooks.Subject{Session: s.id}, hooks.Call{Target: cfg.OnDisconnect, Event: hooks.Disconnect(*s.hello)})
}

// hookRefusal is what a hook's no means for the session: the client is told code
// and why.
func hookRefusal(code string, err error) error {
	var r *hooks.Refusal
	if errors.As(err, &r) {
		return &refusal{code, r.Reason}
	}
	return errBye // the server stops, and kick says so
}

// away says that the client is gone, or was shown out, while a hook was asked:
// what the hook says is of no use.
func (s *session) away() bool { return s.kicked.Load() != nil || listen.HungUp(s.raw) }

// A notice is one publish or play as the hooks see it, from the question on to
// the good-bye. Its fields stay as they are once ask has returned.
type notice struct {
	session    *session
	app        *application
	publishing bool
	question   hooks.Event
	from       hooks.Session
	stream     hooks.Stream
	since      time.Time

	mu    sync.Mutex
	over  bool
	timer *time.Timer        // of the next on_update
	stop  context.CancelFunc // of the one under way
	calls sync.WaitGroup
	ended chan struct{} // closed after the good-bye
}

// newNotice prepares what the hooks are told of cmd. name is the public name;
// of a publisher with a key, typed and args hold the secret.
func (s *session) newNotice(cmd rtmp.Command, name, typed string, args url.Values) *notice {
	n := &notice{
		session: s, app: s.app, ended: make(chan struct{}), publishing: strings.EqualFold(cmd.Name, "publish"),
		stream: hooks.Stream{Name: name, Args: rawArgs(cmd)}, since: time.Now(),
	}
	for _, secret := range []string{typed, args.Get("key")} {
		if s.owner.key != (keyID{}) && n.publishing && secret != "" && secret != name {
			s.hide(secret)
			s.hideFromHooks(secret)
			strip(secret, &n.stream.Args)
		}
	}
	n.from = *s.hello
	if n.publishing {
		kind := textArg(cmd, 1)
		n.question = hooks.Publish(n.from, n.stream, kind[:min(len(kind), maxPublishType)])
	} else {
		reset, _ := argAt(cmd, 3).(bool)
		n.question = hooks.Play(n.from, n.stream, numberArg(cmd, 1), numberArg(cmd, 2), reset)
	}
	return n
}

// hide takes a secret out of whatever else the client said, for logs and stat:
// some encoders put all that they were told into tcUrl.
func (s *session) hide(secret string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &s.connect
	strip(secret, &c.Args, &c.FlashVer, &c.SWFURL, &c.TCURL, &c.PageURL, &s.visit.args)
}

// hideFromHooks is hide for what the hooks are told of the session.
func (s *session) hideFromHooks(secret string) {
	hello := *s.hello
	strip(secret, &hello.Args, &hello.FlashVer, &hello.SWFURL, &hello.TCURL, &hello.PageURL)
	s.hello = &hello
}

func strip(secret string, fields ...*string) {
	for _, f := range fields {
		*f = strings.ReplaceAll(*f, secret, "")
	}
}

// hideGuess hides what may be meant as a secret: a wrong one is often nearly
// right, or will be right again.
func (s *session) hideGuess(guesses ...string) {
	for _, g := range guesses {
		if len(g) >= minSecret {
			s.hide(g)
			s.hideFromHooks(g)
		}
	}
}

// minSecret is the length of the shortest secret (docs/reference.md, secret).
const minSecret = 12

// ask asks on_publish or on_play. After a nil error end must be called.
func (n *notice) ask(ctx context.Context, cfg *config.Application) (hooks.Verdict, error) {
	code, target := rtmp.StatusPlayFailed, cfg.Hooks.OnPlay
	if n.publishing {
		code, target = statusDenied, cfg.Hooks.OnPublish
	}
	if len(n.stream.Args) > maxHookArgs {
		return hooks.Verdict{}, &refusal{code, "the arguments of the stream name are too long"}
	}
	if n.publishing {
		n.app.hooks.Settle(ctx, &cfg.Notify, target, n.stream.Name)
	}
	v, err := n.app.hooks.Ask(ctx, target, &cfg.Notify, n.question)
	var no *hooks.Refusal
	if errors.As(err, &no) {
		return v, hookRefusal(code, err)
	}
	n.stream.Public = v.Name
	if err != nil || target != "" && n.session.away() {
		n.end() // the hook may have agreed
		return v, errBye
	}
	return v, nil
}

// subject is what the hooks are told about: a publisher's calls are in the order of
// its stream, over all who publish it.
func (n *notice) subject() hooks.Subject {
	about := hooks.Subject{Session: n.session.id}
	if n.publishing {
		about.Stream = n.stream.Name
	}
	return about
}

// watch asks on_update every notify_update_timeout until end.
func (n *notice) watch() {
	ctx, stop := context.WithCancel(n.app.srv.ctx)
	n.mu.Lock()
	n.stop = stop
	n.mu.Unlock()
	n.arm(ctx)
}

// quietUpdates is how often the configuration is looked at where updates are off.
const quietUpdates = 30 * time.Second

func (n *notice) arm(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.over {
		every := cmp.Or(n.app.rules.Load().cfg.Notify.UpdateTimeout, quietUpdates)
		n.timer = time.AfterFunc(every, func() { n.update(ctx) })
	}
}

// update asks on_update once; a no ends the session.
func (n *notice) update(ctx context.Context) {
	n.mu.Lock()
	if n.over {
		n.mu.Unlock()
		return
	}
	n.calls.Add(1)
	n.mu.Unlock()
	defer n.calls.Done()
	cfg := n.app.rules.Load().cfg
	if cfg.Hooks.OnUpdate != "" && cfg.Notify.UpdateTimeout > 0 {
		e := hooks.Update(n.from, n.stream, n.publishing, time.Since(n.since), n.timestamp())
		_, err := n.app.hooks.Ask(ctx, cfg.Hooks.OnUpdate, &cfg.Notify, e)
		var no *hooks.Refusal
		if errors.As(err, &no) {
			code := rtmp.StatusPlayFailed
			if n.publishing {
				code = statusDenied
				n.session.condemned.Store(true) // the name is not kept for it
			}
			n.session.kick(code, no.Reason)
			return
		}
	}
	n.arm(ctx)
}

// timestamp is the publisher's last one, in ms.
func (n *notice) timestamp() uint32 {
	if n.publishing {
		return n.session.timestamp.Load()
	}
	n.app.mu.Lock()
	defer n.app.mu.Unlock()
	if st := n.app.streams[cmp.Or(n.stream.Public, n.stream.Name)]; st != nil && st.publisher != nil {
		return st.publisher.timestamp.Load()
	}
	return 0
}

// end ends the updates and says good-bye, in nginx-rtmp's order.
func (n *notice) end() {
	n.mu.Lock()
	n.over = true
	if n.timer != nil {
		n.timer.Stop()
	}
	if n.stop != nil {
		n.stop()
	}
	n.mu.Unlock()
	n.calls.Wait()
	cfg := n.app.rules.Load().cfg
	last := hooks.Call{Target: cfg.Hooks.OnPlayDone, Event: hooks.PlayDone(n.from, n.stream)}
	if n.publishing {
		last = hooks.Call{Target: cfg.Hooks.OnPublishDone, Event: hooks.PublishDone(n.from, n.stream)}
	}
	n.app.hooks.Tell(&cfg.Notify, n.subject(), last, hooks.Call{Target: cfg.Hooks.OnDone, Event: hooks.Done(n.from, n.stream)})
	close(n.ended)
}

// sayPlaylist tells on_playlist that a playlist was written.
func (st *stream) sayPlaylist(path string) {
	cfg := st.app.rules.Load().cfg
	n := st.notice.Load()
	if cfg.Hooks.OnPlaylist == "" || n == nil {
		return
	}
	e := hooks.Playlist(n.from, n.stream, "hls", path)
	st.app.hooks.TellLatest(&cfg.Notify, st.name, hooks.Call{Target: cfg.Hooks.OnPlaylist, Event: e})
}

func argAt(cmd rtmp.Command, i int) any {
	if i < len(cmd.Args) {
		return cmd.Args[i]
	}
	return nil
}

func textArg(cmd rtmp.Command, i int) string {
	s, _ := argAt(cmd, i).(string)
	return s
}

func numberArg(cmd rtmp.Command, i int) float64 {
	v, _ := argAt(cmd, i).(float64)
	return v
}

// rawArgs is what stands behind the ? of a stream name, as it was typed.
func rawArgs(cmd rtmp.Command) string {
	_, query, _ := strings.Cut(textArg(cmd, 0), "?")
	return query
}
