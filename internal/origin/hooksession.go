package origin

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
)

const (
	// MaxHookArgs bounds what is kept of the arguments behind a name, for as
	// long as a session lasts.
	MaxHookArgs = 4096
	// maxPublishType bounds the publishing type: live, record, append.
	maxPublishType = 32
)

// A hookSession is one publish or play as the hooks see it, from the question on to
// publish_done or play_done. Its fields stay as they are once ask has returned.
type hookSession struct {
	client     hookClient
	app        *Application
	away       func() bool
	publishing bool
	silent     bool // no hook is told of it
	question   hooks.Event
	from       hooks.Session
	stream     hooks.Stream
	holder     string // of the stream key that is published with
	since      time.Time

	mu    sync.Mutex
	begun bool // it was accepted
	over  bool
	timer *time.Timer        // of the next on_update
	stop  context.CancelFunc // of the one under way
	calls sync.WaitGroup
	ended chan struct{} // closed after that call
}

// A hookClient is a Publisher or a Player.
type hookClient interface {
	Kick(Reason)
	Describe() Description
	Hide(secret string, hooks bool)
}

func (a *Application) newHookSession(c hookClient, away func() bool) *hookSession {
	return &hookSession{client: c, app: a, away: away, ended: make(chan struct{}), since: time.Now()}
}

// publish prepares the calls about r. Where the publisher has a key,
// what it typed and its arguments hold the secret.
func (n *hookSession) publish(r *PublishRequest) {
	n.publishing = true
	n.holder = r.owner.holder
	n.stream = hooks.Stream{Name: r.name, Args: r.RawArgs}
	for _, secret := range []string{r.Typed, r.Args.Get("key")} {
		if r.owner.key != (keyID{}) && secret != "" && secret != r.name {
			n.client.Hide(secret, false)
			n.client.Hide(secret, true)
			n.stream.Args = strings.ReplaceAll(n.stream.Args, secret, "")
		}
	}
	n.from = n.client.Describe().Session
	n.question = hooks.Publish(n.from, n.stream, r.Type[:min(len(r.Type), maxPublishType)])
}

// play prepares the calls about r, whose stream is called name.
func (n *hookSession) play(r *PlayRequest, name string) {
	n.stream = hooks.Stream{Name: name, Args: r.RawArgs}
	n.from = n.client.Describe().Session
	n.question = hooks.Play(n.from, n.stream, r.Start, r.Duration, r.Reset)
}

// minSecret is the length of the shortest secret (docs/reference.md, secret).
const minSecret = 12

// ask asks on_publish or on_play. After a nil error end must be called.
func (n *hookSession) ask(ctx context.Context, cfg *config.Application) (hooks.Verdict, error) {
	target := cfg.Hooks.OnPlay
	if n.publishing {
		target = cfg.Hooks.OnPublish
	}
	if len(n.stream.Args) > MaxHookArgs {
		return hooks.Verdict{}, &Refusal{RuleDenied, "the arguments of the stream name are too long"}
	}
	if n.publishing {
		n.app.hooks.Settle(ctx, &cfg.Notify, target, n.stream.Name)
	}
	v, err := n.app.hooks.Ask(ctx, target, &cfg.Notify, n.question)
	var no *hooks.Refusal
	if errors.As(err, &no) {
		return v, &Refusal{RuleDenied, no.Reason}
	}
	n.stream.Public = v.Name
	if err != nil || target != "" && n.away() {
		n.end() // the hook may have agreed
		return v, ErrGone
	}
	return v, nil
}

// subject orders the calls: those about a publisher are in the order of
// its stream, over all who publish it.
func (n *hookSession) subject() hooks.Subject {
	about := hooks.Subject{Session: n.from.ClientID}
	if n.publishing {
		about.Stream = n.stream.Name
	}
	return about
}

// watch asks on_update every notify_update_timeout until end.
func (n *hookSession) watch() {
	ctx, stop := context.WithCancel(n.app.origin.ctx)
	n.mu.Lock()
	n.stop, n.begun = stop, true
	n.mu.Unlock()
	n.arm(ctx)
	n.event("play", "publish")
}

// event runs the programs of exec blocks of a kind: play for a player, publish for a
// publisher.
func (n *hookSession) event(play, publish string) {
	blocks := n.app.rules.Load().cfg.For(cmp.Or(n.stream.Public, n.stream.Name)).Execs
	if len(blocks) == 0 {
		return
	}
	kind := play
	if n.publishing {
		kind = publish
	}
	n.app.execs.event(kind, "", blocks, n.values())
}

// values are what placeholders stand for in commands about n. A name that a hook
// replaced may be a secret.
func (n *hookSession) values() hooks.Values {
	v := hooks.Values{Session: n.from, Name: cmp.Or(n.stream.Public, n.stream.Name), Args: n.stream.Args, Publisher: n.holder}
	if typed := n.stream.Name; typed != v.Name && len(typed) >= minSecret {
		for _, s := range []*string{&v.Args, &v.SWFURL, &v.TCURL, &v.PageURL, &v.FlashVer} {
			*s = strings.ReplaceAll(*s, typed, "")
		}
	}
	return v
}

// quietUpdates is how often the configuration is looked at where updates are off.
const quietUpdates = 30 * time.Second

func (n *hookSession) arm(ctx context.Context) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.over {
		every := cmp.Or(n.app.rules.Load().cfg.Notify.UpdateTimeout, quietUpdates)
		n.timer = time.AfterFunc(every, func() { n.update(ctx) })
	}
}

// update asks on_update once; a no ends the session.
func (n *hookSession) update(ctx context.Context) {
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
			n.refused(Reason{RuleDenied, no.Reason})
			return
		}
	}
	n.arm(ctx)
}

// refused kicks the client whom on_update does not let go on.
func (n *hookSession) refused(why Reason) {
	if p := n.publication(); n.publishing && p != nil {
		p.evicted.Store(true) // the name is not kept for it
	}
	n.client.Kick(why)
}

// publication is what n is about, or what a player sees; nil: there is none.
func (n *hookSession) publication() *Publication {
	n.app.mu.Lock()
	defer n.app.mu.Unlock()
	st := n.app.streams[cmp.Or(n.stream.Public, n.stream.Name)]
	if st == nil || st.publication == nil || n.publishing && st.publication.hooks != n {
		return nil
	}
	return st.publication
}

// timestamp is the publisher's last one, in ms.
func (n *hookSession) timestamp() uint32 {
	if p := n.publication(); p != nil {
		return p.timestamp.Load()
	}
	return 0
}

// end ends the updates and calls publish_done or play_done, then done.
func (n *hookSession) end() {
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
	if n.begun {
		n.event("play_done", "publish_done")
	}
	cfg := n.app.rules.Load().cfg
	if n.silent {
		close(n.ended)
		return
	}
	last := hooks.Call{Target: cfg.Hooks.OnPlayDone, Event: hooks.PlayDone(n.from, n.stream)}
	if n.publishing {
		last = hooks.Call{Target: cfg.Hooks.OnPublishDone, Event: hooks.PublishDone(n.from, n.stream)}
	}
	n.app.hooks.Tell(&cfg.Notify, n.subject(), last, hooks.Call{Target: cfg.Hooks.OnDone, Event: hooks.Done(n.from, n.stream)})
	close(n.ended)
}

// sayPlaylist tells on_playlist that a playlist was written.
func (st *Stream) sayPlaylist(path string) {
	cfg := st.app.rules.Load().cfg
	n := st.hooks.Load()
	if cfg.Hooks.OnPlaylist == "" || n == nil {
		return
	}
	module := "hls"
	if strings.HasSuffix(path, ".mpd") {
		module = "dash"
	}
	e := hooks.Playlist(n.from, n.stream, module, path)
	st.app.hooks.TellLatest(&cfg.Notify, st.name, hooks.Call{Target: cfg.Hooks.OnPlaylist, Event: e})
}
