package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// liveWith is a configuration with one application and these attributes in it.
func liveWith(attributes string) string {
	return `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    ` + attributes + `
  }
}`
}

func TestWhereAPlayerBegins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, attributes string
		check            func(t *testing.T, first rtmp.Message, joined uint32)
	}{
		{"by default at the newest keyframe there is", "", func(t *testing.T, first rtmp.Message, joined uint32) {
			if !isKeyframe(first) || first.Timestamp >= joined {
				t.Errorf("keyframe %t", isKeyframe(first))
			}
		}},
		{"gop_cache = false: at the next keyframe", "gop_cache = false", func(t *testing.T, first rtmp.Message, joined uint32) {
			if !isKeyframe(first) || first.Timestamp < joined {
				t.Errorf("keyframe %t", isKeyframe(first))
			}
		}},
		{"wait_key = false as well: at once", "gop_cache = false\nwait_key = false", func(t *testing.T, first rtmp.Message, joined uint32) {
			if isKeyframe(first) || first.Timestamp < joined || first.Timestamp >= 2000 {
				t.Errorf("keyframe %t", isKeyframe(first))
			}
		}},
		{"wait_video makes up for wait_key", "gop_cache = false\nwait_key = false\nwait_video = true", func(t *testing.T, first rtmp.Message, joined uint32) {
			if !isKeyframe(first) || first.Timestamp < joined {
				t.Errorf("keyframe %t", isKeyframe(first))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, liveWith(c.attributes))
			p := r.publish("live", "cam")
			p.seconds(1.5)
			joined := uint32(p.at() * 1000)
			r.eventually("all sent is there", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
			s := r.spectate("live", "cam", dialling{})
			r.eventually("the player sits", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
			r.eventually("the fan has it", func() bool { return r.stream("live", "cam").Fan().Players() == 1 })
			p.seconds(1)
			first := s.first()
			c.check(t, first, joined)
			if t.Failed() {
				t.Logf("the first frame is at %d, the player came at %d", first.Timestamp, joined)
			}
		})
	}
}

func TestWaitVideoHoldsAudioBackUntilThereIsVideo(t *testing.T) {
	t.Parallel()
	for wait, want := range map[bool]rtmp.MessageType{false: rtmp.TypeAudio, true: rtmp.TypeVideo} {
		r := start(t, liveWith(fmt.Sprint("wait_video = ", wait)))
		p := r.publish("live", "cam")
		s := r.spectate("live", "cam", dialling{})
		r.eventually("the fan has the player", func() bool {
			st := r.stream("live", "cam")
			return st != nil && st.Fan() != nil && st.Fan().Players() == 1
		})
		// The test card with its audio first.
		clip := card()
		send := func(typ rtmp.MessageType, n int) {
			for _, m := range append(slices.Clone(clip.headers), clip.frames[:n]...) {
				if m.Type == typ {
					if err := p.WriteMessage(m); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := p.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		send(rtmp.TypeAudio, 40)
		if !wait {
			s.first()
		}
		r.eventually("the audio is there", func() bool { return r.packets("live", "cam") > 10 })
		send(rtmp.TypeVideo, 40)
		if got := s.first(); got.Type != want {
			t.Errorf("wait_video = %t: the first frame is of type %d, want %d", wait, got.Type, want)
		}
	}
}

func TestAnApplicationWithoutIdleStreamsHasNobodyWait(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("idle_streams = false\nreconnect_grace = 0"))
	early := r.spectate("live", "cam", dialling{})
	if s := early.told(); s.Code != rtmp.StatusPlayStreamNotFound || s.Level != "error" {
		t.Errorf("before the publisher: %+v", s)
	}
	p := r.publish("live", "cam")
	p.seconds(1)
	s := r.spectate("live", "cam", dialling{})
	s.first()
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	if s := s.told(); s.Code != rtmp.StatusPlayStreamNotFound {
		t.Errorf("after the publisher: %+v", s)
	}
}

func TestPlayersAreToldOfPublishersAsConfigured(t *testing.T) {
	t.Parallel()
	const (
		reset, begin, stop = rtmp.StatusPlayReset, rtmp.StatusPlayStart, rtmp.StatusPlayStop
		here, gone         = rtmp.StatusPlayPublishNotify, rtmp.StatusPlayUnpublishNotify
	)
	for _, c := range []struct {
		attributes string
		waiting    []string // told to a player before, while and after a publisher is there
		joining    []string // told to one that comes while it is there
	}{
		{"", []string{reset, begin}, []string{reset, begin}},
		{"publish_notify = true", []string{reset, begin, here, gone}, []string{reset, begin, here, gone}},
		{"play_restart = true", []string{reset, begin, stop}, []string{reset, begin, stop}},
		{"play_restart = true\npublish_notify = true", []string{reset, begin, here, stop, gone}, []string{reset, begin, here, stop, gone}},
	} {
		t.Run(c.attributes, func(t *testing.T) {
			t.Parallel()
			r := start(t, liveWith(c.attributes))
			waiting := r.spectate("live", "cam", dialling{})
			r.eventually("the first player waits", func() bool { return slices.Contains(waiting.codes(), reset) })
			if early := waiting.codes(); strings.Contains(c.attributes, "play_restart") && slices.Contains(early, begin) {
				t.Errorf("Play.Start without a publisher: %v", early)
			}
			p := r.publish("live", "cam")
			p.seconds(0.5)
			waiting.first()
			joining := r.spectate("live", "cam", dialling{})
			joining.first()
			if err := p.Unpublish(); err != nil {
				t.Fatal(err)
			}
			r.eventually("the stream has ended", func() bool { return r.stream("live", "cam") == nil })
			for s, want := range map[*spectator][]string{waiting: c.waiting, joining: c.joining} {
				r.eventually("the player has been told", func() bool { return len(s.codes()) >= len(want) })
			}
			for s, want := range map[*spectator][]string{waiting: c.waiting, joining: c.joining} {
				if got := s.codes(); !slices.Equal(got, want) {
					t.Errorf("a player is told %v, want %v", got, want)
				}
			}
		})
	}
}

func TestMetaSaysWhatPlayersGetOfTheMetadata(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`meta = "copy"`))
	for _, c := range []struct {
		meta  string
		known bool // a field that nginx-rtmp's rebuilt metadata does not have
		own   bool // Server says rtmpd
		count int
	}{
		{"copy", true, false, 1},
		{"on", false, true, 1},
		{"off", false, false, 0},
	} {
		r.reload(liveWith(`meta = "` + c.meta + `"` + "\nreconnect_grace = 0"))
		name := "cam" + c.meta
		s := r.spectate("live", name, dialling{})
		p := r.publish("live", name)
		p.seconds(1)
		s.first()
		joined := r.spectate("live", name, dialling{})
		joined.first()
		for who, s := range map[string]*spectator{"waiting": s, "joining": joined} {
			meta := s.metadata()
			if len(meta) != c.count {
				t.Errorf("%s, %s player: %d onMetaData, want %d", c.meta, who, len(meta), c.count)
				continue
			}
			for _, o := range meta {
				server, _ := o.Get("Server").(string)
				if known := o.Get("encoder") != nil || o.Get("audiosamplerate") != nil; known != c.known || strings.HasPrefix(server, "rtmpd") != c.own {
					t.Errorf("%s, %s player: %v", c.meta, who, o)
				}
				if o.Get("width") == nil {
					t.Errorf("%s, %s player: no width in %v", c.meta, who, o)
				}
			}
		}
	}
}

func TestMetaChangesWithTheNextPublisher(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`meta = "off"`))
	s := r.spectate("live", "cam", dialling{})
	r.eventually("it waits", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
	r.reload(liveWith(`meta = "copy"`))
	r.publish("live", "cam").seconds(0.5)
	s.first()
	if n := len(s.metadata()); n != 1 {
		t.Errorf("%d onMetaData", n)
	}
}

func TestTheNextPublishersMetadataReachesWaitingPlayers(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("reconnect_grace = 0"))
	s := r.spectate("live", "cam", dialling{})
	for n := 1; n <= 2; n++ {
		p := r.publish("live", "cam")
		p.seconds(0.5)
		r.eventually("its metadata arrives", func() bool { return len(s.metadata()) == n })
		if err := p.Unpublish(); err != nil {
			t.Fatal(err)
		}
		r.eventually("the stream has ended", func() bool { return r.stream("live", "cam") == nil })
	}
}

func TestPlayerQueueMovesASlowPlayerOn(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`player_queue = "1s"`))
	p := r.publish("live", "cam")
	p.seconds(0.5)
	s := r.seated("live", "cam", dialling{})
	r.eventually("the fan has the player", func() bool {
		fan := r.stream("live", "cam").Fan()
		return fan != nil && fan.Players() == 1
	})
	lapped := func() bool {
		for _, c := range r.srv.Snapshot().Servers[0].Applications[0].Streams[0].Clients {
			if c.Dropped > 0 {
				return true
			}
		}
		return false
	}
	// 60 kB a frame: 15 Mb/s fill every socket buffer while it does not read.
	ts := uint32(600)
	big := func(key bool) { t.Helper(); p.bigFrame(ts, key); ts += 33 }
	for n := 0; !lapped(); n++ {
		if n > 20000 {
			t.Fatal("a player that does not read is never moved on")
		}
		big(n%30 == 0)
		time.Sleep(time.Millisecond) // a pace, not a wait
	}
	const line = "player lags and was moved on to the newest keyframe: its connection is slower than the stream"
	r.logged(line, "cam")
	if n := r.logs.FilterMessage(line).Len(); n != 1 {
		t.Errorf("%d lines say that it lags", n)
	}
	s.read()
	big(true)
	r.eventually("the player goes on", func() bool {
		f := s.frames()
		return len(f) > 0 && f[len(f)-1].Timestamp == ts-33
	})
	times := make([]uint32, 0, 100)
	jumps := 0
	for i, m := range s.frames() {
		times = append(times, m.Timestamp)
		if i > 0 && m.Type == rtmp.TypeVideo && m.Timestamp > times[i-1]+500 {
			jumps++
			if !isKeyframe(m) {
				t.Errorf("it goes on at %d, which is no keyframe", m.Timestamp)
			}
		}
	}
	if jumps == 0 || !slices.IsSorted(times) {
		t.Errorf("%d jumps; sorted %t", jumps, slices.IsSorted(times))
	}
}

// bigFrame sends a video frame of 60 kB.
func (c *client) bigFrame(ts uint32, key bool) {
	c.rig.Helper()
	body := append([]byte{0x27, 1, 0, 0, 0, 0, 0, 0xea, 0x60, 0x41}, make([]byte, 59999)...)
	if key {
		body[0], body[9] = 0x17, 0x65
	}
	err := c.WriteMessage(rtmp.Message{Type: rtmp.TypeVideo, ChunkStreamID: 4, StreamID: 1, Timestamp: ts, Payload: body})
	if err == nil {
		err = c.Flush()
	}
	if err != nil {
		c.rig.Fatal(err)
	}
}

func TestAPlayerThatTakesNothingHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for _, secured := range []bool{false, true} {
		r := startSecure(t, `listen = "127.0.0.1:0"`)
		p := r.publish("live", "cam")
		p.seconds(0.5)
		var stuck *spectator
		if secured {
			stuck = r.playing(r.dialSecure(), "cam")
		} else {
			stuck = r.seated("live", "cam", dialling{})
		}
		r.eventually("the fan has the player", func() bool {
			fan := r.stream("live", "cam").Fan()
			return fan != nil && fan.Players() == 1
		})
		fan := r.stream("live", "cam").Fan()
		// Sent until nothing more goes out: its socket is full.
		for ts, still, last := uint32(600), 0, uint64(0); still < 50; ts += 33 {
			p.bigFrame(ts, ts%990 == 600%990)
			time.Sleep(2 * time.Millisecond) // a pace, not a wait
			if out := fan.BytesOut.Load(); out == last && out > 0 {
				still++
			} else {
				still, last = 0, out
			}
		}
		from := time.Now()
		if err := r.stop(); err != nil {
			t.Errorf("TLS %t: a stop after %s: %v", secured, time.Since(from), err)
		}
		stuck.Close()
	}
}

func TestAPlayerThatHasGoneLeavesASilentStream(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	stays := r.spectate("live", "cam", dialling{})
	r.eventually("it waits", func() bool { return slices.Contains(stays.codes(), rtmp.StatusPlayStart) })
	for range 20 {
		s := r.spectate("live", "cam", dialling{})
		r.eventually("it waits", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
		s.Close()
	}
	r.eventually("the fan has one player", func() bool { return r.players("live", "cam") == 1 })
}

func TestMaxPlayersIsPerStream(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("max_players = 3\nmax_players_per_ip = 3\nstream \"small*\" {\n  max_players = 1\n}"))
	sit := func(name string) *spectator { return r.spectate("live", name, dialling{}) }
	seated := func(s *spectator) {
		t.Helper()
		r.eventually("a seat", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
	}
	one := sit("small1")
	seated(one)
	if s := sit("small1").told(); s.Code != rtmp.StatusPlayFailed || s.Description != "max_players = 1 reached" {
		t.Errorf("the second: %+v", s)
	}
	seated(sit("small2"))
	for range 3 {
		seated(sit("large"))
	}
	if s := sit("large").told(); s.Description != "max_players = 3 reached" {
		t.Errorf("the fourth: %+v", s)
	}
	one.Close()
	r.eventually("a seat is free again", func() bool {
		s := sit("small1")
		r.eventually("an answer", func() bool { return len(s.codes()) > 0 })
		return s.codes()[0] == rtmp.StatusPlayReset
	})
}

func TestPlayersAreJudgedAtPlayAndAtReload(t *testing.T) {
	t.Parallel()
	const all = `reconnect_grace = 0`
	r := start(t, liveWith(all))
	p := r.publish("live", "cam")
	p.seconds(1)
	friend, stranger := r.spectate("live", "cam", dialling{from: "127.0.0.5"}), r.spectate("live", "cam", dialling{from: "127.0.0.6"})
	friend.first()
	stranger.first()

	rules := "access {\n  play = [\"allow 127.0.0.5\", \"deny all\"]\n}\n" + all
	plan := r.srv.Plan(r.load(liveWith(rules))).Disconnects
	if len(plan) != 1 || !strings.HasPrefix(plan[0], "player of live/cam from 127.0.0.6:") || !strings.Contains(plan[0], "playing from this address") {
		t.Errorf("the plan disconnects %q", plan)
	}
	r.reload(liveWith(rules))
	if s := stranger.told(); s.Code != rtmp.StatusPlayFailed || s.Level != "error" || !strings.Contains(s.Description, "not allowed any more") {
		t.Errorf("who may not play any more: %+v", s)
	}
	if s := r.spectate("live", "cam", dialling{from: "127.0.0.6"}).told(); s.Code != rtmp.StatusPlayFailed || !strings.Contains(s.Description, "access denied") {
		t.Errorf("who comes back: %+v", s)
	}
	n := len(friend.frames())
	p.seconds(1)
	r.eventually("who still may goes on", func() bool { return len(friend.frames()) > n })

	// A rule of a stream block, and live = false.
	r.reload(liveWith(all + "\nstream \"cam\" {\n  access {\n    play = [\"deny all\"]\n  }\n}"))
	if s := friend.told(); s.Code != rtmp.StatusPlayFailed {
		t.Errorf("by a stream's rules: %+v", s)
	}
	last := r.spectate("live", "other", dialling{})
	r.eventually("a seat", func() bool { return slices.Contains(last.codes(), rtmp.StatusPlayStart) })
	r.reload(liveWith("live = false"))
	if s := last.told(); !strings.Contains(s.Description, "live = false") {
		t.Errorf("live = false: %+v", s)
	}
	if s := p.ended(); !strings.Contains(s.Description, "live = false") {
		t.Errorf("the publisher, live = false: %+v", s)
	}
}

func TestFlushIntervalIsTheSmallestOfAllBlocksAtOnce(t *testing.T) {
	t.Parallel()
	block := func(attributes string) string {
		return "rtmp {\n  listen = \"127.0.0.1:0\"\n  " + attributes + "\n  application \"live\" {\n  }\n}\n"
	}
	r := start(t, block(""))
	for _, c := range []struct {
		hcl  string
		want time.Duration
	}{
		{block(`flush_interval = "33ms"`), 33 * time.Millisecond},
		{block(""), 100 * time.Millisecond},
		{block(`flush_interval = "250ms"`) + strings.Replace(block(`flush_interval = "40ms"`), "127.0.0.1:0", "127.0.0.2:0", 1), 40 * time.Millisecond},
	} {
		r.reload(c.hcl)
		if got := r.srv.hub.Interval(); got != c.want {
			t.Errorf("%s: %s", c.hcl, got)
		}
	}
}

func TestTheLastFramesReachWhoIsShownOutAtTheEnd(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("idle_streams = false\nreconnect_grace = 0"))
	for n := range 5 {
		p := r.publish("live", "cam")
		p.seconds(0.5)
		r.eventually("the stream is there", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
		s := r.spectate("live", "cam", dialling{})
		s.first()
		// More than a socket takes at once, and the good-bye right behind it.
		for i := range 100 {
			p.bigFrame(uint32(1000+33*i), i%30 == 0)
		}
		if err := p.Unpublish(); err != nil {
			t.Fatal(err)
		}
		if st := s.told(); st.Code != rtmp.StatusPlayStreamNotFound {
			t.Errorf("told %+v", st)
		}
		f := s.frames()
		if last := f[len(f)-1].Timestamp; last != 1000+33*99 {
			t.Fatalf("round %d: the last frame is at %d, published to %d", n, last, 1000+33*99)
		}
	}
}
