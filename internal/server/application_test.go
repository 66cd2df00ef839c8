package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestAnUnknownApplicationIsRejectedAtConnect(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	for _, app := range []string{"other", "", "Live", "live/x", "..", strings.Repeat("a", 300), "live%00"} {
		_, err := r.dial(app, dialling{})
		var s *rtmp.StatusError
		if !errors.As(err, &s) || s.Code != rtmp.StatusConnectRejected || s.Level != "error" {
			t.Errorf("connect to %.20q: %v, want %s", app, err, rtmp.StatusConnectRejected)
		}
	}
	r.eventually("a line for each", func() bool { return r.logs.FilterMessage("session refused").Len() == 7 })
	if !r.app("live").Idle() || r.app("other") != nil {
		t.Error("a refused connection counts for an application")
	}
	for _, app := range []string{"live/", "live/_definst_", "live?user=x"} {
		if _, err := r.dial(app, dialling{}); err != nil {
			t.Errorf("connect to %q: %v", app, err)
		}
	}
}

const wild = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {}
  application "*" {
    reconnect_grace = 0
    hls {
      path     = "$DIR/hls/$app"
      fragment = "1s"
    }
  }
}`

func TestTheStarApplicationTakesEveryNameAndForgetsIt(t *testing.T) {
	t.Parallel()
	r := start(t, wild)
	p := r.publish("church", "cam")
	p.seconds(2.5)
	r.eventually("a playlist below the application's name", func() bool { return r.read("hls/church/cam.m3u8") != "" })
	for _, app := range []string{"..", "a/b", "", ".hidden"} {
		if _, err := r.dial(app, dialling{}); err == nil {
			t.Errorf("application %q was let in", app)
		}
	}
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	p.Close()
	r.eventually("the application is forgotten", func() bool { return r.app("church") == nil })
	if r.app("live") == nil {
		t.Error("an application of the configuration was forgotten")
	}
	if text := r.read("hls/church/cam.m3u8"); !strings.HasSuffix(text, "#EXT-X-ENDLIST\n") {
		t.Errorf("its playlist has no end:\n%s", text)
	}
}

func TestWhoMayTakeALiveOrWaitingName(t *testing.T) {
	t.Parallel()
	const keys = `
    stream_key "anna" {
      stream = "cam"
      secret = "anna-secret-0001"
    }
    stream_key "bert" {
      stream = "cam"
      secret = "bert-secret-0001"
    }`
	const here, there = "127.0.0.1", "127.0.0.2"
	const anna, bert = "anna-secret-0001", "cam?key=bert-secret-0001"
	for i, c := range []struct {
		name         string
		conflict     string
		keys         bool
		lost         bool // the first publisher is gone, its stream waits
		first, typed string
		from         string // of the second
		words        string // of the refusal; empty: it is let in
	}{
		{"auto, same address", "auto", false, false, "cam", "cam", here, ""},
		{"auto, another address", "auto", false, false, "cam", "cam", there, "already publishing"},
		{"auto, same address, waiting", "auto", false, true, "cam", "cam", here, ""},
		{"auto, another address, waiting", "auto", false, true, "cam", "cam", there, "kept for its publisher"},
		{"reject, same address", "reject", false, false, "cam", "cam", here, "already publishing"},
		{"reject, same address, waiting", "reject", false, true, "cam", "cam", here, ""},
		{"reject, another address, waiting", "reject", false, true, "cam", "cam", there, "kept for its publisher"},
		{"replace, another address", "replace", false, false, "cam", "cam", there, ""},
		{"replace, another address, waiting", "replace", false, true, "cam", "cam", there, ""},
		{"auto, same key, another address", "auto", true, false, anna, "cam?key=" + anna, there, ""},
		{"auto, another key, same address", "auto", true, false, anna, bert, here, "already publishing"},
		{"auto, same key, another address, waiting", "auto", true, true, anna, anna, there, ""},
		{"auto, another key, same address, waiting", "auto", true, true, anna, bert, here, "kept for its publisher"},
		{"replace, another key", "replace", true, false, anna, bert, there, ""},
		{"reject, same key", "reject", true, false, anna, anna, here, "already publishing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf := fmt.Sprintf("\nrtmp {\n  listen = \"127.0.0.1:0\"\n  application \"live\" {\n    on_conflict = %q\n", c.conflict)
			if c.keys {
				conf += keys
			}
			r := start(t, conf+"\n  }\n}")
			p := r.publishFrom(here, "live", c.first)
			p.seconds(0.5)
			r.eventually("media arrives", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
			st := r.stream("live", "cam")
			if c.lost {
				p.cut()
				r.logged("publisher lost; the stream waits for it", "cam")
			}
			if c.words != "" {
				r.refused("live", c.typed, dialling{from: c.from}, rtmp.StatusPublishBadName, c.words)
				if !c.lost && !p.alive() {
					t.Error("the first publisher is gone")
				}
				if now := r.stream("live", "cam"); now != st {
					t.Error("the stream is another one")
				}
				return
			}
			q := r.publishFrom(c.from, "live", c.typed)
			if !c.lost {
				if last := p.ended(); last.Code != rtmp.StatusPublishBadName || !strings.Contains(last.Description, "took over") {
					t.Errorf("the first publisher was told %v", last)
				}
			}
			q.seconds(0.5)
			want := int(p.sent.Load() + q.sent.Load())
			r.eventually("its media goes into the same stream", func() bool { return r.packets("live", "cam") == want })
			if now := r.stream("live", "cam"); now != st || now.Live().Snapshot().Epoch != 2 {
				t.Errorf("case %d: the stream is another one, or in epoch %d, want 2", i, now.Live().Snapshot().Epoch)
			}
			if !q.alive() {
				t.Error("the second publisher is gone")
			}
		})
	}
}

// A publisher that was taken over can't write behind its successor, and time
// goes on from one to the other.
func TestTimeGoesOnFromOnePublisherToTheNext(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	first := r.publish("live", "cam")
	first.seconds(0.1)
	r.eventually("a stream", func() bool { return r.packets("live", "cam") > 0 })
	st := r.stream("live", "cam")
	cur := st.Live().Cursor(live.FromOldest, false)
	defer cur.Close()
	for range 3 {
		p := r.publish("live", "cam") // takes over, or comes back
		p.seconds(2)
		n := int(st.Live().Snapshot().Packets)
		r.eventually("media arrives", func() bool { return int(st.Live().Snapshot().Packets) > n })
	}
	last := r.publish("live", "cam")
	last.seconds(1)
	r.eventually("the last one's media arrives", func() bool {
		s := st.Live().Snapshot()
		return s.Epoch == 5 && s.LastDTS > 0
	})
	last.cut()
	r.logged("publisher lost; the stream waits for it", "cam")

	var dts [2]time.Duration
	var epoch uint32
	buf := make([]*media.Packet, 64)
	packets := 0
	for {
		n, skipped, err := cur.TryNext(buf)
		if err != nil || skipped > 0 {
			t.Fatalf("cursor: %v, %d skipped", err, skipped)
		}
		if n == 0 {
			break
		}
		for _, p := range buf[:n] {
			kind := p.Track.Kind
			if p.Epoch < epoch {
				t.Fatalf("packet %d of publisher %d behind one of publisher %d", packets, p.Epoch, epoch)
			}
			if p.DTS < dts[kind] || p.DTS > dts[kind]+time.Second {
				t.Errorf("packet %d, publisher %d: time goes from %s to %s", packets, p.Epoch, dts[kind], p.DTS)
			}
			epoch, dts[kind] = p.Epoch, p.DTS
			packets++
		}
	}
	if epoch != 5 || packets < 300 {
		t.Errorf("%d packets of %d publishers", packets, epoch)
	}
}

func TestReconnectGrace(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "long" {
    hls {
      path     = "$DIR/long"
      fragment = "1s"
    }
  }
  application "short" {
    reconnect_grace = "300ms"
    hls {
      path     = "$DIR/short"
      fragment = "1s"
    }
  }
  application "none" {
    reconnect_grace = "off"
  }
  application "handover" {
    handover_grace = "30s"
  }
}`)
	t.Run("a lost publisher comes back to the same stream", func(t *testing.T) {
		r := r.in(t)
		p := r.publish("long", "cam")
		p.seconds(2.5)
		r.eventually("a playlist", func() bool { return strings.Contains(r.read("long/cam.m3u8"), "cam-1.ts") })
		st := r.stream("long", "cam")
		p.cut()
		r.logged("publisher lost; the stream waits for it", "app:long")
		if app := r.srv.Snapshot().Servers[0].Applications[0]; app.Name != "long" || len(app.Streams) != 1 || app.Streams[0].Publishing {
			t.Errorf("the snapshot says %+v", app)
		}
		q := r.publish("long", "cam")
		q.seconds(3.5)
		r.eventually("the playlist goes on", func() bool {
			return strings.Contains(r.read("long/cam.m3u8"), "#EXT-X-DISCONTINUITY\n")
		})
		if r.stream("long", "cam") != st {
			t.Error("another stream object")
		}
		if strings.Contains(r.read("long/cam.m3u8"), "ENDLIST") {
			t.Error("the playlist was ended")
		}
	})
	t.Run("when it is over the stream ends", func(t *testing.T) {
		r := r.in(t)
		p := r.publish("short", "cam")
		p.seconds(2.5)
		r.eventually("a playlist", func() bool { return r.read("short/cam.m3u8") != "" })
		p.cut()
		r.eventually("the end", func() bool { return strings.HasSuffix(r.read("short/cam.m3u8"), "#EXT-X-ENDLIST\n") })
		r.eventually("no stream", func() bool { return r.stream("short", "cam") == nil })
		// A new one of that name removes the end again.
		q := r.publishFrom("127.0.0.2", "short", "cam")
		q.seconds(2.5)
		r.eventually("the playlist resumes", func() bool {
			text := r.read("short/cam.m3u8")
			return strings.Contains(text, "#EXT-X-DISCONTINUITY\n") && !strings.Contains(text, "ENDLIST")
		})
	})
	t.Run("off: a lost publisher's stream ends at once", func(t *testing.T) {
		r := r.in(t)
		p := r.publish("none", "cam")
		p.cut()
		r.eventually("no stream", func() bool { return r.stream("none", "cam") == nil })
	})
	t.Run("a clean good-bye ends the stream at once", func(t *testing.T) {
		r := r.in(t)
		p := r.publish("long", "bye")
		p.seconds(0.2)
		if err := p.Unpublish(); err != nil {
			t.Fatal(err)
		}
		r.eventually("no stream", func() bool { return r.stream("long", "bye") == nil })
		r.eventually("an answer", func() bool {
			h := p.heard()
			return len(h) > 0 && h[len(h)-1].Code == rtmp.StatusUnpublishSuccess
		})
	})
	t.Run("handover_grace keeps it for the next", func(t *testing.T) {
		r := r.in(t)
		p := r.publish("handover", "cam")
		p.seconds(0.2)
		st := r.stream("handover", "cam")
		if err := p.Unpublish(); err != nil {
			t.Fatal(err)
		}
		r.logged("publisher lost; the stream waits for it", "app:handover")
		p.Close()
		r.refused("handover", "cam", dialling{from: "127.0.0.2"}, rtmp.StatusPublishBadName, "kept for its publisher")
		r.publish("handover", "cam")
		if r.stream("handover", "cam") != st {
			t.Error("another stream object")
		}
	})
}

func TestAConnectionMayPublishAgainAfterItsGoodbye(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	p := r.publish("live", "one")
	p.seconds(0.3)
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	// Encoders send a few more frames behind their good-bye.
	for range 5 {
		if err := p.frame(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.WriteCommand(1, "publish", 9, nil, "two", "live"); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the second stream", func() bool { return r.stream("live", "two") != nil && r.stream("live", "one") == nil })
	p.frames = 0
	sent := p.sent.Load()
	p.seconds(0.3)
	r.eventually("its media", func() bool { return r.packets("live", "two") == int(p.sent.Load()-sent) })
}

func TestAPublisherWithoutMediaIsDropped(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    drop_idle_publisher = "1s"
    reconnect_grace     = 0
  }
  application "patient" {
    drop_idle_publisher = "off"
  }
}`)
	patient := r.publish("patient", "cam")
	began := time.Now()
	idle := r.publish("live", "idle")
	go func() { // bytes that are no media do not count
		for idle.WriteUserControl(rtmp.PingRequest, 1) == nil && idle.Flush() == nil {
			time.Sleep(50 * time.Millisecond)
		}
	}()
	last := idle.ended()
	if !strings.Contains(last.Description, "drop_idle_publisher") || last.Level != "error" {
		t.Errorf("told %v", last)
	}
	if d := time.Since(began); d < time.Second {
		t.Errorf("dropped after %s already", d)
	}
	r.eventually("no stream", func() bool { return r.stream("live", "idle") == nil })

	stalls := r.publish("live", "stalls")
	stalls.seconds(0.5)
	if last := stalls.ended(); !strings.Contains(last.Description, "drop_idle_publisher") {
		t.Errorf("one that fell silent was told %v", last)
	}
	if !patient.alive() {
		t.Error("off does not mean off")
	}
}

func TestMaxPublishers(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    max_publishers = 2
  }
}`)
	r.publish("live", "a")
	b := r.publish("live", "b")
	r.refused("live", "c", dialling{}, rtmp.StatusPublishBadName, "max_publishers = 2 reached")
	r.publish("live", "a") // a takeover is none more
	b.cut()
	r.logged("publisher lost; the stream waits for it", "stream:b")
	c := r.publish("live", "c")
	r.refused("live", "b", dialling{}, rtmp.StatusPublishBadName, "max_publishers = 2 reached")
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("c is gone", func() bool { return r.stream("live", "c") == nil })
	r.publish("live", "b")
}
