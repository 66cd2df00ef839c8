package server

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
	"github.com/rtmpd/rtmpd/internal/viewers"
)

// A quietRequest has nothing but a query.
type quietRequest struct{}

func (quietRequest) Bearer() string          { return "" }
func (quietRequest) Password() string        { return "" }
func (quietRequest) Cookie(string) string    { return "" }
func (quietRequest) Referer() string         { return "" }
func (quietRequest) PublicURL(string) string { return "" }

// checking returns what decides on a playlist request of a viewer that watches already, with a
// token and a session.
func checking(t testing.TB) func() error {
	t.Helper()
	r := showing(t, "tokens {}\nsessions {}")
	lf, _ := r.srv.origin.Directories().Lookup(filepath.Join(r.dir, "www/live/cam.m3u8"))
	v := viewers.Visit{
		File: lf, Addr: netip.MustParseAddr("198.51.100.1"), Agent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
		Query: "token=" + r.token("cam", time.Hour, true), Poll: true, Path: "/live/cam.m3u8", Request: quietRequest{},
	}
	au, ctx := r.srv.origin.Audience(), t.Context()
	check := func() error {
		v.Now = time.Now()
		_, err := au.Playlist(ctx, v)
		return err
	}
	if err := check(); err != nil || v.File.Kind != segstore.Playlist {
		t.Fatalf("%v, %v", v.File.Kind, err)
	}
	return check
}

// TestACheckOfAKnownSessionAllocatesNothing: each viewer asks for the playlist every few
// seconds.
func TestACheckOfAKnownSessionAllocatesNothing(t *testing.T) {
	check := checking(t)
	if n := testing.AllocsPerRun(1000, func() {
		if err := check(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCheckOfAKnownSession(b *testing.B) {
	check := checking(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := check(); err != nil {
			b.Fatal(err)
		}
	}
}
