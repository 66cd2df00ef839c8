package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestConnectionsAreLimitedAtTheDoor(t *testing.T) {
	t.Parallel()
	config := func(attributes string) string {
		return "rtmp {\n  listen = \"127.0.0.1:0\"\n  " + attributes + "\n  application \"live\" {\n  }\n}"
	}
	for _, c := range []struct {
		attributes, reason string
		in                 []string // addresses that get in
		out                string   // the one that does not any more
	}{
		{"max_connections = 3", "max_connections = 3 reached", []string{"127.0.0.1", "127.0.0.1", "127.0.0.2"}, "127.0.0.3"},
		{"max_connections_per_ip = 2", "max_connections_per_ip = 2 reached", []string{"127.0.0.1", "127.0.0.1", "127.0.0.2", "127.0.0.2"}, "127.0.0.1"},
	} {
		t.Run(c.attributes, func(t *testing.T) {
			t.Parallel()
			r := start(t, config(c.attributes))
			var first *client
			for _, ip := range c.in {
				cl := r.mustDial("live", dialling{from: ip})
				if first == nil {
					first = cl
				}
			}
			for range 20 {
				if cl, err := r.dial("live", dialling{from: c.out}); err == nil {
					t.Fatalf("%s gets in", cl.local())
				}
			}
			lines := r.logs.FilterMessage("connections refused").All()
			if len(lines) != 1 || lines[0].ContextMap()["reason"] != c.reason {
				t.Errorf("lines about 20 refused connections: %v", lines)
			}
			if n := r.logs.FilterMessage("session closed").Len(); n != 0 {
				t.Errorf("%d lines about sessions", n)
			}
			// One leaves, one comes.
			first.Close()
			r.eventually("there is room again", func() bool {
				cl, err := r.dial("live", dialling{from: c.out})
				if err == nil {
					cl.Close()
				}
				return err == nil
			})
			// A reload counts at once, and drops nobody.
			r.reload(config("max_connections = 100"))
			others := r.spectate("live", "cam", dialling{from: c.out})
			for range 10 {
				r.mustDial("live", dialling{from: c.out})
			}
			r.reload(config("max_connections = 1"))
			if _, err := r.dial("live", dialling{}); err == nil {
				t.Error("one more gets in")
			}
			r.eventually("who is there stays", func() bool { return slices.Contains(others.codes(), rtmp.StatusPlayStart) })
		})
	}
}

func TestMaxPublishersIsPerApplication(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("max_publishers = 2\nreconnect_grace = 0"))
	r.publish("live", "a")
	b := r.publish("live", "b")
	r.refused("live", "c", dialling{}, statusBadName, "max_publishers = 2 reached")
	b.cut()
	r.eventually("a place is free", func() bool {
		_, err := r.tryPublish("live", "c", dialling{})
		return err == nil
	})
}

func TestMaxBandwidthRefusesThePlayerThatIsTooMany(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`max_bandwidth = "10M"`))
	p := r.publish("live", "cam")
	p.seconds(0.1)
	s := r.spectate("live", "cam", dialling{})
	s.first()
	// 500 kB in this second make 4 Mb/s at the end of it: two players.
	body := append([]byte{0x27, 1, 0, 0, 0, 0, 0, 0x9c, 0x40, 0x41}, make([]byte, 39999)...)
	rate := func() int64 { return int64(r.stream("live", "cam").Live().Snapshot().BwIn) }
	for ts := uint32(200); rate() == 0; ts += 40 {
		if r.stream("live", "cam").Live().Snapshot().BytesIn < 500_000 {
			if err := p.WriteMessage(rtmp.Message{Type: rtmp.TypeVideo, ChunkStreamID: 4, StreamID: 1, Timestamp: ts, Payload: body}); err != nil {
				t.Fatal(err)
			}
			if err := p.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Millisecond) // of the second that is measured
	}
	got := rate()
	max := int(10e6 / got)
	if max < 2 || max > 8 {
		t.Fatalf("the stream has %d bits/s: nothing to see with that", got)
	}
	for n := 2; ; n++ {
		s := r.spectate("live", "cam", dialling{})
		r.eventually("an answer", func() bool { return len(s.codes()) > 0 })
		if s.codes()[0] == rtmp.StatusPlayReset {
			if n > max && rate() == got {
				t.Fatalf("player %d of %d bits/s gets in", n, got)
			}
			if n > 100 {
				t.Fatal("everybody gets in")
			}
			continue
		}
		st := s.told()
		if st.Code != rtmp.StatusPlayFailed || !strings.HasPrefix(st.Description, fmt.Sprintf("max_bandwidth = 10M reached: %d times the stream's ", n)) {
			t.Errorf("player %d is told %+v", n, st)
		}
		if n <= max && rate() == got {
			t.Errorf("player %d of %d bits/s is refused", n, got)
		}
		break
	}
}

func TestMaxBandwidthHoldsInTheFirstSecond(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`max_bandwidth = "2M"`))
	p := r.publish("live", "cam")
	p.seconds(0.05)
	for i := range 30 { // 1.8 MB at once are 7 Mb/s or more until two seconds are over
		p.bigFrame(uint32(100+33*i), i == 0)
	}
	r.eventually("it is there", func() bool { return r.packets("live", "cam") > 30 })
	if st := r.spectate("live", "cam", dialling{}).told(); st.Code != rtmp.StatusPlayFailed || !strings.HasPrefix(st.Description, "max_bandwidth = 2M reached: 1 times") {
		t.Errorf("told %+v", st)
	}
}

func TestAPublisherAboveMaxBitrateIsShownOut(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("max_bitrate = \"1M\"\nstream \"free*\" {\n  max_bitrate = 0\n}"))
	w := r.witness("live", "free")
	modest := r.publish("live", "modest")
	greedy := r.publish("live", "greedy")
	modest.seconds(60)  // 5 Mbit at once: a burst is not a rate
	for i := range 30 { // 1.8 MB, in a few messages: those have a limit of their own
		greedy.bigFrame(uint32(33*i), i == 0)
	}
	if s := greedy.ended(); s.Level != "error" || s.Code != statusDenied || s.Description != "max_bitrate = 1M exceeded over 10 s" {
		t.Errorf("it is told %+v", s)
	}
	r.logged("session closed by the server", "max_bitrate = 1M exceeded")
	modest.seconds(1)
	if !modest.alive() {
		t.Errorf("the modest one is told %v", modest.heard())
	}
	w.undisturbed()
}
