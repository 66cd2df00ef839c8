package server

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestTheCallsOfAPublisher(t *testing.T) {
	r, h := startHooked(t, allHooks, nil)
	c, err := r.tryPublish("live?who=me&key=x", "cam?tok=1&name=victim", dialling{
		ClientOptions: rtmp.ClientOptions{FlashVer: "Test/1 (a;b)", SWFURL: "http://s/", PageURL: "http://p/?a=b"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.seconds(0.2)
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the good-byes", func() bool { return len(h.seen()) == 4 })
	c.Close()
	h.expect("connect:", "publish:cam", "publish_done:cam", "done:cam", "disconnect:")
	if f := h.last("connect"); f.Get("who") != "me" || f.Get("epoch") == "" || f.Has("clientid") || f.Has("key") {
		t.Errorf("connect is called with %v", f)
	}
	f := h.last("publish")
	for field, want := range map[string]string{
		"app": "live", "flashver": "Test/1 (a;b)", "swfurl": "http://s/", "pageurl": "http://p/?a=b", "tcurl": "rtmp://" + r.addr(0) + "/live?who=me",
		"addr": "127.0.0.1", "clientid": "1", "call": "publish", "name": "cam", "type": "live", "tok": "1",
	} {
		if got := f[field]; len(got) != 1 || got[0] != want {
			t.Errorf("publish is called with %s %q, want %q", field, got, want)
		}
	}
	if f := h.last("publish_done"); f.Get("tok") != "1" || f.Has("stream") || f.Get("clientid") != "1" {
		t.Errorf("publish_done is called with %v", f)
	}
	if f := h.last("disconnect"); f.Get("who") != "me" || len(f["app"]) != 2 {
		t.Errorf("disconnect is called with %v", f)
	}
}

func TestTheCallsOfAPlayer(t *testing.T) {
	r, h := startHooked(t, allHooks, nil)
	s := r.spectate("live", "cam?tok=1", dialling{})
	r.eventually("on_play", func() bool { return h.last("play") != nil })
	if f := h.last("play"); f.Get("tok") != "1" || f.Get("start") != "4294967294" || f.Get("duration") != "0" || f.Get("reset") != "0" {
		t.Errorf("play is called with %v", f)
	}
	// A second play is the end of the first.
	for _, err := range []error{s.WriteCommand(1, "play", 4, nil, "other", -1.0, 5.0, true), s.Flush()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	r.eventually("the second on_play", func() bool { return h.last("play").Get("name") == "other" })
	if f := h.last("play"); f.Get("start") != "4294967295" || f.Get("duration") != "5" || f.Get("reset") != "1" {
		t.Errorf("the second play is called with %v", f)
	}
	r.eventually("the first's good-bye", func() bool { return len(h.seen()) == 5 })
	s.Close()
	r.eventually("all calls", func() bool { return len(h.seen()) == 8 })
	got := h.seen()
	slices.Sort(got[2:5]) // the good-byes go beside the next question
	want := []string{"connect:", "play:cam", "done:cam", "play:other", "play_done:cam", "play_done:other", "done:other", "disconnect:"}
	if !slices.Equal(got, want) {
		t.Errorf("the hooks are called %q, want %q", got, want)
	}
}

func TestWhomAHookRefuses(t *testing.T) {
	for _, c := range []struct {
		name        string
		call        string
		status      int
		location    string
		code, words string
	}{
		{"a publisher", "publish", 403, "", rtmp.StatusPublishDenied, "refused by on_publish: 403 Forbidden"},
		{"a publisher who is to go to no server", "publish", 302, "rtmp:///a/b", rtmp.StatusPublishDenied, "names no host"},
		{"a publisher with a way out of the directory", "publish", 302, "../../x", rtmp.StatusPublishDenied, "no name"},
		{"a connection", "connect", 500, "", rtmp.StatusConnectRejected, "refused by on_connect: 500"},
		{"a connection to an application that is none", "connect", 302, "elsewhere", rtmp.StatusConnectRejected, `no application "elsewhere"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, h := startHooked(t, allHooks+`hls { path = "$DIR/hls" }`, status(c.call, c.status, c.location))
			r.refused("live", "cam", dialling{}, c.code, c.words)
			want := []string{"connect:", "publish:cam", "disconnect:"}
			switch {
			case c.call == "connect" && c.status == 302:
				want = []string{"connect:", "disconnect:"} // the hook had agreed
			case c.call == "connect":
				want = []string{"connect:"}
			}
			h.expect(want...)
			if st := r.stream("live", "cam"); st != nil {
				t.Error("the stream is there all the same")
			}
			r.logged("session refused", strings.Split(c.words, ":")[0])
		})
	}
}

func TestAPlayerThatAHookRefuses(t *testing.T) {
	r, h := startHooked(t, allHooks, status("play", 404, ""))
	s := r.spectate("live", "cam", dialling{})
	if st := s.told(); st.Code != rtmp.StatusPlayFailed || st.Description != "refused by on_play: 404 Not Found" {
		t.Errorf("the player is told %+v", st)
	}
	h.expect("connect:", "play:cam", "disconnect:")
}

func TestAHookThatIsDownRefuses(t *testing.T) {
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    on_publish = "http://127.0.0.1:1/publish"
    on_play    = "http://127.0.0.1:1/play"
  }
}`)
	r.refused("live", "cam", dialling{}, rtmp.StatusPublishDenied, "on_publish could not be asked")
	s := r.spectate("live", "cam", dialling{})
	if st := s.told(); st.Code != rtmp.StatusPlayFailed {
		t.Errorf("the player is told %+v", st)
	}
	r.logged("hook gives no answer", "on_publish")
}

func TestUpdates(t *testing.T) {
	const lines = allHooks + `on_update = "$HOOK/update"
    notify_update_timeout = "20ms"
    reconnect_grace       = "1h"
    `
	for _, c := range []struct {
		name   string
		strict bool
		status int
		ends   bool
	}{
		{"404", false, 404, true},
		{"500 is tolerated", false, 500, false},
		{"500, strict", true, 500, true},
		{"302, strict", true, 302, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, h := startHooked(t, lines+fmt.Sprintf("notify_update_strict = %t", c.strict), func(form url.Values, w http.ResponseWriter, _ *http.Request) {
				if n := form.Get("name"); strings.HasPrefix(form.Get("call"), "update_") && (n == "cam" || n == "tv") {
					w.WriteHeader(c.status)
				}
			})
			beside := r.witness("live", "beside")
			cam := r.publish("live", "cam")
			tv := r.spectate("live", "tv", dialling{})
			r.eventually("updates of both", func() bool { return h.last("update_publish") != nil && h.last("update_play") != nil })
			if !c.ends {
				n := 0
				r.eventually("more updates", func() bool { n = len(h.seen()); return n > 12 })
				if !cam.alive() {
					t.Error("the publisher was shown out")
				}
				beside.undisturbed()
				return
			}
			if s := cam.ended(); s.Code != statusDenied || !strings.Contains(s.Description, "refused by on_update") {
				t.Errorf("the publisher is told %+v", s)
			}
			if st := tv.told(); st.Code != rtmp.StatusPlayFailed {
				t.Errorf("the player is told %+v", st)
			}
			r.eventually("the name is not kept for it", func() bool { return r.stream("live", "cam") == nil })
			r.eventually("good-byes", func() bool { return h.last("publish_done") != nil && h.last("play_done") != nil })
			beside.undisturbed()
		})
	}
}

func TestWhatAnUpdateSays(t *testing.T) {
	r, h := startHooked(t, allHooks+`on_update = "$HOOK/update"
    notify_update_timeout = "50ms"`, nil)
	c := r.publish("live", "cam?tok=1")
	c.seconds(2)
	s := r.spectate("live", "cam", dialling{})
	r.eventually("both have had one since", func() bool {
		const newest = "1984" // of the 2 s that are sent, in ms
		return h.last("update_publish").Get("timestamp") == newest && h.last("update_play").Get("timestamp") == newest
	})
	if f := h.last("update_publish"); f.Get("tok") != "1" || f.Get("name") != "cam" {
		t.Errorf("update_publish is called with %v", f)
	} else if _, err := strconv.ParseUint(f.Get("time"), 10, 32); err != nil {
		t.Errorf("update_publish has no time: %v", err)
	}
	if p := h.last("update_play"); p.Get("clientid") != "2" {
		t.Errorf("update_play is called with %v", p)
	}
	s.Close()
	c.Close()
	r.eventually("good-byes", func() bool { return h.last("disconnect") != nil && h.last("publish_done") != nil })
	for i, call := range h.seen() {
		if call == "publish_done:cam" && slices.Contains(h.seen()[i:], "update_publish:cam") {
			t.Error("an update follows the good-bye")
		}
	}
}

func TestAReloadChangesTheUpdates(t *testing.T) {
	r, h := startHooked(t, allHooks+`notify_update_timeout = "20ms"`, nil)
	c := r.publish("live", "cam")
	r.reload(hooked(h, allHooks+`on_update = "$HOOK/update"
    notify_update_timeout = "20ms"`))
	r.eventually("an update of a session that was there before", func() bool { return h.last("update_publish") != nil })
	if !c.alive() {
		t.Error("the reload closed it")
	}
}
