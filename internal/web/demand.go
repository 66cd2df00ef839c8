package web

import (
	"context"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Demander is an Audience that can bring about a stream that somebody asks for:
// one that is pulled from another server.
type Demander interface {
	// Demand begins the stream of a playlist that is not there, if it is such a
	// stream, and waits for the playlist until ctx ends.
	Demand(ctx context.Context, playlist string) (f segstore.File, ok bool)
}

// demandWait is how long a request for the playlist of such a stream waits: its first
// fragment has to come. Players ask again after that.
const demandWait = 15 * time.Second

// demanded waits for the playlist of a stream that begins because it is asked for.
func (x *exchange) demanded(path string) (segstore.File, bool) {
	d, can := x.site.deps.Audience.(Demander)
	if !can {
		return segstore.File{}, false
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), demandWait)
	defer cancel()
	return d.Demand(ctx, path)
}
