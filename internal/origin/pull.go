package origin

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/ingest"
	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/relay"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const (
	// pullKept is how long a stream that nobody watches any more is still pulled.
	pullKept = 10 * time.Second
	pullLook = time.Second
	// maxPulls bounds the streams that an application pulls: strangers choose names.
	maxPulls = 1000
	// maxPullData bounds the data messages that are kept until the first media come.
	maxPullData = 8
)

// A puller takes a stream from other servers, for as long as somebody watches it, or
// for ever if its block is static. It is the stream's Publisher while media come.
type puller struct {
	app   *Application
	name  string
	id    uint64
	since time.Time
	log   *zap.Logger
	stop  context.CancelFunc
	asked atomic.Int64 // Unix ns of the last sign that somebody watches

	pull atomic.Pointer[relay.Pull]
	wake chan struct{} // there is another source to try at once

	mu     sync.Mutex   // guards what follows; taken after app.mu
	block  *config.Pull // that is at work; nil: none yet
	cancel context.CancelCauseFunc
	via    []string      // the marks of those who watch
	from   value.RTMPURL // what on_play has answered; empty: no other server
}

// pullsOf are the pull blocks for a stream, in the order of the configuration: one is
// tried after the other.
func pullsOf(cfg *config.Application, name string) (out []config.Pull) {
	for i := range cfg.Pulls {
		p := &cfg.Pulls[i]
		if local := relay.LocalName(p); local == name || local == "" && p.Remote.Streams.Match(name) {
			out = append(out, *p)
		}
	}
	return out
}

func static(blocks []config.Pull) bool {
	for i := range blocks {
		if blocks[i].Static {
			return true
		}
	}
	return false
}

// demandLocked has a stream pulled that somebody wants to watch, if it is one that
// is, and says whether it is. from is what on_play has answered for them. a.mu is held.
func (a *Application) demandLocked(name string, via []string, from value.RTMPURL) bool {
	rules := a.rules.Load()
	if p := a.pullers[name]; p != nil {
		p.asked.Store(time.Now().UnixNano())
		live := a.streams[name] != nil
		p.watchedVia(via, live)
		p.answered(from, live)
		return true
	}
	if a.gone || !rules.cfg.Live || from == "" && len(pullsOf(rules.cfg, name)) == 0 {
		return false
	}
	if st := a.streams[name]; st != nil && st.publication != nil && !st.publication.slate {
		return true // it has a publisher of its own
	}
	if len(a.pullers) >= maxPulls {
		return false
	}
	ctx, stop := context.WithCancel(a.origin.ctx)
	p := &puller{app: a, name: name, id: a.origin.NextID(), since: time.Now(), log: a.log.With(zap.String("stream", name)), stop: stop, wake: make(chan struct{}, 1), via: slices.Clone(via), from: from}
	p.asked.Store(time.Now().UnixNano())
	a.pullers[name] = p
	running := a.origin.goes.Go(func() {
		defer stop()
		p.run(ctx)
		a.mu.Lock()
		if a.pullers[name] == p {
			delete(a.pullers, name)
			if a.players[name] != nil && a.origin.ctx.Err() == nil { // who came while it ended
				a.demandLocked(name, p.via, p.from)
			}
		}
		a.mu.Unlock()
		a.svc.tidy(a)
	})
	if !running {
		delete(a.pullers, name)
	}
	return running
}

// reloadPulls starts the static pulls, and ends those whose block changed or is gone.
func (a *Application) reloadPulls() {
	a.mu.Lock()
	defer a.mu.Unlock()
	cfg := a.rules.Load().cfg
	for _, p := range a.pullers {
		p.reload(p.blocks())
	}
	for i := range cfg.Pulls {
		if name := relay.LocalName(&cfg.Pulls[i]); cfg.Pulls[i].Static && name != "" {
			a.demandLocked(name, nil, "")
		}
	}
}

// reload ends the pull, or its session, if its blocks changed.
func (p *puller) reload(blocks []config.Pull) {
	if len(blocks) == 0 {
		p.stop()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.block == nil || slices.ContainsFunc(blocks, func(b config.Pull) bool { return config.Equal(b, *p.block) }) {
		return
	}
	p.cancel(errPullChanged)
}

// watchedVia notes the marks of one more who watches. While nothing has come, the
// other server is asked anew with them: it may be one that waits for this one.
func (p *puller) watchedVia(via []string, live bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	grown := false
	for _, mark := range via {
		if len(p.via) < maxPullVia && !slices.Contains(p.via, mark) {
			p.via, grown = append(p.via, mark), true
		}
	}
	if grown && !live && p.cancel != nil {
		p.cancel(errPullChanged)
	}
}

// blocks are where the stream is pulled from, to be tried in this order: what on_play
// has answered, then what the configuration says.
func (p *puller) blocks() []config.Pull {
	all := pullsOf(p.app.rules.Load().cfg, p.name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.from != "" {
		all = slices.Insert(all, 0, answeredPull(p.from))
	}
	return all
}

// answered notes what on_play has answered for one more who watches. Another URL than
// before is tried at once if nothing has come, otherwise when the session ends.
func (p *puller) answered(from value.RTMPURL, live bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if from == "" || from == p.from {
		return
	}
	p.from = from
	if live {
		return
	}
	if p.cancel != nil {
		p.cancel(errPullChanged)
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// maxPullVia bounds the marks of a pull; others go unnoticed.
const maxPullVia = 24

var (
	errPullChanged = errors.New("its block changed")
	errNotWatched  = errors.New("nobody watches it any more")
	errNoPull      = errors.New("the configuration does not pull it any more")
)

// run pulls until ctx ends, nobody watches, or no block says so.
func (p *puller) run(ctx context.Context) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		p.watch(ctx, cancel)
	}()
	defer func() { cancel(nil); <-watching }()
	pause := output.Backoff{Max: time.Minute, Spread: true}
	logged := ""
	for {
		select {
		case <-p.wake:
		default:
		}
		blocks := p.blocks()
		if len(blocks) == 0 {
			return
		}
		pause.First = blocks[0].Remote.Reconnect
		changed := false
		for i := range blocks {
			began := time.Now()
			err := p.once(ctx, &blocks[i])
			switch {
			case ctx.Err() != nil:
				p.log.Info("pull stopped", zap.String("pull", blocks[i].Name), zap.String("reason", context.Cause(ctx).Error()))
				return
			case errors.Is(err, errPullChanged):
				changed = true
			}
			if changed {
				break
			}
			if pause.Ran(time.Since(began)) {
				logged = ""
			}
			log := p.log.Warn
			if logged == err.Error() {
				log = p.log.Debug
			}
			logged = err.Error()
			log("pull failed", zap.String("pull", blocks[i].Name), zap.Error(err))
			p.sayAbort(blocks[i].Name, blocks[i].Remote.URL, errors.Is(err, relay.ErrEnded), err)
		}
		if changed {
			pause.Reset()
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
			pause.Reset()
		case <-time.After(pause.Next()):
		}
	}
}

// watch cancels once nobody has watched for pullKept.
func (p *puller) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(pullLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if p.watched(now) {
				p.asked.Store(now.UnixNano())
			} else if now.Sub(time.Unix(0, p.asked.Load())) >= pullKept {
				cancel(errNotWatched)
				return
			}
		}
	}
}

// watched reports whether somebody watches the stream, or it is to be pulled anyhow.
func (p *puller) watched(now time.Time) bool {
	a := p.app
	if static(pullsOf(a.rules.Load().cfg, p.name)) {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.players[p.name] != nil {
		return true
	}
	set := a.viewers[p.name]
	return set != nil && set.counter.Len(now) > 0
}

// once pulls by a block until that ends.
func (p *puller) once(ctx context.Context, block *config.Pull) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p.mu.Lock()
	p.block, p.cancel = block, cancel
	marks := append(slices.Clone(p.via), p.app.mark(p.name))
	p.mu.Unlock()
	pull, err := relay.NewPull(*block, relay.Options{
		App: p.app.name, Name: p.name, Log: p.log, Expand: p.placeholder,
		Via: func() []string { return marks },
	})
	if err != nil {
		return err
	}
	p.pull.Store(pull)
	t := &taking{puller: p, pull: pull, block: block, in: ingest.Ingest{Log: p.log}}
	err = pull.Play(ctx, t.take)
	t.leave(errors.Is(err, relay.ErrEnded) || errors.Is(err, errNotWatched) || errors.Is(err, errNoPull))
	return err
}

// placeholder returns what $name stands for in a pull's URL.
func (p *puller) placeholder(name string) string {
	v := hooks.Values{Session: hooks.Session{App: p.app.name}, Name: p.name}
	return v.Value(name, time.Now())
}

// Kick implements Publisher: the connection ends. It is made again later.
func (p *puller) Kick(r Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil {
		p.cancel(errors.New(r.Text))
	}
}

// Redirect implements Publisher: a pull has the name that its block says.
func (p *puller) Redirect(string, string) {}

// Hide implements Publisher: it shows no secret.
func (p *puller) Hide(string, bool) {}

// Describe implements Publisher.
func (p *puller) Describe() Description {
	d := Description{ID: p.id, Since: p.since, Local: &net.TCPAddr{}, Encoder: "pull", Session: hooks.Session{App: p.app.name, ClientID: p.id}}
	pull := p.pull.Load()
	if pull == nil {
		return d
	}
	d.Encoder = "pull from " + pull.Source()
	d.Session.FlashVer = d.Encoder
	if remote, local, received, roundTrip, ok := pull.Conn(); ok {
		d.Peer, d.Local, d.BytesIn, d.RoundTrip = remote.String(), local, received, roundTrip
		if at, err := netip.ParseAddrPort(d.Peer); err == nil {
			d.Address = at.Addr().Unmap()
			d.Session.Addr = d.Address.String()
		}
	}
	return d
}

// A taking is one session: it publishes once the first media come, and keeps the
// metadata until then.
type taking struct {
	*puller
	pull  *relay.Pull
	block *config.Pull
	in    ingest.Ingest
	pub   *Publication
	data  []rtmp.Message
}

func (t *taking) take(m rtmp.Message) error {
	if t.pub == nil {
		if m.Type != rtmp.TypeAudio && m.Type != rtmp.TypeVideo {
			if len(t.data) < maxPullData {
				t.data = append(t.data, m)
			}
			return nil
		}
		pub, err := t.app.publishPulled(t.puller)
		if err != nil {
			return err
		}
		t.pub = pub
		t.log.Info("pull is live", zap.String("pull", t.block.Name), zap.String("source", t.pull.Source()))
		t.in.Begin(pub)
		for _, d := range t.data {
			if err := t.in.Message(d); err != nil {
				return err
			}
		}
		t.data = nil
	}
	return t.in.Message(m)
}

func (t *taking) leave(clean bool) {
	if t.pub != nil {
		t.pub.Leave(clean)
	}
}

// publishPulled gives p its stream. Neither access nor keys nor hooks are asked: the
// configuration, or on_play, says that it is to be there.
func (a *Application) publishPulled(p *puller) (*Publication, error) {
	cfg := a.rules.Load().cfg.For(p.name)
	session := a.newHookSession(p, func() bool { return false })
	session.silent, session.publishing = true, true
	session.stream, session.from = hooks.Stream{Name: p.name}, p.Describe().Session
	pub := &Publication{app: a, publisher: p, log: p.log, hooks: session, pulled: true}
	if err := a.claim(p.name, pub); err != nil {
		session.end()
		return nil, err
	}
	a.origin.published.Add(1)
	pub.announce(nil)
	pub.watchIdle(cfg.DropIdlePublisher)
	return pub, nil
}
