package origin

import (
	"context"
	"hash/maphash"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/cmcd"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// Audience is the HTTP viewers of all streams. It implements web.Audience.
type Audience struct {
	origin   *Origin
	seed     maphash.Seed
	pool     *viewers.Pool
	verdicts *viewers.Verdicts
	healths  *cmcd.Pool
	// VerdictLife is how long on_play's word about a viewer counts. It is set before
	// the first viewer comes.
	VerdictLife time.Duration
	// guarded is set once an application asks on_play for HTTP viewers, and
	// stays: what was asked for then is not open to all when it no longer is.
	guarded atomic.Bool
	said    atomic.Int64 // bytes that doneCalls hold

	defaults defaultTable // of DEFAULT_STREAM
	shown    shownTable   // what it has said

	mu   sync.RWMutex
	sets map[place]*viewerSet // who writes below a directory, as found once
}

// A place is whose a live file is.
type place struct{ dir, app, stream string }

const (
	sweepViewers = time.Second
	// unknownTarget stands for the TARGETDURATION of a playlist that was found
	// on disk; silence is how many of them a viewer may say nothing.
	unknownTarget = 10 * time.Second
	silence       = 3
)

func newAudience(og *Origin) *Audience {
	au := &Audience{
		origin: og, verdicts: viewers.NewVerdicts(), healths: cmcd.NewPool(), VerdictLife: verdictLife, sets: make(map[place]*viewerSet),
		pool: viewers.NewPool(og.NextID), seed: maphash.MakeSeed(),
	}
	au.pool.Awake = og.Awake
	return au
}

// guard prepares for a configuration before it is applied.
func (au *Audience) guard(cfg *config.Config) {
	for i := range cfg.RTMP {
		if slices.ContainsFunc(cfg.RTMP[i].Applications, func(a config.Application) bool {
			r := appRules{cfg: &a, triggers: hooks.NewTriggers(a.Name, cfg.Triggers, a.Triggers)}
			return r.guards() || r.meters()
		}) {
			au.guarded.Store(true)
		}
	}
}

// run ends the sessions of viewers that are gone, until ctx ends.
func (au *Audience) run(ctx context.Context) {
	tick := time.NewTicker(sweepViewers)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			au.sweep(now)
		}
	}
}

// viewersOf returns the viewers of a live file; nil: its application is gone.
func (au *Audience) viewersOf(f segstore.File) *viewerSet {
	p := place{f.Dir, f.App, f.Stream}
	for {
		au.mu.RLock()
		h := au.sets[p]
		au.mu.RUnlock()
		if h == nil {
			a := au.application(p)
			if a == nil {
				return nil
			}
			if h = a.openViewers(p.stream); h == nil {
				return nil
			}
			au.mu.Lock()
			au.sets[p] = h
			au.mu.Unlock()
		}
		if !h.closed.Load() {
			return h
		}
		au.forget(h)
	}
}

// application finds whose files those of p are, and enters it: the application
// of that name that writes there, else any of that name.
func (au *Audience) application(p place) *Application {
	services := *au.origin.services.Load()
	var found *Service
	for _, v := range services {
		rules := v.rules.Load().find(p.app)
		if rules == nil {
			continue
		}
		writes := slices.ContainsFunc(rules.cfg.WithStreams(), func(c *config.Application) bool {
			return slices.Contains(c.SegmentPaths(), p.dir)
		})
		if found == nil || writes {
			found = v
		}
		if writes {
			break
		}
	}
	if found == nil {
		return nil
	}
	return found.enter(p.app)
}

// Playlist implements web.Audience: a token where one is needed, on_play for who is new or
// was let in too long ago, max_players for who is new.
func (au *Audience) Playlist(ctx context.Context, v viewers.Visit) (grant viewers.Grant, err error) {
	h := au.viewersOf(v.File)
	if h == nil {
		return grant, &viewers.Denial{Status: 404}
	}
	h.used.Store(v.Now.Unix())
	rules := h.app.rules.Load()
	cfg, tokens := rules.cfg, rules.tokensFor(h.name)
	timeout := timeoutOf(cfg, v.File)
	var cred credential
	if tokens != nil || cfg.Sessions != nil {
		cred = h.shownBy(&v, tokenFrom(cfg))
	}
	id, viewer := au.identify(h, &v, cred.token)
	if len(cfg.Pulls) > 0 {
		h.app.demand(h.name, "") // what is there may be of the last time
	}
	counted := v.File.Kind != segstore.Master
	if viewer != "" {
		grant.Links = viewers.Parameter + "=" + viewer
	}
	if tokens != nil {
		claims, err := h.app.admit(rules, tokens, h.name, cred, h.counter.Joined(id, v.Now), v.Now)
		if err != nil {
			return grant, &viewers.Denial{Status: http.StatusForbidden, Reason: h.app.refuseToken(h.name, v.Addr, err, v.Now), Login: tokens.word != (keyID{})}
		}
		h.carryToken(&grant, cfg, cred, claims)
	}
	look := viewers.Look{ID: id, Epoch: h.epoch(rules), Protocol: protocolOf(&v)}
	if rules.meters() {
		look.Source = au.pool.ID(v.Addr, v.Agent)
	}
	if cfg.Sessions != nil {
		if known, meter := h.counter.Renew(look, v.Now, timeout); known {
			if rules.guardsStream(h.name) {
				au.verdicts.LetPass(h.pass(v.Addr, v.Agent), v.Now.Add(timeout), look.Epoch)
			}
			grant.Meter = meter
			return grant, h.seatLate(rules, id, &v, counted)
		}
	}
	if rules.asksHTTP(h.name) {
		if counted && !h.counter.Joined(id, v.Now) {
			if err := h.room(cfg, &v); err != nil {
				return grant, full(err)
			}
		}
		if err := h.ask(ctx, rules, id, v, timeout); err != nil {
			return grant, err
		}
	}
	begins := cfg.Sessions != nil && viewer != "" && v.Token == "" // its variants' requests are the session
	if v.Poll && !begins {
		if !h.counter.Touch(id, v.Now, timeout) {
			if err := h.join(rules, id, v, counted); err != nil {
				return grant, full(err)
			}
		} else if err := h.seatLate(rules, id, &v, counted); err != nil {
			return grant, err
		}
	}
	if rules.meters() {
		grant.Meter = h.counter.Keep(look)
	}
	if p := protocolOf(&v); p != viewers.HLS && v.Poll && cfg.Sessions == nil {
		h.counter.Watches(id, p)
	}
	if !rules.asksHTTP(h.name) && tokens != nil {
		au.verdicts.LetPass(h.pass(v.Addr, v.Agent), v.Now.Add(h.passLife(cfg, timeout)), look.Epoch)
	}
	return grant, nil
}

// identify says which viewer asks: the one with a token of ours, else the address and the
// user agent. viewer is the token that the variants of a master playlist are to carry.
func (au *Audience) identify(h *viewerSet, v *viewers.Visit, token string) (id viewers.ID, viewer string) {
	if s := h.app.rules.Load().cfg.Sessions; s != nil {
		if token != "" || !slices.Contains(s.Identify, "token") {
			return au.sessionID(s, v, token), ""
		}
		// Without a token of its own, the one that we gave it stands for it, and before
		// that its user agent.
		if v.Token != "" && au.pool.Valid(v.Token) {
			return au.sessionID(s, v, v.Token), v.Token
		}
		if v.File.Kind == segstore.Master {
			viewer = au.pool.NewToken()
		}
		return au.sessionID(s, v, v.Agent), viewer
	}
	if v.Token != "" {
		id := au.pool.TokenID(v.Token)
		if h.counter.Joined(id, v.Now) || au.pool.Valid(v.Token) {
			return id, v.Token
		}
	}
	if v.File.Kind == segstore.Master {
		viewer = au.pool.NewToken()
	}
	return au.pool.ID(v.Addr, v.Agent), viewer
}

func silenceOf(f segstore.File) time.Duration {
	if f.Target <= 0 {
		return silence * unknownTarget
	}
	return silence * f.Target
}

// full is the answer to a viewer for whom there is no room. A place may become free at
// any time.
func full(err error) error {
	return &viewers.Denial{Status: http.StatusServiceUnavailable, Reason: err.Error(), RetryAfter: retryFull, Full: true}
}

const retryFull = 5 // seconds

// Media implements web.Audience: a fragment or key needs a yes of on_play for
// its address and agent. Where none is asked, and nobody is metered, it costs a load.
func (au *Audience) Media(f segstore.File, addr netip.Addr, agent string, now time.Time) (*viewers.Meter, error) {
	if !au.guarded.Load() {
		return nil, nil
	}
	h := au.viewersOf(f)
	if h == nil {
		return nil, &viewers.Denial{Status: 404}
	}
	rules := h.app.rules.Load()
	if !rules.guardsStream(h.name) || h.passes(rules, addr, agent, now) {
		if !rules.meters() {
			return nil, nil
		}
		return h.counter.Request(au.pool.ID(addr, agent), now), nil
	}
	if !rules.asksHTTP(h.name) {
		return nil, &viewers.Denial{Status: 403, Reason: "this address and user agent was not let in: the playlist comes first"}
	}
	return nil, &viewers.Denial{Status: 403, Reason: rules.doorkeeper() + " has not let this address and user agent in: the playlist comes first"}
}

// passes reports whether who asks for a fragment of a guarded stream was let in.
func (h *viewerSet) passes(rules *appRules, addr netip.Addr, agent string, now time.Time) bool {
	au := h.app.origin.audience
	asked := &rules.asked
	epoch, ok := au.verdicts.Passed(h.pass(addr, agent), au.beforeGap(now, h.counter.Timeout()))
	// Who watched through a reload has time to ask for the playlist again.
	late := now.Sub(asked.since) < h.counter.Timeout()
	if ok && epoch == h.epoch(rules) || late && (ok || asked.open) {
		return true
	}
	return ok && now.Sub(time.Unix(0, h.invalidatedAt.Load())) < invalidGrace
}

// beforeGap is now; or, for as long after a gap in our own time, the moment it
// began: nobody could ask for anything meanwhile.
func (au *Audience) beforeGap(now time.Time, grace time.Duration) time.Time {
	if left, woke := au.origin.Awake.Gap(); now.Sub(woke) < grace {
		return left
	}
	return now
}

// Guards implements web.Audience.
func (au *Audience) Guards(f segstore.File) bool {
	if !au.guarded.Load() {
		return false
	}
	h := au.viewersOf(f)
	return h != nil && h.app.rules.Load().guardsStream(h.name)
}

// Guarding implements web.Audience.
func (au *Audience) Guarding() bool { return au.guarded.Load() }

// Shut implements web.Audience: media files beside a stream that on_play guards are
// refused, because no hook can be asked about them.
func (au *Audience) Shut(absPath string) bool {
	if !au.guarded.Load() || !slices.Contains(mediaTypes, strings.ToLower(filepath.Ext(absPath))) {
		return false
	}
	services := *au.origin.services.Load()
	for _, v := range services {
		rules := v.rules.Load()
		cfg := rules.cfg
		for i := range cfg.Applications {
			r := appRules{cfg: &cfg.Applications[i], triggers: rules.shut[i]}
			if !r.guards() {
				continue
			}
			for _, app := range cfg.Applications[i].WithStreams() {
				if slices.ContainsFunc(app.SegmentPaths(), func(dir string) bool { return lies(absPath, dir) }) ||
					app.HLS != nil && app.HLS.Keys != nil && lies(absPath, string(app.HLS.Keys.Path)) {
					return true
				}
			}
		}
	}
	return false
}

// mediaTypes are what Shut is about. A playlist that somebody wrote by hand shows
// no picture.
var mediaTypes = []string{".ts", ".m4s", ".mp4", ".m4v", ".m4a", ".key", ".aac", ".vtt"}

// lies says whether path is below dir, in which $app stands for any name.
func lies(path, dir string) bool {
	before, after, wild := strings.Cut(filepath.Clean(dir), "$app")
	rest, ok := strings.CutPrefix(path, before)
	if ok && wild {
		end := strings.IndexByte(rest, '/')
		if end <= 0 {
			return false
		}
		if i := strings.IndexByte(after, '/'); i >= 0 { // "/x/$app-hls/y"
			return strings.HasSuffix(rest[:end], after[:i]) && strings.HasPrefix(rest[end:], after[i:]+"/")
		}
		return strings.HasSuffix(rest[:end], after)
	}
	return ok && strings.HasPrefix(rest, "/")
}
