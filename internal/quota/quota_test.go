package quota

import (
	"net/netip"
	"strings"
	"sync"
	"testing"
)

var (
	here  = netip.MustParsePrefix("198.51.100.1/32")
	there = netip.MustParsePrefix("2001:db8:1::/64")
)

func limited(l Limits) *Scope {
	l.Of = "the server"
	s := &Scope{}
	s.SetLimits(&l)
	return s
}

func refused(t *testing.T, err error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, want a refusal with %q", err, words)
	}
}

func seat(t *testing.T, from netip.Prefix, rate int64, scopes ...*Scope) *Seat {
	t.Helper()
	s, err := Take(from, rate, scopes...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAPlaceThatBecomesFreeIsGivenAtOnce(t *testing.T) {
	t.Parallel()
	app, all := limited(Limits{}), limited(Limits{Viewers: 2})
	first := seat(t, here, 0, app, nil, all)
	seat(t, there, 0, app, nil, all)
	_, err := Take(here, 0, app, nil, all)
	refused(t, err, "limits: viewers = 2 of the server reached")
	if app.Viewers() != 2 {
		t.Errorf("%d places of the application are taken by who was refused", app.Viewers())
	}
	first.Leave(true)
	first.Leave(true) // once only
	seat(t, here, 0, app, nil, all)
	all.SetLimits(nil)
	seat(t, here, 0, app, nil, all)
	if app.Viewers() != 3 || all.Viewers() != 3 {
		t.Errorf("%d and %d places are taken, want 3", app.Viewers(), all.Viewers())
	}
}

func TestAnAddressHasPlacesOfItsOwn(t *testing.T) {
	t.Parallel()
	s := limited(Limits{PerIP: 1})
	one := seat(t, here, 0, s)
	_, err := Take(here, 0, s)
	refused(t, err, "viewers_per_ip = 1 of the server reached")
	seat(t, there, 0, s)
	one.Leave(true)
	seat(t, here, 0, s)
}

func TestBandwidthIsWhatWasSentAndWhatHasJustBegun(t *testing.T) {
	t.Parallel()
	s := limited(Limits{Bandwidth: 5e6})
	s.Tick()
	var seats []*Seat
	for range 5 { // within one second, of which nothing is measured
		seats = append(seats, seat(t, here, 1e6, s))
	}
	refused(t, s.Check(there, 1e6), "bandwidth = 5.0 Mb/s of the server reached: 5.0 Mb/s are sent")
	for second := range 3 * Span {
		for _, seat := range seats {
			seat.Add(1e6 / 8)
		}
		s.Tick()
		if err := s.Check(there, 1e6); err == nil {
			t.Fatalf("one more is let in after %d s, with %d b/s expected", second, s.window.expected())
		}
	}
	if s.Rate() != 5e6 {
		t.Errorf("measured %d b/s, want 5 M", s.Rate())
	}
	seats[0].Leave(true)
	seats[1].Leave(false) // it took nothing any more
	if err := s.Check(there, 1e6); err != nil {
		t.Errorf("a place is free: %v", err)
	}
	refused(t, s.Check(there, 2e6), "bandwidth") // but not two
}

func TestAnAddressHasABandwidthOfItsOwn(t *testing.T) {
	t.Parallel()
	s := limited(Limits{BandwidthPerIP: 1e6})
	s.Tick()
	for range Span {
		s.Add(here, 1e6/8)
		s.Tick()
	}
	refused(t, s.Check(here, 0), "bandwidth_per_ip = 1.0 Mb/s of the server reached")
	if err := s.Check(there, 1e6); err != nil {
		t.Error(err)
	}
	for range Span + 1 {
		s.Tick()
	}
	if err := s.Check(here, 1e6); err != nil {
		t.Error(err)
	}
	if len(s.sources) != 0 {
		t.Errorf("%d addresses are remembered", len(s.sources))
	}
}

func TestASumOfManyIsRight(t *testing.T) {
	t.Parallel()
	s := limited(Limits{Viewers: 100})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if seat, err := Take(here, 1000, s); err == nil {
					seat.Add(10)
					seat.Leave(true)
				}
			}
		})
	}
	wg.Wait()
	if s.Viewers() != 0 || s.sent.Load() != 80000 || s.window.expected() != 0 {
		t.Errorf("%d seats, %d bytes, %d b/s are left", s.Viewers(), s.sent.Load(), s.window.expected())
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	s := limited(Limits{Bandwidth: 1e9, BandwidthPerIP: 1e9})
	seat := seat(t, here, 1e6, s)
	if n := testing.AllocsPerRun(100, func() { seat.Add(100); s.Add(here, 100); _ = s.Check(here, 1e6) }); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	s := limited(Limits{Viewers: 100, Bandwidth: 1e9})
	for b.Loop() {
		s.Add(here, 1400)
	}
}
