package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

func TestAHookGivesAnotherName(t *testing.T) {
	r, h := startHooked(t, allHooks+`on_playlist = "$HOOK/playlist"
    hls {
      path     = "$DIR/hls"
      fragment = "1s"
    }`, func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if c := form.Get("call"); c == "publish" || c == "play" {
			w.Header().Set("Location", "/x/public?a=b")
			w.WriteHeader(http.StatusFound)
		}
	})
	c := r.publish("live", "typed")
	c.seconds(3)
	r.eventually("the playlist has the new name", func() bool { return r.read("hls/public.m3u8") != "" })
	r.eventually("on_playlist", func() bool { return h.last("playlist") != nil })
	if f := h.last("playlist"); f.Get("name") != "typed" || f.Get("stream") != "public" || f.Get("module") != "hls" || f.Get("path") != r.dir+"/hls/public.m3u8" {
		t.Errorf("playlist is called with %v", f)
	}
	s := r.spectate("live", "other", dialling{})
	s.first()
	s.Close()
	r.eventually("done of the player, which the reload takes away", func() bool { return h.last("done") != nil })
	// A reload must not take the new name for a wrong one.
	r.reload(hooked(h, strings.ReplaceAll(allHooks, `on_done         = "$HOOK/done"`, "")+`hls { path = "$DIR/hls" }`))
	c.seconds(1)
	if !c.alive() {
		t.Fatal("a reload closes the publisher")
	}
	c.Close()
	r.eventually("publish_done", func() bool { return h.last("publish_done") != nil })
	for call, typed := range map[string]string{"publish_done": "typed", "play_done": "other", "done": "other"} {
		r.eventually(call, func() bool { return h.last(call) != nil })
		if f := h.last(call); f.Get("name") != typed || f.Get("stream") != "public" {
			t.Errorf("%s is called with %v", call, f)
		}
	}
	if h.last("publish").Has("stream") || h.last("play").Has("stream") {
		t.Error("the new name is known before it is given")
	}
	for raw := range strings.SplitSeq(h.text(), "\n") {
		if f, _ := url.ParseQuery(raw); f.Has("stream") && !strings.HasSuffix(raw, "&stream=public") {
			t.Errorf("stream is not the last field: %s", raw)
		}
	}
}

func TestAHookGivesAnotherApplication(t *testing.T) {
	h := newHookServer(t, status("connect", 302, "real"))
	r := start(t, strings.ReplaceAll(`rtmp {
  listen     = "127.0.0.1:0"
  on_connect = "$HOOK/connect"
  application "real" {
    on_publish = "$HOOK/publish"
  }
}`, "$HOOK", h.url))
	h.rig = r
	r.publish("alias", "cam")
	if r.stream("real", "cam") == nil {
		t.Error("the stream is not in the application that the hook named")
	}
	if h.last("connect").Get("app") != "alias" || h.last("publish").Get("app") != "real" {
		t.Errorf("called with %v and %v", h.last("connect"), h.last("publish"))
	}
}

func TestNoHookHearsOfBadNames(t *testing.T) {
	r, h := startHooked(t, allHooks, nil)
	for _, name := range []string{"", "a\r\nX-Injected: 1", "../../x", "a/b/c", "a b c", "<script>", "$(reboot)", `a"b`, strings.Repeat("a", 200), ".x", "a\x00b", "%2e%2e"} {
		if c, err := r.tryPublish("live", name, dialling{}); err == nil {
			c.Close()
			t.Errorf("%q is a name", name)
		}
	}
	for _, app := range []string{"../live", "a\r\nb", "live/../../x"} {
		if c, err := r.dial("", dialling{ClientOptions: rtmp.ClientOptions{App: app}}); err == nil {
			c.Close()
			t.Errorf("%q is an application", app)
		}
	}
	r.refused("live", "cam?"+strings.Repeat("a=1&", 2000), dialling{}, rtmp.StatusPublishDenied, "too long")
	r.eventually("every connection is over", func() bool {
		return r.connections() == 0
	})
	for _, call := range h.seen() {
		if call != "connect:" && call != "disconnect:" {
			t.Errorf("called: %s", call)
		}
	}
	if strings.Contains(h.text(), "%2E%2E") || strings.Contains(h.text(), "../") {
		t.Error("an application that is none is asked for")
	}
}

const keyed = `stream_key "cam" { secret = "$KEY" }
    access { keyless = ["allow 127.0.0.9", "deny all"] }
    `

func TestNoHookSeesAStreamKey(t *testing.T) {
	const key = "s3cret-of-the-cam"
	for _, c := range []struct{ name, typed string }{
		{"as the name", key + "?a=" + key + "&b=1"},
		{"as an argument", "cam?b=1&key=" + key + "&again=x" + key},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, rename := range []string{"", "public"} {
				r, h := startHooked(t, allHooks+strings.ReplaceAll(keyed, "$KEY", key), status("publish", 302, rename))
				p, err := r.tryPublish("live", c.typed, dialling{ClientOptions: rtmp.ClientOptions{
					// Some encoders put the whole URL here. on_connect is asked
					// before anybody knows that this is a key: key= is what it loses.
					TCURL: "rtmp://h/live?key=" + key, PageURL: "http://p/?key=" + key,
				}})
				if err != nil {
					t.Fatal(err)
				}
				if f := h.last("publish"); f.Get("name") != "cam" || f.Get("b") != "1" {
					t.Errorf("publish is called with %v", f)
				}
				p.Close()
				h.expect("connect:", "publish:cam", "publish_done:cam", "done:cam", "disconnect:")
				if got := h.last("done").Get("stream"); got != rename {
					t.Errorf("the stream is called %q, want %q", got, rename)
				}
				if strings.Contains(h.text(), key) || strings.Contains(r.allText(), key) {
					t.Errorf("the key is told:\n%s\n%s", h.text(), r.allText())
				}
			}
		})
	}
}

func TestAStreamKeyInTCURLIsHiddenOnceItIsKnown(t *testing.T) {
	const key = "s3cret-of-the-cam"
	r, h := startHooked(t, allHooks+strings.ReplaceAll(keyed, "$KEY", key), nil)
	p, err := r.tryPublish("live", key, dialling{ClientOptions: rtmp.ClientOptions{TCURL: "rtmp://h/live/" + key, SWFURL: key}})
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	r.eventually("disconnect", func() bool { return h.last("disconnect") != nil })
	for _, call := range []string{"publish", "publish_done", "done", "disconnect"} {
		if f := h.last(call); f.Get("tcurl") != "rtmp://h/live/" || f.Get("swfurl") != "" {
			t.Errorf("%s is called with %v", call, f)
		}
	}
}

func TestAStreamKeyIsNothingToPlay(t *testing.T) {
	const key = "s3cret-of-the-cam"
	r, h := startHooked(t, allHooks+strings.ReplaceAll(keyed, "$KEY", key), nil)
	s := r.spectate("live", key, dialling{})
	r.eventually("the player waits, as for any name", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
	if strings.Contains(h.text(), key) || strings.Contains(r.allText(), key) {
		t.Error("the key is told")
	}
}

func TestARenamedPublisherWithAKeySurvivesAReloadOfItsKey(t *testing.T) {
	const config = allHooks + `stream_key "cam" { secret = "the-first-secret" }`
	r, h := startHooked(t, config, status("publish", 302, "public"))
	c := r.publish("live", "the-first-secret")
	r.reload(hooked(h, config+"\n    max_players = 7"))
	c.seconds(0.5)
	if !c.alive() {
		t.Fatal("shown out although its key is what it was")
	}
	r.reload(hooked(h, allHooks+`stream_key "cam" { secret = "the-second-secret" }`))
	if s := c.ended(); s.Code != statusDenied {
		t.Errorf("told %+v, want %s: its key is gone", s, statusDenied)
	}
}

// TestPlayRenamedIsJudgedByTheNewName: a hook does not open what access closes.
func TestPlayRenamedIsJudgedByTheNewName(t *testing.T) {
	r, h := startHooked(t, allHooks+`stream "closed" {
      access { play = ["deny all"] }
    }`, status("play", 302, "closed"))
	s := r.spectate("live", "open", dialling{})
	if st := s.told(); !strings.Contains(st.Description, "access denied") {
		t.Errorf("the player is told %+v", st)
	}
	h.expect("connect:", "play:open", "play_done:open", "done:open", "disconnect:")
}
