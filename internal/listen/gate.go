package listen

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A Gate counts the connections of a service: max_connections and
// max_connections_per_ip.
type Gate struct {
	mu    sync.Mutex
	total int
	from  map[netip.Prefix]int

	said    time.Time // when the last line about the refused was written
	refused int       // since then
}

// burst is how often, at most, a line is written about refused connections.
const burst = 10 * time.Second

// SourceOf is what counts as one address: of IPv6 a /64, the least that a
// household is given, so that nobody has billions of them.
func SourceOf(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(a, 32)
	}
	p, _ := a.Prefix(64) // fails for IPv4 and the zero Addr only
	return p
}

// Enter counts a connection in, unless there are limit already (0: no limit).
func (g *Gate) Enter(limit int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if limit > 0 && g.total >= limit {
		return fmt.Errorf("max_connections = %d reached", limit)
	}
	g.total++
	return nil
}

// EnterFrom counts a connection that entered to its address as well.
func (g *Gate) EnterFrom(a netip.Addr, limit int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := SourceOf(a)
	if limit > 0 && g.from[p] >= limit {
		return fmt.Errorf("max_connections_per_ip = %d reached", limit)
	}
	if g.from == nil {
		g.from = make(map[netip.Prefix]int)
	}
	g.from[p]++
	return nil
}

// Leave takes a connection out, and off its address if it was counted there.
func (g *Gate) Leave(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.total--
	if !a.IsValid() {
		return
	}
	p := SourceOf(a)
	if g.from[p]--; g.from[p] == 0 {
		delete(g.from, p)
	}
}

func (g *Gate) Empty() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total == 0
}

// Complain logs that a connection was turned away: one line for a burst of
// them, with how many there were since the line before.
func (g *Gate) Complain(log *zap.Logger, remote string, why error, now time.Time) {
	g.mu.Lock()
	g.refused++
	n := g.refused
	say := g.said.IsZero() || now.Sub(g.said) >= burst
	if say {
		g.said, g.refused = now, 0
	}
	g.mu.Unlock()
	if say {
		log.Warn("connections refused", zap.String("reason", why.Error()), zap.String("remote", remote), zap.Int("count", n))
	}
}
