package pages

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// prefixOf is the n-th address.
func prefixOf(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 32)
}

func TestSocketsAreBounded(t *testing.T) {
	f := &fakeStreams{apps: []string{"show"}}
	k := sockets{find: func(app, name string) Stream { s, _ := f.Find(nil, app, name); return s }}
	s := live("test")
	for n := range 4096 {
		if _, ok := k.join(s, prefixOf(n)); !ok {
			t.Fatalf("socket %d is refused", n)
		}
	}
	if _, ok := k.join(s, prefixOf(5000)); ok {
		t.Error("one too many of all is taken")
	}
	for n := range 4096 {
		k.leave(s, prefixOf(n))
	}
	for n := range 64 {
		if _, ok := k.join(s, prefixOf(1)); !ok {
			t.Fatalf("socket %d of one address is refused", n)
		}
	}
	if _, ok := k.join(s, prefixOf(1)); ok {
		t.Error("one too many of an address is taken")
	}
	if _, ok := k.join(s, prefixOf(2)); !ok {
		t.Error("another address is refused")
	}
	k.leave(s, prefixOf(2))
	for range 64 {
		k.leave(s, prefixOf(1))
	}
	if len(k.topics)+len(k.bySource)+k.total != 0 {
		t.Errorf("%d topics, %d addresses, %d sockets stay", len(k.topics), len(k.bySource), k.total)
	}
}

// All sockets of a stream share the looking, and hear of a change together; without any,
// nothing looks.
func TestSocketsShareTheLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeStreams{apps: []string{"show"}}
		k := sockets{find: func(app, name string) Stream { s, _ := f.Find(nil, app, name); return s }}
		s := Stream{App: "show", Name: "test", State: Offline, Dir: "/hls", Playlist: "test.m3u8"}
		var topics []*topic
		for n := range 100 {
			to, _ := k.join(s, prefixOf(n))
			topics = append(topics, to)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		if f.looked() != 40 {
			t.Errorf("%d looks in 10 s, want 40", f.looked())
		}
		now, changed := k.state(topics[0])
		if now != s {
			t.Errorf("got %+v", now)
		}
		select {
		case <-changed:
			t.Error("it changed")
		default:
		}
		f.set(live("test"))
		time.Sleep(lookEvery)
		<-changed
		for _, to := range topics {
			if now, _ := k.state(to); now.State != Live {
				t.Fatalf("got %+v", now)
			}
		}
		for n := range 100 {
			k.leave(s, prefixOf(n))
		}
		looks := f.looked()
		time.Sleep(time.Minute)
		if f.looked() != looks {
			t.Errorf("%d looks for nobody", f.looked()-looks)
		}
	})
}
