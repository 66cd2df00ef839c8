package origin

import (
	"context"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fanout"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/quota"
	"github.com/rtmpd/rtmpd/internal/viewers"
	"github.com/rtmpd/rtmpd/internal/vod"
)

// A PlayRequest is what a player asks for.
type PlayRequest struct {
	Log      *zap.Logger // of the client
	Address  netip.Addr
	Name     string
	Prefix   string     // flv or mp4: stood before a colon in front of the name
	Args     url.Values // behind the ? of the name
	RawArgs  string     // the same as text
	Start    float64    // of play (RTMP §7.2.2.1), for on_play
	Duration float64
	Reset    bool
	Ordered  bool     // an operator has chosen the name: it is no guess
	Via      []string // the marks of the servers that it is played for
	// Away reports whether the client has hung up, or was kicked, meanwhile.
	Away func() bool
	// Fetching is called when the player has to wait for a file to be fetched.
	Fetching func()

	// Public is the stream's name, as far as it is known that it is no secret;
	// Play sets it, also where it refuses.
	Public string
}

// A Playing is a player's place among those of a name, from Play to Leave.
type Playing struct {
	app    *Application
	player Player
	addr   netip.Addr
	via    []string // of the request
	name   string
	set    *playerSet
	file   vod.File // nil: it plays a stream
	hooks  *hookSession
	from   value.RTMPURL // what on_play or STREAM_SOURCE answered; empty: no other server

	shown   credential // its token
	asked   string     // the stream that it is for: a hook may name another one
	ordered bool       // an operator has chosen the stream: no token is needed
	timing  sync.Mutex
	expiry  *time.Timer // guarded by timing, as is left: of its token
	left    bool
	tags    []string // guarded by timing

	source  netip.Prefix  // its address, as limits count it
	seat    *quota.Seat   // nil: it takes none
	counted atomic.Uint64 // bytes that seat was told of

	visit *hooks.Visit // of which USER_END is to be told; nil: it is not
	came  time.Time
	sent  uint64 // bytes, of what has ended
}

// Name is the stream's public name.
func (p *Playing) Name() string { return p.name }

// Fan sends the stream, and those of the name that come after it.
func (p *Playing) Fan() *fanout.Fan { return p.set.fan }

// File is what it plays; nil: a stream. It is closed by Leave.
func (p *Playing) File() vod.File { return p.file }

// ChunkSize is the one that the fan's messages are written with.
func (p *Playing) ChunkSize() int { return p.set.chunkSize }

// Leave ends it.
func (p *Playing) Leave() {
	p.unwatchToken()
	p.countSent(p.sent)
	p.seat.Leave(true)
	if p.file != nil {
		p.app.leaveFile(p)
	} else {
		p.app.leavePlayers(p)
	}
	p.sayUserEnd()
	p.hooks.end()
}

// Play decides whether p may play a stream, live or to come, or a file: access, guesses,
// on_play, limits. The error is a *Refusal, or ErrGone. Without one the caller
// must call Leave.
func (a *Application) Play(ctx context.Context, r *PlayRequest, p Player) (*Playing, error) {
	if a.rules.Load().cfg.VOD == nil { // else it may be a file in a directory
		r.Name = value.WildcardName(r.Name)
	}
	name := r.Name
	if err := a.CheckPlayName(name); err != nil {
		return nil, &Refusal{RuleDenied, err.Error()}
	}
	rules := a.rules.Load()
	name, err := a.playable(ctx, rules, r, p)
	if err != nil {
		return nil, err
	}
	if rules.cfg.Hooks.OnPlay == "" && !rules.renamesPlayers() && name != secretName {
		r.Public = name // else the hook may replace it
	}
	if err := mayPlay(rules.cfg.For(name), r.Address); err != nil {
		return nil, err
	}
	token, err := a.letIn(rules, r, p, name)
	if err != nil {
		return nil, err
	}
	session := a.newHookSession(p, r.Away)
	session.play(r, name)
	verdict, err := session.ask(ctx, rules.cfg) // before anything is sent
	if err != nil {
		return nil, err
	}
	out := &Playing{app: a, player: p, addr: r.Address, via: r.Via, from: verdict.Relay, hooks: session, shown: token, asked: name, ordered: r.Ordered}
	if verdict.Name != "" {
		if verdict.Name != name {
			p.Hide(name, false)
		}
		name = verdict.Name
		if err := mayPlay(rules.cfg.For(name), r.Address); err != nil {
			session.end()
			return nil, err
		}
	}
	if name, err = a.rewritePlay(ctx, rules, r, p, name); err == nil {
		name, out.from, err = a.findStream(ctx, rules, r, p, name, out.from)
	}
	if err == nil {
		err = a.admitPlayer(ctx, rules, r, out, name)
	}
	if err != nil {
		session.end()
		return nil, err
	}
	session.stream.Public = name
	if name != secretName {
		r.Public = name
	}
	if err := a.inCircle(r.Via, name); err != nil {
		session.end()
		return nil, err
	}
	if cfg := rules.cfg.For(name); out.from == "" && a.isFile(cfg, name) {
		err = a.openFile(ctx, r, name, out, cfg)
	} else {
		err = a.join(name, out, cfg)
	}
	if err != nil {
		session.end()
		return nil, err
	}
	a.origin.played.Add(1)
	r.Log.Info("play started", zap.String("stream", name), zap.String("player", p.Describe().Encoder))
	if now := a.rules.Load(); now != rules { // reloaded while the hook was asked
		if why := out.refusedBy(now, name); why != "" {
			out.LogStopped(r.Log, 0, 0)
			out.Leave()
			return nil, &Refusal{RuleDenied, why}
		}
	}
	session.watch()
	out.watchToken()
	return out, nil
}

// LogStopped writes the line about the end of a play that "play started" was
// written about, with the bytes that were sent and how often the player lagged.
func (p *Playing) LogStopped(log *zap.Logger, bytes, lapped uint64) {
	p.sent = bytes
	log.Info("play stopped", zap.String("stream", p.name), zap.Uint64("bytes", bytes), zap.Uint64("lapped", lapped),
		zap.Int64("dur_ms", time.Since(p.player.Describe().Since).Milliseconds()))
}

// secretName stands for every stream key that is asked for in the place of a name:
// as a name it would be there for all to read. No publisher can have it.
const secretName = "(hidden)"

// playable is the name under which a player waits for the stream r.Name. With keys
// in force a name may be a guess at one: an address that asks for many names that
// nobody knows is refused for a while, and a key is answered like any of them.
func (a *Application) playable(ctx context.Context, rules *appRules, r *PlayRequest, p Player) (string, error) {
	name := r.Name
	if !rules.keys.inForce {
		return name, nil
	}
	key := rules.keys.holds(name)
	if known := !key && (r.Ordered || rules.renamesPlayers() || rules.keys.names(name) || a.HasStream(name) || len(pullsOf(rules.cfg, name)) > 0); known {
		return name, nil
	}
	if l := a.library(rules.cfg); l != nil && !key && l.Has(r.fileRequest(name)) {
		return name, nil
	}
	hideGuess(p, name)
	guesses, now := a.svc.guessLimit(a.name), time.Now()
	if guesses.refused(r.Address, now) {
		brake(ctx)
		return "", &Refusal{RuleNoStream, "too many unknown stream names: try again in a minute"}
	}
	guesses.miss(r.Address, now)
	if key {
		name = secretName
	}
	return name, nil
}

// mayPlay is what is decided here, before any hook is asked.
func mayPlay(cfg *config.Application, addr netip.Addr) error {
	switch {
	case !cfg.Live && cfg.VOD == nil:
		return &Refusal{RuleDenied, "live = false for this application"}
	case !cfg.Access.Play.Allows(addr):
		return &Refusal{RuleDenied, "access denied: playing from this address is not allowed"}
	}
	return nil
}

// tag gives a player a tag; false: it has no room for it.
func (p *Playing) tag(tag string) bool {
	p.timing.Lock()
	defer p.timing.Unlock()
	switch {
	case slices.Contains(p.tags, tag):
		return true
	case len(p.tags) >= viewers.MaxTags || len(tag) > viewers.MaxTag:
		return false
	}
	p.tags = append(p.tags, tag)
	return true
}

func (p *Playing) tagList() []string {
	p.timing.Lock()
	defer p.timing.Unlock()
	return slices.Clone(p.tags)
}

// review decides on a player again, as if it had just come.
func (p *Playing) review() {
	rules := p.app.rules.Load()
	if why := p.refusedBy(rules, p.name); why != "" {
		p.player.Kick(Reason{RuleDenied, why})
		return
	}
	if p.hooks.silent || rules.cfg.Hooks.OnPlay == "" {
		return
	}
	_, err := p.app.hooks.Ask(p.app.origin.ctx, rules.cfg.Hooks.OnPlay, &rules.cfg.Notify, p.hooks.question)
	var no *hooks.Refusal
	if errors.As(err, &no) {
		p.player.Kick(Reason{RuleDenied, no.Reason})
	}
}
