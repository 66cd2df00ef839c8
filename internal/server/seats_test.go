package server

import (
	"context"
	"fmt"
	"net"
	"testing"

	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// One address does not take every place of a stream, whatever it says it is.
func TestOneAddressHoldsAQuarterOfThePlaces(t *testing.T) {
	r := showing(t, "max_players = 12")
	for i := range 50 {
		w := watcher{rig: r, addr: "198.51.100.1", agent: fmt.Sprintf("Player/%d", i)}
		if i < 3 {
			w.gets("/live/cam.m3u8", 200, "#EXTM3U")
		} else {
			w.gets("/live/cam.m3u8", 503, "max_players_per_ip = 3 reached")
		}
	}
	watcher{rig: r, addr: "198.51.100.1", agent: "Player/1"}.gets("/live/cam.m3u8", 200, "#EXTM3U") // who is in goes on
	r.watcher("198.51.100.2").gets("/live/cam.m3u8", 200, "#EXTM3U")

	for range 3 {
		r.spectate("live", "cam", dialling{from: "127.0.0.2"}).first()
	}
	fourth := r.spectate("live", "cam", dialling{from: "127.0.0.2"})
	if st := fourth.told(); st.Code != rtmp.StatusPlayFailed || st.Description != "max_players_per_ip = 3 reached" {
		t.Errorf("the fourth player is told %+v", st)
	}
	player := r.spectate("live", "cam", dialling{from: "127.0.0.3"})
	player.first()
	// Players and viewers of an address count together.
	for i := range 3 {
		w := watcher{rig: r, addr: "127.0.0.3", agent: fmt.Sprintf("Player/%d", i)}
		if i < 2 {
			w.gets("/live/cam.m3u8", 200, "#EXTM3U")
		} else {
			w.gets("/live/cam.m3u8", 503, "max_players_per_ip = 3 reached")
			player.Close()
			r.eventually("the player's place is free", func() bool { return w.get("/live/cam.m3u8").status == 200 })
		}
	}
}

func TestPlayersPerAddress(t *testing.T) {
	r := showing(t, "max_players = 4\nmax_players_per_ip = 2")
	for i := range 4 {
		w := watcher{rig: r, addr: "198.51.100.1", agent: fmt.Sprintf("Player/%d", i)}
		w.gets("/live/cam.m3u8", map[bool]int{true: 200, false: 503}[i < 2], "")
	}
	r = showing(t, "max_players_per_ip = 1") // without max_players
	r.watcher("198.51.100.1").gets("/live/cam.m3u8", 200, "#EXTM3U")
	watcher{rig: r, addr: "198.51.100.1", agent: "another"}.gets("/live/cam.m3u8", 503, "max_players_per_ip = 1 reached")
	r = showing(t, "") // no limit at all
	for i := range 20 {
		watcher{rig: r, addr: "198.51.100.1", agent: fmt.Sprintf("Player/%d", i)}.gets("/live/cam.m3u8", 200, "#EXTM3U")
	}
}

// Connections that only name an application take no place of those that "*" may
// bring to life.
func TestConnectionsAloneBringNoApplicationToLife(t *testing.T) {
	r := start(t, "rtmp {\n listen = \"127.0.0.1:0\"\n application \"*\" {}\n}")
	var idle []net.Conn
	for i := range 30 {
		c := r.mustDial(fmt.Sprintf("idle-%d", i), dialling{})
		idle = append(idle, c.NetConn())
	}
	svc := r.service()
	if n := len(svc.All()); n != 0 {
		t.Errorf("%d applications for 30 connections that do nothing", n)
	}
	r.publish("one", "cam")
	r.spectate("two", "cam", dialling{})
	r.eventually("two applications", func() bool { return len(svc.All()) == 2 })
	for _, c := range idle {
		c.Close()
	}
}

// service is the one rtmp block.
func (r *rig) service() *origin.Service { return r.srv.running()[0].Service }

// Two that named an application before it came to life meet in it.
func TestWhoNamedAnApplicationFirstIsInTheSameOne(t *testing.T) {
	r := start(t, "rtmp {\n listen = \"127.0.0.1:0\"\n application \"*\" {}\n}")
	a, b := r.mustDial("show", dialling{}), r.mustDial("show", dialling{})
	player := r.playing(a.Client, "cam")
	player.read()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Publish(ctx, "cam"); err != nil {
		t.Fatal(err)
	}
	b.listen()
	b.seconds(1)
	player.first()
	if n := len(r.service().All()); n != 1 {
		t.Errorf("%d applications, want one", n)
	}
}
