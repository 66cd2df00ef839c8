package segstore

import (
	"context"
	"sync"
)

// A Growing is a file that is not complete, in memory: its readers have what there is of
// it and wait for more. The methods may be called from any goroutine.
type Growing struct {
	mu      sync.Mutex
	pieces  [][]byte
	ended   bool
	whole   bool   // it ended complete
	changed signal // there is another piece, or the end
}

// Add appends b, which is not changed any more.
func (g *Growing) Add(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pieces = append(g.pieces, b)
	g.changed.raise()
}

// piece is piece n, which is there.
func (g *Growing) piece(n int) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.pieces[n]
}

// End says that nothing will follow. whole: the file is complete.
func (g *Growing) End(whole bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ended {
		g.ended, g.whole = true, whole
		g.changed.raise()
	}
}

// From returns the pieces from number n on, as soon as there is one. Without one the file
// has ended; whole says whether it is complete.
//
// Errors: ctx.Err().
func (g *Growing) From(ctx context.Context, n int) (pieces [][]byte, whole bool, err error) {
	for {
		g.mu.Lock()
		if n < len(g.pieces) || g.ended {
			pieces = g.pieces[n:len(g.pieces):len(g.pieces)]
			whole = g.whole
			g.mu.Unlock()
			return pieces, whole, nil
		}
		changed := g.changed.next()
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
}
