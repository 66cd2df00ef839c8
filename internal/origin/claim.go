package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hls"
)

// An owner is who may come back to a stream's name or take it over: the holder
// of the same key, or without keys the same address.
type owner struct {
	holder string // stream_key label; empty for a publisher without a key
	key    keyID  // zero for a publisher without a key
	// priority is the key's, among publishers that wait.
	priority int
	addr     netip.Addr
}

func (o owner) same(p owner) bool {
	if o.key != (keyID{}) || p.key != (keyID{}) {
		return o.key == p.key
	}
	return o.addr == p.addr
}

var errAppGone = errors.New("the application was removed from the configuration")

// busyError says why a name can't be had now.
type busyError struct{ reason string }

func (e *busyError) Error() string { return e.reason }

// mayClaim reports whether who could have name now; nothing is taken yet.
func (a *Application) mayClaim(name string, who owner) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mayClaimLocked(name, who)
}

func (a *Application) mayClaimLocked(name string, who owner) error {
	if a.gone {
		return errAppGone
	}
	if why := a.origin.keptOut.why(keptOutBy(a.name, who, name)); why != "" {
		return &busyError{why}
	}
	cfg := a.rules.Load().cfg.For(name)
	if err := a.variantBusyLocked(cfg, name); err != nil {
		return err
	}
	st := a.streams[name]
	if st == nil {
		if err := a.rungBusyLocked(name); err != nil {
			return err
		}
	}
	if st == nil || !slices.ContainsFunc(st.publications(), func(p *Publication) bool { return cfg.OnConflict != "standby" || p.owner.same(who) }) {
		if limit := cfg.MaxPublishers; limit > 0 && a.claimed >= limit {
			return &busyError{fmt.Sprintf("max_publishers = %d reached", limit)}
		}
	}
	switch {
	case st == nil:
		return nil
	case cfg.OnConflict == "replace":
		return nil
	case cfg.OnConflict == "standby":
		if len(st.waiting) >= maxStandby {
			return &busyError{fmt.Sprintf("%d publishers wait for the stream already", maxStandby)}
		}
		return nil
	case st.publication != nil && st.publication.slate:
		return nil
	case st.publication == nil:
		if st.owner.same(who) {
			return nil
		}
		return &busyError{"the name is kept for its publisher to come back (reconnect_grace)"}
	case cfg.OnConflict == "auto" && st.owner.same(who):
		return nil
	}
	return &busyError{"already publishing"}
}

// variantBusyLocked refuses the bare base name while one of its renditions is
// live: BASE.m3u8 is their master playlist then.
func (a *Application) variantBusyLocked(cfg *config.Application, name string) error {
	if cfg.HLS == nil || len(cfg.HLS.Variants) == 0 {
		return nil
	}
	for live := range a.streams {
		if base, ok := hls.VariantBase(*cfg.HLS, live); ok && base == name {
			return &busyError{fmt.Sprintf("the rendition %q is live: %q names the set of them", live, name)}
		}
	}
	return nil
}

// claim gives p the name: a new stream, or one that waits for its publisher,
// or a live one whose publisher is kicked.
func (a *Application) claim(name string, p *Publication) error {
	a.mu.Lock()
	if err := a.mayClaimLocked(name, p.owner); err != nil {
		a.mu.Unlock()
		return err
	}
	st := a.streams[name]
	goesOn := st != nil
	if st == nil {
		st = newStream(a, name)
		a.streams[name] = st
		a.attachPlayersLocked(st)
	}
	p.stream = st
	old := st.publication
	wait, eager := false, false
	if goesOn {
		wait, eager = st.waitsFor(a.rules.Load().cfg.For(name), p.owner)
	}
	if wait {
		old = st.sameWaitingLocked(p.owner)
		st.waitLocked(p, eager)
	}
	if old == nil {
		a.claimed++
	}
	if !wait {
		st.attachLocked(p)
	}
	a.mu.Unlock()
	switch {
	case wait && old == nil && !eager:
		p.log.Info("publisher waits: the stream has another one", zap.String("stream", name))
	case wait && old == nil:
	case old != nil:
		p.log.Info("stream goes on", zap.String("stream", name), zap.String("reason", "another publisher takes over"))
		old.publisher.Kick(Reason{RuleReplaced, "another publisher took over this stream"})
	case goesOn:
		p.log.Info("stream goes on", zap.String("stream", name), zap.String("reason", "it has a publisher again"))
	}
	st.outputs.apply(a.rules.Load().cfg.For(name))
	return nil
}
