package origin

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/quota"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// localSource is the address of all whom a limits block calls local: they are counted
// apart, and held against no limit. No client has it.
var localSource = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// QuotaOf makes of a limits block what a quota.Scope takes; nil: there is none.
func QuotaOf(l *config.Limits, of string) *quota.Limits {
	if l == nil {
		return nil
	}
	return &quota.Limits{
		Of: of, Viewers: l.Viewers, PerIP: l.ViewersPerIP,
		Bandwidth: int64(l.Bandwidth), BandwidthPerIP: int64(l.BandwidthPerIP),
	}
}

// CallsLocal reports whether a limits block excepts an address.
func CallsLocal(l *config.Limits, addr netip.Addr) bool {
	return l != nil && slices.ContainsFunc(l.Local, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// setLimits prepares for the limits of a configuration.
func (og *Origin) setLimits(cfg *config.Config) {
	og.limits.Store(cfg.Limits)
	og.whole.SetLimits(QuotaOf(cfg.Limits, "the server"))
	limited := cfg.Limits != nil
	for i := range cfg.RTMP {
		limited = limited || cfg.RTMP[i].Limits != nil ||
			slices.ContainsFunc(cfg.RTMP[i].Applications, func(a config.Application) bool { return a.Limits != nil })
	}
	og.limited.Store(limited)
}

// SetSites names the Scopes of the http blocks.
func (og *Origin) SetSites(all []*quota.Scope) { og.sites.Store(&all) }

// sourceOf is what an address counts as: see localSource.
func (a *Application) sourceOf(addr netip.Addr, cfg *config.Application) netip.Prefix {
	if CallsLocal(cfg.Limits, addr) || CallsLocal(a.origin.limits.Load(), addr) {
		return localSource
	}
	return listen.SourceOf(addr)
}

// sourceOfPlayer is sourceOf for who comes over RTMP.
func (a *Application) sourceOfPlayer(addr netip.Addr, cfg *config.Application) netip.Prefix {
	if b := a.svc.Config(); b != nil && CallsLocal(b.Limits, addr) {
		return localSource
	}
	return a.sourceOf(addr, cfg)
}

func (a *Application) sourceOfViewer(v *viewers.Visit, cfg *config.Application) netip.Prefix {
	if v.Local {
		return localSource
	}
	return a.sourceOf(v.Addr, cfg)
}

// seat gives a viewer of a stream, or a file, with this bit rate a place in the
// application, in door (the block that it came through; nil: no matter), and on the server.
func (a *Application) seat(from netip.Prefix, rate int64, door *quota.Scope) (*quota.Seat, error) {
	if from == localSource {
		return nil, nil
	}
	seat, err := quota.Take(from, rate, &a.scope, door, &a.origin.whole)
	if err != nil {
		return nil, &Refusal{RuleDenied, err.Error()}
	}
	return seat, nil
}

// hasSeat says why seat would give none; nil: it would.
func (a *Application) hasSeat(from netip.Prefix, rate int64, door *quota.Scope) error {
	if from == localSource {
		return nil
	}
	for _, s := range []*quota.Scope{&a.scope, door, &a.origin.whole} {
		if s == nil {
			continue
		}
		if err := s.Check(from, rate); err != nil {
			return &Refusal{RuleDenied, err.Error()}
		}
	}
	return nil
}

// rateLocked is the bit rate of a stream; 0: not known. The application is locked.
func (a *Application) rateLocked(name string) int64 {
	if st := a.streams[name]; st != nil {
		return bitRate(st.live.Snapshot(), time.Now())
	}
	return 0
}

// measure takes what players were sent in the last second, and a sample of every Scope.
func (og *Origin) measure() {
	if og.limited.Load() {
		for _, a := range og.applications() {
			for _, p := range a.seated() {
				p.countSent(p.player.Describe().BytesOut)
			}
		}
	}
	og.eachScope(func(s *quota.Scope, _, _ string) { s.Tick() })
}

// countSent counts what a player has been sent since the last time.
func (p *Playing) countSent(sent uint64) {
	if before := p.counted.Swap(sent); sent > before {
		p.seat.Add(int64(sent - before))
	}
}

// seated are the players with a place.
func (a *Application) seated() (out []*Playing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, sets := range []map[string]*playerSet{a.players, a.files} {
		for _, set := range sets {
			for p := range set.members {
				if p.seat != nil {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

func (og *Origin) applications() (out []*Application) {
	for _, v := range *og.services.Load() {
		out = append(out, v.All()...)
	}
	return out
}

// eachScope calls f for every Scope, with its kind and name.
func (og *Origin) eachScope(f func(s *quota.Scope, kind, name string)) {
	f(&og.whole, "server", "")
	for i, v := range *og.services.Load() {
		f(&v.scope, "rtmp", fmt.Sprint(i))
		for _, a := range v.All() {
			f(&a.scope, "application", a.name)
		}
	}
	for i, s := range *og.sites.Load() {
		f(s, "http", fmt.Sprint(i))
	}
}

// Limits are the limits blocks and what is in use, for stat and its kin.
func (og *Origin) Limits() (out []api.Limit) {
	og.eachScope(func(s *quota.Scope, kind, name string) {
		l := s.Limits()
		if l == nil {
			return
		}
		out = append(out, api.Limit{
			Block: kind, Name: name, Viewers: s.Viewers(), MaxViewers: l.Viewers,
			Bandwidth: s.Rate(), MaxBandwidth: l.Bandwidth, PerIP: l.PerIP, BandwidthPerIP: l.BandwidthPerIP,
		})
	})
	slices.SortStableFunc(out, func(x, y api.Limit) int {
		return cmp.Or(cmp.Compare(blockOrder[x.Block], blockOrder[y.Block]), cmp.Compare(x.Name, y.Name))
	})
	return out
}

var blockOrder = map[string]int{"server": 0, "rtmp": 1, "http": 2, "application": 3}

// Whole implements web.Accountant: the Scope of the whole server, if what is sent to addr
// counts there.
func (au *Audience) Whole(addr netip.Addr) *quota.Scope {
	if l := au.origin.limits.Load(); l == nil || CallsLocal(l, addr) {
		return nil
	}
	return &au.origin.whole
}

// Scope implements web.Accountant: that of whose file v is for, if what is sent to its
// address counts there.
func (au *Audience) Scope(v viewers.Visit) *quota.Scope {
	if !au.origin.limited.Load() {
		return nil
	}
	h := au.viewersOf(v.File)
	if h == nil || h.app.sourceOfViewer(&v, h.app.rules.Load().cfg) == localSource {
		return nil
	}
	return &h.app.scope
}
