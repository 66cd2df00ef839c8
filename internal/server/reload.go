package server

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/quota"
	"github.com/rtmpd/rtmpd/internal/rtmpserver"
	"github.com/rtmpd/rtmpd/internal/web"
)

// acquired is what the second phase of a reload got hold of: everything that
// can fail has, or did not, before the running server is touched.
type acquired struct {
	srv       *Server
	cfg       *config.Config
	listeners map[string]net.Listener // new ones, by endpoint
	reclaimed []endpoint              // ours, closed to make room for an overlapping new one
	sites     []*web.Site             // one per http block
	rules     []*origin.Rules         // one per rtmp block
	tls       []*tls.Config           // one per rtmp block; nil without tls
	logs      []*rtmpserver.AccessLog // one per rtmp block; nil without access_log
	dirs      []*origin.Directory
	made      []origin.MadeKey // just now
}

// Apply makes cfg the running configuration: plan, acquire, commit, retire.
// After an error nothing has changed.
func (s *Server) Apply(cfg *config.Config) (plan config.Plan, err error) {
	s.applying.Lock()
	defer s.applying.Unlock()
	defer func() { s.Loaded(err) }()
	old, file := s.cfg.Load(), cfg
	cfg = s.withState(cfg)
	plan = config.Diff(old, cfg)
	if s.stopping() {
		return plan, errors.New("the server is stopping")
	}
	a := &acquired{srv: s, cfg: cfg, listeners: make(map[string]net.Listener)}
	if err := a.acquire(); err != nil {
		a.release()
		return plan, err
	}
	s.commit(a)
	s.file.Store(file)
	return plan, nil
}

// acquire binds, opens and compiles. Its errors are all reported together.
func (a *acquired) acquire() error {
	var errs []error
	for i := range a.cfg.RTMP {
		rules, err := origin.AcquireRules(a.cfg, i, &a.made)
		a.rules = append(a.rules, rules)
		errs = append(errs, err)
		secure, err := a.srv.tlsConfig(&a.cfg.RTMP[i])
		a.tls = append(a.tls, secure)
		errs = append(errs, err)
		for j := range a.cfg.RTMP[i].Applications {
			errs = append(errs, a.openDirs(&a.cfg.RTMP[i].Applications[j]))
		}
	}
	for i := range a.cfg.HTTP {
		deps := a.srv.webDeps(a.cfg)
		deps.Traffic = a.srv.traffic(web.ListenText(a.cfg.HTTP[i]))
		site, err := web.Compile(a.cfg.HTTP[i], deps)
		if err == nil {
			a.sites = append(a.sites, site)
		}
		errs = append(errs, err)
	}
	errs = append(errs, a.prepareACME())
	if err := errors.Join(errs...); err != nil {
		return err // before any port is touched
	}
	if err := a.openLogs(); err != nil {
		return err
	}
	return a.bindAll()
}

// openLogs opens the access logs of the rtmp blocks: late, so that a rejected
// configuration leaves no empty ones behind.
func (a *acquired) openLogs() error {
	var errs []error
	for i := range a.cfg.RTMP {
		l, err := a.srv.rtmp.OpenAccessLog(&a.cfg.RTMP[i])
		a.logs = append(a.logs, l)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// openDirs opens the directories for segments of an application and of its stream blocks.
// Those with $app in them are opened when somebody publishes.
func (a *acquired) openDirs(app *config.Application) error {
	for _, app := range app.WithStreams() {
		for i, path := range app.SegmentPaths() {
			if strings.Contains(path, "$app") {
				continue
			}
			what := "hls"
			if app.HLS == nil || i > 0 {
				what = "dash"
			}
			d, err := a.srv.origin.Directories().Open(what, path)
			if err != nil {
				return fmt.Errorf("application %q: %s: %w", app.Name, what, err)
			}
			a.dirs = append(a.dirs, d)
		}
	}
	return nil
}

// bindAll binds what is not bound yet. A new address that overlaps one of ours
// that goes away (":8080" becoming "127.0.0.1:8080") can only be had after
// closing it; if that fails in the end, release binds it again.
func (a *acquired) bindAll() error {
	want := endpoints(a.cfg)
	var errs []error
	for _, e := range want {
		if a.srv.bound(e) || a.listeners[e.key()] != nil {
			continue
		}
		for _, old := range endpoints(a.srv.cfg.Load()) {
			stays := slices.ContainsFunc(want, func(w endpoint) bool { return w.key() == old.key() })
			if stays || !old.addr.Overlaps(e.addr) || slices.Contains(a.reclaimed, old) {
				continue
			}
			if a.srv.unbind(old) {
				a.reclaimed = append(a.reclaimed, old)
			}
		}
		ln, err := a.srv.opts.Bind(e.addr)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		a.listeners[e.key()] = ln
	}
	return errors.Join(errs...)
}

// release gives back what was acquired before something failed.
func (a *acquired) release() {
	for _, ln := range a.listeners {
		ln.Close()
	}
	for _, e := range a.reclaimed {
		if err := a.srv.rebind(e); err != nil {
			a.srv.log.Error("listener lost while reloading", zap.Error(err))
		}
	}
	for _, site := range a.sites {
		_ = site.Close()
	}
	for _, l := range a.logs {
		if l != nil {
			_ = l.Close() // nothing was written
		}
	}
	for _, d := range a.dirs {
		a.srv.origin.Directories().Release(d)
	}
	// Nobody has seen them: the next attempt makes others, and announces them.
	if err := origin.ForgetKeys(string(a.cfg.StateDir), a.made); err != nil {
		a.srv.log.Error("stream keys that were never announced stay", zap.Error(err))
	}
}

// commit swaps everything and retires what is no longer wanted. It can't fail.
func (s *Server) commit(a *acquired) {
	if lvl, err := zapcore.ParseLevel(a.cfg.Log.Level); err == nil {
		s.opts.Level.SetLevel(lvl)
	}
	s.origin.Guard(a.cfg)
	s.mu.Lock()
	old := s.cfg.Swap(a.cfg)
	blocks := s.pairBlocks(old, a.cfg)
	gone := slices.DeleteFunc(slices.Clone(s.blocks), func(b *rtmpserver.Block) bool { return slices.Contains(blocks, b) })
	released := s.held
	s.held = a.dirs
	s.mu.Unlock()

	services := make([]*origin.Service, len(blocks))
	for i, b := range blocks {
		services[i] = b.Service
		b.UseAccessLog(a.logs[i]) // first: the lines of those that are kicked now are in it
		for _, app := range b.Commit(a.rules[i]) {
			s.removeApp(app)
		}
	}
	s.mu.Lock()
	s.blocks = blocks // with their rules
	s.mu.Unlock()
	s.origin.SetServices(services)
	for _, b := range gone {
		for _, app := range b.All() {
			s.removeApp(app)
		}
		b.Remove()
	}
	scopes := make([]*quota.Scope, len(a.sites))
	for i, site := range a.sites {
		scopes[i] = site.Traffic().Scope()
		scopes[i].SetLimits(origin.QuotaOf(a.cfg.HTTP[i].Limits, "the http block"))
	}
	s.origin.SetSites(scopes)
	s.noteKeysFiles(a.cfg.KeysFailing)
	s.hub.SetInterval(flushInterval(a.cfg))
	s.commitListeners(a, blocks)
	s.acme.Apply(acmeSettings(a.cfg), acmeDomains(a.cfg)) // its challenges need the listeners
	for _, d := range released {
		s.origin.Directories().Release(d)
	}
	for _, k := range a.made {
		s.opts.Announce(k.String())
	}
}

// pairBlocks finds what runs of each new rtmp block: the one that listens on one of
// its addresses, else the one in its place, else a new one.
func (s *Server) pairBlocks(old, cfg *config.Config) []*rtmpserver.Block {
	out := make([]*rtmpserver.Block, len(cfg.RTMP))
	free := slices.Clone(s.blocks)
	take := func(i, j int) {
		out[i], free[j] = free[j], nil
	}
	for i := range cfg.RTMP {
		for j := range free {
			if free[j] != nil && j < len(old.RTMP) && shareAddress(&old.RTMP[j], &cfg.RTMP[i]) {
				take(i, j)
				break
			}
		}
	}
	for i := range out {
		if out[i] == nil && i < len(free) && free[i] != nil {
			take(i, i)
		}
		if out[i] == nil {
			out[i] = s.rtmp.NewBlock()
		}
	}
	return out
}

// running are the rtmp blocks of the present configuration.
func (s *Server) running() []*rtmpserver.Block {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.blocks)
}

// flushInterval is the longest pause of the fan-out, which all rtmp blocks share:
// the smallest that one of them asks for.
func flushInterval(cfg *config.Config) time.Duration {
	d := time.Duration(0)
	for i := range cfg.RTMP {
		if f := cfg.RTMP[i].FlushInterval; f > 0 && (d == 0 || f < d) {
			d = f
		}
	}
	return cmp.Or(d, defaultFlush)
}

func shareAddress(a, b *config.RTMP) bool {
	return slices.ContainsFunc(rtmpEndpoints(a), func(x endpoint) bool {
		return slices.ContainsFunc(rtmpEndpoints(b), func(y endpoint) bool { return x.addr.String() == y.addr.String() })
	})
}

// removeApp ends everyone in an application that is gone.
func (s *Server) removeApp(app *origin.Application) {
	s.origin.Remove(app)
	s.rtmp.KickAll(app)
}
