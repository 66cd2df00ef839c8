package server

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// steered are two rtmp blocks, and a control location that this machine may use.
const steered = `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = "1h"
    hls { path = "$DIR/hls" }
  }
  application "keyed" {
    stream_key "cam" {
      secret = "a-secret-of-cam-0"
    }
    stream_key "other" {
      secret = "a-secret-of-other"
    }
  }
  application "closed" {
    access { play = ["deny all"] }
  }
}
rtmp {
  listen = "127.0.0.2:0"
  application "live" {}
}
http {
  listen = "127.0.0.1:0"
  location "/control" {
    control {}
    access = ["allow loopback", "deny all"]
  }
  location "/dropper" {
    control { allow = ["drop"] }
    token = "a-token-for-the-dropper"
  }
}`

// call calls control and returns the status and the body.
func (r *rig) call(path string) (int, string) {
	r.Helper()
	res, err := http.Get(r.web() + path)
	if err != nil {
		r.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// count is a call that must be obeyed for n sessions.
func (r *rig) count(n int, path string) {
	r.Helper()
	if status, body := r.call(path); status != 200 || body != strconv.Itoa(n) {
		r.Fatalf("%s answers %d %q, want 200 %d", path, status, body, n)
	}
}

func TestControlDropsWhomItMeans(t *testing.T) {
	for _, c := range []struct {
		call string
		who  string // of cam (publisher), tv and radio (players of cam), and beside (publisher)
	}{
		{"drop/publisher?app=live&name=cam", "cam"},
		{"drop/subscriber?app=live&name=cam", "tv radio"},
		{"drop/client?app=live&name=cam", "cam tv radio"},
		{"drop/subscriber?app=live&name=cam&addr=127.0.0.2", "radio"},
		{"drop/subscriber?addr=::ffff:127.0.0.2", "radio"},
		{"drop/client?clientid=1", "cam"},
		{"drop/publisher?clientid=2", ""},
		{"drop/client?clientid=77", ""},
		{"drop/client?app=other", ""},
		{"drop/client?srv=1", "beside"},
		{"drop/client?app=live&name=ca", ""},
		{"drop/client?app=%6Cive&name=c%61m", "cam tv radio"},
		{"drop/client?app=live&name=cam&_=17", "cam tv radio"},
	} {
		t.Run(c.call, func(t *testing.T) {
			r := start(t, steered)
			cam := r.publish("live", "cam")
			cam.seconds(1)
			players := map[string]*spectator{
				"tv":    r.spectate("live", "cam", dialling{}),
				"radio": r.spectate("live", "cam", dialling{from: "127.0.0.2"}),
			}
			players["tv"].first()
			players["radio"].first()
			beside, err := r.tryPublish("live", "cam", dialling{server: 1})
			if err != nil {
				t.Fatal(err)
			}
			means := func(who string) bool { return strings.Contains(" "+c.who+" ", " "+who+" ") }
			// Connections are numbered in the order they come, the players in no sure one.
			r.count(len(strings.Fields(c.who)), "/control/"+c.call)
			for name, p := range map[string]*client{"cam": cam, "beside": beside} {
				if !means(name) {
					if !p.alive() {
						t.Errorf("%s was dropped", name)
					}
					continue
				}
				if s := p.ended(); s.Level != "error" || s.Code != rtmp.StatusUnpublishNotify || s.Description != "dropped by an operator (control)" {
					t.Errorf("%s is told %+v", name, s)
				}
				r.eventually("one log line", func() bool {
					n := 0
					for _, e := range r.linesOf(p.local()) {
						if e.Message == "session closed by the server" && e.ContextMap()["reason"] == "dropped by an operator (control)" {
							n++
						}
					}
					return n == 1
				})
			}
			for name, p := range players {
				if means(name) {
					if s := p.told(); s.Code != rtmp.StatusPlayFailed || s.Description != "dropped by an operator (control)" {
						t.Errorf("%s is told %+v", name, s)
					}
				}
			}
			if means("cam") {
				r.eventually("the name is free", func() bool { return r.stream("live", "cam") == nil })
				r.publishFrom("127.0.0.9", "live", "cam") // no grace keeps it
			}
		})
	}
}

func TestControlMovesAPublisher(t *testing.T) {
	r := start(t, steered)
	cam := r.publish("live", "cam")
	cam.seconds(2)
	old := r.spectate("live", "cam", dialling{})
	old.first()
	r.count(1, "/control/redirect/publisher?app=live&name=cam&newname=new%2Bone")
	r.eventually("the stream has moved", func() bool { return r.stream("live", "new+one") != nil && r.stream("live", "cam") == nil })
	fresh := r.spectate("live", "new+one", dialling{})
	cam.seconds(3)
	cam.seconds(3) // in which a keyframe comes
	fresh.first()
	if len(fresh.metadata()) == 0 {
		t.Error("the metadata stayed behind")
	}
	if st := r.stream("live", "new+one").Live().Snapshot(); st.Video == nil || st.Video.Width != 640 || st.Audio == nil {
		t.Errorf("the headers stayed behind: %+v", st)
	}
	if !cam.alive() {
		t.Error("the publisher was shown out")
	}
	r.eventually("a playlist under the new name", func() bool { return strings.Contains(r.read("hls/new+one.m3u8"), "#EXTINF") })
	r.eventually("the old playlist ends", func() bool { return strings.Contains(r.read("hls/cam.m3u8"), "ENDLIST") })
	var codes []string
	for _, s := range cam.heard() {
		codes = append(codes, s.Code)
	}
	if got := strings.Join(codes, " "); got != rtmp.StatusUnpublishSuccess+" "+rtmp.StatusPublishStart {
		t.Errorf("the publisher is told %s", got)
	}
	// It can still say good-bye, and publish again.
	if err := cam.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the new stream ends", func() bool { return r.stream("live", "new+one") == nil })
}

func TestControlMovesPlayers(t *testing.T) {
	r := start(t, steered)
	one, two := r.publish("live", "one"), r.publish("live", "two")
	one.seconds(2)
	two.seconds(3)
	tv := r.spectate("live", "one", dialling{})
	tv.first()
	r.count(0, "/control/redirect/publisher?app=live&name=none&newname=two")
	r.count(1, "/control/redirect/subscriber?app=live&name=one&newname=two")
	r.eventually("the player sits elsewhere", func() bool {
		return r.players("live", "two") == 1 && r.players("live", "one") == 0
	})
	before := len(tv.frames())
	two.seconds(2)
	r.eventually("it gets the other stream", func() bool { return len(tv.frames()) > before+40 })
	// A name that nobody publishes yet is waited for.
	r.count(1, "/control/redirect/client?app=live&name=two&addr=127.0.0.1&newname=later&clientid=3")
	r.eventually("the player waits", func() bool {
		return r.players("live", "later") == 1
	})
	later := r.publish("live", "later")
	later.seconds(1)
	r.eventually("and gets what comes", func() bool { return r.stream("live", "later").Live().Snapshot().Packets > 0 })
}

func TestControlAndKeys(t *testing.T) {
	h := newHookServer(t, nil)
	conf := strings.NewReplacer(`application "keyed" {`, `application "keyed" {
    on_publish      = "`+h.url+`/publish"
    on_publish_done = "`+h.url+`/done"`).Replace(steered)
	r := start(t, conf)
	cam := r.publish("keyed", "a-secret-of-cam-0")
	cam.seconds(1)
	if status, body := r.call("/control/redirect/publisher?app=keyed&newname=a-secret-of-other"); status != 400 || strings.Contains(body, "a-secret") {
		t.Errorf("a key as the new name: %d %q", status, body)
	}
	r.count(1, "/control/redirect/publisher?app=keyed&name=cam&newname=moved%3Ftok=1")
	r.eventually("the stream has moved", func() bool { return r.stream("keyed", "moved") != nil })
	r.eventually("the hooks hear of it", func() bool { return h.last("publish_done") != nil })
	if f := h.last("publish"); f.Get("name") != "moved" || f.Get("tok") != "1" {
		t.Errorf("on_publish is called with %v", f)
	}
	if text := r.allText(); strings.Contains(text, "a-secret") {
		t.Error("the log has the key")
	}
	// The key that it came with still counts, and can still be taken away.
	r.reload(strings.Replace(conf, "a-secret-of-cam-0", "another-secret-of-cam", 1))
	if s := cam.ended(); s.Code != statusDenied {
		t.Errorf("the publisher whose key is gone is told %+v", s)
	}
}

func TestControlRefusesAllOrNothing(t *testing.T) {
	r := start(t, steered)
	one, two := r.publish("live", "one"), r.publishFrom("127.0.0.2", "live", "two")
	tv := r.spectate("closed", "x", dialling{})
	tv.told() // access
	one.seconds(1)
	two.seconds(1)
	player := r.spectate("live", "one", dialling{})
	player.first()
	for _, c := range []struct {
		call   string
		status int
		words  string
	}{
		{"redirect/publisher?app=live&name=one&newname=two", 409, "already publishing"},
		{"redirect/client?app=live&name=one&newname=two", 409, "already publishing"}, // the player stays, too
		{"redirect/publisher?app=live&newname=three", 409, "several publishers"},
		{"redirect/publisher?app=live&name=one&newname=../../x", 400, "newname"},
		{"redirect/publisher?app=live&name=one&newname=a%0d%0ab", 400, "newname"},
		{"redirect/publisher?app=live&name=one", 400, "newname is missing"},
		{"redirect/publisher?app=live&name=one&newname=", 400, "newname is empty"},
		{"drop/client?srv=2", 400, "no rtmp block 2"},
		{"record/start?app=live&name=one", 400, `no recorder ""`},
		{"record/stop?app=live&name=one&rec=r", 400, `no recorder "r"`},
		{"record/start?app=live&name=nobody", 204, ""},
	} {
		status, body := r.call("/control/" + c.call)
		if status != c.status || !strings.Contains(body, c.words) {
			t.Errorf("%s answers %d %q, want %d with %q", c.call, status, body, c.status, c.words)
		}
	}
	if status, _ := r.call("/dropper/drop/client"); status != 401 {
		t.Errorf("without the token: %d", status)
	}
	for _, c := range []*client{one, two} {
		if !c.alive() {
			t.Error("a publisher was shown out")
		}
	}
	if r.stream("live", "one") == nil || r.stream("live", "two") == nil || len(player.codes()) != 2 {
		t.Errorf("something was done all the same; the player heard %v", player.codes())
	}
}

func TestASectionThatIsNotAllowed(t *testing.T) {
	r := start(t, steered)
	for call, want := range map[string]int{"drop/publisher": 200, "redirect/publisher?newname=x": 404, "record/start": 404} {
		req, err := http.NewRequest(http.MethodPost, r.web()+"/dropper/"+call, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer a-token-for-the-dropper")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", call, res.StatusCode, want)
		}
	}
}
