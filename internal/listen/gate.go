package listen

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A Gate counts the connections of a service, for max_connections and
// max_connections_per_ip.
type Gate struct {
	mu    sync.Mutex
	total int
	from  map[netip.Prefix]int

	said    time.Time // when refused connections were last logged
	refused int       // since then
}

// burst is the shortest time between two log lines about refused connections.
const burst = 10 * time.Second

// SourceOf returns what counts as one address: an IPv4 address, or a /64 of IPv6, the
// smallest prefix that a customer is given; otherwise a client could use billions of
// addresses.
func SourceOf(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(a, 32)
	}
	p, _ := a.Prefix(64) // fails for IPv4 and the zero Addr only
	return p
}

// Enter counts a connection, unless there are limit already (0: no limit).
func (g *Gate) Enter(limit int) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if limit > 0 && g.total >= limit {
		return fmt.Errorf("max_connections = %d reached", limit)
	}
	g.total++
	return nil
}

// EnterFrom also counts a connection that entered for its address.
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

// Leave ends the count of a connection, and for its address if EnterFrom counted it.
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

// Complain logs that a connection was refused: at most one line per burst, with the
// number of connections refused since the line before.
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
