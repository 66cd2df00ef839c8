// Package quota counts who watches at a time and what they are sent, and holds both
// against limits: of an application, of a listening block, of the whole server.
//
// A Scope is one of these. A viewer takes a Seat in every Scope that it is in, or in none.
// Who sends something adds it to the Scopes of its viewer. Both are a few atomic
// operations; a lock is taken to come, to go, once a second, and where addresses have a
// bandwidth of their own.
package quota

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Span is over how many seconds a bandwidth is measured: viewers of HLS take several
// seconds of a stream at once.
const Span = 10

// maxSources bounds the addresses of a Scope whose bandwidth is measured.
const maxSources = 1 << 16

// Limits are those of a Scope; 0: none.
type Limits struct {
	Of                        string // what has them, as an error says it: `application "show"`
	Viewers, PerIP            int
	Bandwidth, BandwidthPerIP int64 // bits/s
}

// A Scope is what has limits. The zero Scope has none.
type Scope struct {
	limits  atomic.Pointer[Limits]
	viewers atomic.Int64
	sent    atomic.Uint64 // bytes
	rate    atomic.Int64  // bits/s, of the last Span seconds

	mu      sync.Mutex // guards what follows
	window  window
	sources map[netip.Prefix]*source
	metered int // sources with traffic
}

// A source is an address, as package listen counts addresses.
type source struct {
	viewers int
	traffic *traffic // nil: it is not measured
}

type traffic struct {
	sent   uint64 // bytes
	window window
}

// SetLimits changes the limits at once; nil: there are none. Who watches stays.
func (s *Scope) SetLimits(l *Limits) { s.limits.Store(l) }

// Limits are those that SetLimits was given last; nil: none.
func (s *Scope) Limits() *Limits { return s.limits.Load() }

// Viewers is how many seats are taken.
func (s *Scope) Viewers() int { return int(s.viewers.Load()) }

// Rate is what is sent, in bits/s over the last Span seconds.
func (s *Scope) Rate() int64 { return s.rate.Load() }

// Add counts n bytes that were sent to an address. A nil Scope counts nothing.
func (s *Scope) Add(from netip.Prefix, n int64) {
	if s == nil || n <= 0 {
		return
	}
	s.sent.Add(uint64(n))
	l := s.limits.Load()
	if l == nil || l.BandwidthPerIP == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trafficLocked(from); t != nil {
		t.sent += uint64(n)
	}
}

// Tick is called once a second: it measures.
func (s *Scope) Tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate.Store(s.window.tick(s.sent.Load()))
	if s.metered == 0 {
		return
	}
	for from, src := range s.sources {
		if src.traffic != nil {
			src.traffic.window.tick(src.traffic.sent)
			s.tidyLocked(from, src)
		}
	}
}

// tidyLocked forgets an address that nobody watches from, and that was sent nothing.
func (s *Scope) tidyLocked(from netip.Prefix, src *source) {
	if src.viewers > 0 || src.traffic != nil && !src.traffic.window.idle() {
		return
	}
	if src.traffic != nil {
		s.metered--
	}
	delete(s.sources, from)
}

// Check says why one more viewer with this bit rate can't come from an address; nil: it
// can.
func (s *Scope) Check(from netip.Prefix, rate int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checkLocked(from, rate)
}

func (s *Scope) checkLocked(from netip.Prefix, rate int64) error {
	l := s.limits.Load()
	if l == nil {
		return nil
	}
	src := s.sources[from]
	switch out := s.window.expected(); {
	case l.Viewers > 0 && s.viewers.Load() >= int64(l.Viewers):
		return fmt.Errorf("limits: viewers = %d of %s reached", l.Viewers, l.Of)
	case l.Bandwidth > 0 && out+max(rate, 1) > l.Bandwidth:
		return fmt.Errorf("limits: bandwidth = %s of %s reached: %s are sent", bits(l.Bandwidth), l.Of, bits(out))
	case src == nil:
		return nil
	case l.PerIP > 0 && src.viewers >= l.PerIP:
		return fmt.Errorf("limits: viewers_per_ip = %d of %s reached", l.PerIP, l.Of)
	case l.BandwidthPerIP > 0 && src.traffic != nil && src.traffic.window.expected()+max(rate, 1) > l.BandwidthPerIP:
		return fmt.Errorf("limits: bandwidth_per_ip = %s of %s reached", bits(l.BandwidthPerIP), l.Of)
	}
	return nil
}

func (s *Scope) take(from netip.Prefix, rate int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLocked(from, rate); err != nil {
		return err
	}
	s.viewers.Add(1)
	s.window.come(rate)
	s.sourceLocked(from).viewers++
	if l := s.limits.Load(); l != nil && l.BandwidthPerIP > 0 {
		if t := s.trafficLocked(from); t != nil {
			t.window.come(rate)
		}
	}
	return nil
}

// leave gives a seat back. rate is what is not sent any more from now on; 0: it was not
// sent for a while.
func (s *Scope) leave(from netip.Prefix, rate int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewers.Add(-1)
	s.window.come(-rate)
	src := s.sources[from]
	src.viewers--
	if src.traffic != nil {
		src.traffic.window.come(-rate)
	}
	s.tidyLocked(from, src)
}

func (s *Scope) sourceLocked(from netip.Prefix) *source {
	if s.sources == nil {
		s.sources = make(map[netip.Prefix]*source)
	}
	src := s.sources[from]
	if src == nil {
		src = &source{}
		s.sources[from] = src
	}
	return src
}

// trafficLocked is the traffic of an address; nil: too many are measured.
func (s *Scope) trafficLocked(from netip.Prefix) *traffic {
	src := s.sources[from]
	if src != nil && src.traffic != nil {
		return src.traffic
	}
	if s.metered >= maxSources {
		return nil
	}
	s.metered++
	src = s.sourceLocked(from)
	src.traffic = &traffic{}
	src.traffic.window.tick(0)
	return src.traffic
}

// bits writes a bit rate for people.
func bits(n int64) string {
	if n >= 1e6 {
		return fmt.Sprintf("%.1f Mb/s", float64(n)/1e6)
	}
	return fmt.Sprintf("%d kb/s", n/1000)
}

// A Seat is a viewer's place in several Scopes. A nil Seat is that of a viewer who takes
// none.
type Seat struct {
	scopes [maxScopes]*Scope
	from   netip.Prefix
	rate   int64 // bits/s, as expected
	left   atomic.Bool
}

const maxScopes = 4

// Take gives a viewer from an address, who will be sent about rate bits/s, a place in each
// of the scopes, or says which of them has none. Nil scopes are passed over.
func Take(from netip.Prefix, rate int64, scopes ...*Scope) (*Seat, error) {
	seat := &Seat{from: from, rate: rate}
	n := 0
	for _, s := range scopes {
		if s == nil {
			continue
		}
		if err := s.take(from, rate); err != nil {
			for _, t := range seat.scopes[:n] {
				t.leave(from, rate)
			}
			return nil, err
		}
		seat.scopes[n] = s
		n++
	}
	return seat, nil
}

// Leave gives the place back. stopped says that something was being sent until now.
func (s *Seat) Leave(stopped bool) {
	if s == nil || s.left.Swap(true) {
		return
	}
	rate := s.rate
	if !stopped {
		rate = 0
	}
	for _, scope := range s.scopes {
		if scope != nil {
			scope.leave(s.from, rate)
		}
	}
}

// Add counts n bytes that were sent to who has the seat.
func (s *Seat) Add(n int64) {
	if s == nil {
		return
	}
	for _, scope := range s.scopes {
		scope.Add(s.from, n)
	}
}
