package web

import (
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Demander is an Audience that can bring about a stream that somebody asks for:
// one that is pulled from another server.
type Demander interface {
	// Demand reports whether a playlist that is not there will be.
	Demand(playlist string) bool
}

const (
	// demandWait is how long who asks for the playlist of such a stream waits for it:
	// its first fragment has to come. Players ask again after that.
	demandWait = 15 * time.Second
	demandLook = 100 * time.Millisecond
)

// demanded waits for the playlist of a stream that begins because it is asked for.
func (x *exchange) demanded(path string) (lf segstore.File, ok bool) {
	d, can := x.site.deps.Audience.(Demander)
	if !can || !d.Demand(path) {
		return lf, false
	}
	look := time.NewTicker(demandLook)
	defer look.Stop()
	late := time.NewTimer(demandWait)
	defer late.Stop()
	for {
		if lf, ok = x.site.deps.Live.Lookup(path); ok {
			return lf, true
		}
		select {
		case <-look.C:
		case <-late.C:
			return lf, false
		case <-x.r.Context().Done():
			return lf, false
		}
	}
}
