package origin

import (
	"net/netip"
	"time"

	"github.com/rtmpd/rtmpd/internal/cmcd"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// Report implements web.Reporter: what a player says counts for its stream.
func (au *Audience) Report(f segstore.File, r *cmcd.Report, addr netip.Addr, agent string, now time.Time) {
	h := au.viewersOf(f)
	if h == nil {
		return
	}
	health := h.health.Load()
	if health == nil {
		h.health.CompareAndSwap(nil, au.healths.NewHealth())
		health = h.health.Load()
	}
	health.Report(r, uint64(au.pool.ID(addr, agent)), now)
}

// forgetHealth frees what is kept of the players of a name that is over.
func (h *viewerSet) forgetHealth() {
	if health := h.health.Load(); health != nil {
		health.Close()
	}
}
