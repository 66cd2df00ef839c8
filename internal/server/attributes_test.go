package server

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A client that says nothing for ping is pinged, and closed when ping_timeout
// passes without an answer.
func TestASilentClientIsPingedAndThenClosed(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen       = "127.0.0.1:0"
  ping         = "100ms"
  ping_timeout = "200ms"
  application "live" {}
}`)
	nc := r.rawConn(t)
	shake(t, nc)
	got, err := io.ReadAll(nc) // until the server closes
	if err != nil {
		t.Fatal(err)
	}
	// RTMP 1.0 §7.1.7: a user control message of event type 6, and a time.
	ping := whole(2, rtmp.TypeUserControl, []byte{0, 6, 0, 0, 0, 0})
	ping = ping[:len(ping)-4]
	if !strings.Contains(string(got), string(ping)) {
		t.Errorf("the client got % x, without a ping", got)
	}
	r.eventually("a line says why", func() bool {
		return strings.Contains(r.allText(), "nothing came for 100ms, nor for 200ms after a ping")
	})
}

// The rtmp block says how the hooks of a connection are called; an application
// may say something else for its own.
func TestHowHooksAreCalled(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	calls := make(map[string]string) // by kind: the method and the header
	h := newHookServer(t, func(form url.Values, _ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		calls[form.Get("call")] = r.Method + " " + r.Header.Get("X-Token")
	})
	r := start(t, strings.ReplaceAll(`
rtmp {
  listen         = "127.0.0.1:0"
  on_connect     = "$HOOK/connect"
  on_disconnect  = "$HOOK/disconnect"
  notify_method  = "get"
  notify_headers = { "X-Token" = "of the block" }
  application "live" {
    on_publish = "$HOOK/publish"
  }
  application "own" {
    notify_method  = "post"
    notify_headers = { "X-Token" = "of the application" }
    on_publish_done = "$HOOK/publish_done"
  }
}`, "$HOOK", h.url))
	h.rig = r
	r.publish("live", "cam").Close()
	r.publish("own", "cam").Close()
	want := map[string]string{
		"connect": "GET of the block", "disconnect": "GET of the block", "publish": "GET of the block",
		"publish_done": "POST of the application",
	}
	for call, how := range want {
		r.eventually(call, func() bool { return h.last(call) != nil })
		mu.Lock()
		if calls[call] != how {
			t.Errorf("%s is called with %q, want %q", call, calls[call], how)
		}
		mu.Unlock()
	}
}

// A key that rtmpd makes is kept below state_dir.
func TestMadeKeysAreKeptInTheStateDirectory(t *testing.T) {
	t.Parallel()
	r := start(t, `
state_dir = "$DIR/elsewhere"
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    stream_key "cam" {}
  }
}`)
	secret := strings.TrimSpace(r.read("elsewhere/keys/show/cam"))
	r.publish("show", secret)
}
