package origin

import (
	"slices"

	"go.uber.org/zap"
)

// Why a stream ends as it should.
const (
	whyStopped     = "its publisher stopped"
	whyServerStops = "the server stops"
)

// detach ends p's hold on its stream. clean says that the publisher
// unpublished; either way the stream goes on for the grace that applies.
func (a *Application) detach(p *Publication, clean bool) {
	st := p.stream
	cfg := a.rules.Load().cfg.For(st.name)
	grace := cfg.ReconnectGrace
	switch {
	case p.evicted.Load():
		grace = 0 // else the name would be kept for who may not have it
	case clean:
		grace = cfg.HandoverGrace
	}
	a.mu.Lock()
	if i := slices.Index(st.waiting, p); i >= 0 {
		st.waiting = slices.Delete(st.waiting, i, i+1)
		a.claimed--
	}
	if st.publication != p {
		a.mu.Unlock()
		return
	}
	st.detachLocked()
	if !p.slate {
		a.claimed--
	}
	if a.origin.Stopping() {
		a.mu.Unlock()
		return // a stop ends no playlist: the next start goes on with it
	}
	if grace > 0 && !a.gone {
		st.grace = a.origin.Awake.AfterFunc(grace, func() { a.endIfWaiting(st) })
		a.mu.Unlock()
		p.log.Info("publisher lost; the stream waits for it",
			zap.String("stream", st.name), zap.Duration("grace", grace), zap.Bool("clean", clean))
		return
	}
	reason := "its publisher lost the connection"
	switch {
	case a.gone:
		reason = WhyAppGone
	case p.evicted.Load():
		reason = "its publisher was disconnected by the server"
	case clean:
		reason = whyStopped
	}
	a.endOrGoOnLocked(st, reason)
	a.mu.Unlock()
}

func (a *Application) endIfWaiting(st *Stream) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if st.publication == nil && a.streams[st.name] == st {
		a.endOrGoOnLocked(st, "its publisher did not come back")
	}
}

// endOrGoOnLocked ends a stream without a publisher, unless somebody waits for it.
func (a *Application) endOrGoOnLocked(st *Stream, reason string) {
	if a.goOnLocked(st) {
		return
	}
	if cfg := a.rules.Load().cfg.For(st.name); showsFallback(cfg, a.name, st.name) && !a.gone && !a.origin.Stopping() {
		a.startSlateLocked(st, fallbackOf(cfg, a.name, st.name))
		return
	}
	if !a.asksUnloadLocked(st, reason) {
		a.endLocked(st, reason)
	}
}

// goOnLocked puts on air who waits for a stream without a publisher. false: nobody does.
func (a *Application) goOnLocked(st *Stream) bool {
	next := st.nextLocked()
	if next == nil || a.gone {
		return false
	}
	st.onAirLocked(next)
	return true
}
