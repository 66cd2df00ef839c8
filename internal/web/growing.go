package web

import (
	"context"
	"net/http"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

// growWait is how long a piece of a growing segment is waited for at most.
const growWait = 10 * time.Second

// serveGrowing sends a segment that is being written, as it comes: DASH with low latency.
// Its length is not known, so HTTP/1.1 has it in chunks. A segment that is not completed
// ends the connection, so that nobody takes it for complete.
func (x *exchange) serveGrowing(l *location, urlPath, in string, lf *segstore.File) {
	if !x.mayHave(l, urlPath, lf) {
		return
	}
	h := x.Header()
	h["Content-Type"] = contentType(in)
	cache := maxAge(lf.MaxAge)
	if x.guarded(lf) {
		cache = []string{"private, " + cache[0]}
	}
	l.setCache(h, cache)
	l.setExtra(h)
	x.WriteHeader(http.StatusOK)
	if x.r.Method == http.MethodHead {
		return
	}
	for n := 0; ; {
		ctx, cancel := context.WithTimeout(x.r.Context(), growWait)
		pieces, whole, err := lf.Growing.From(ctx, n)
		cancel()
		switch {
		case err != nil || len(pieces) == 0 && !whole:
			panic(http.ErrAbortHandler)
		case len(pieces) == 0:
			return
		}
		for _, b := range pieces {
			if _, err := x.Write(b); err != nil {
				return
			}
		}
		n += len(pieces)
		x.Flush()
	}
}
