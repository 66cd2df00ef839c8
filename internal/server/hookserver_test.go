package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A hookServer is the script behind all hooks of a test.
type hookServer struct {
	rig   *rig
	url   string
	reply func(form url.Values, w http.ResponseWriter, r *http.Request)

	mu    sync.Mutex
	calls []url.Values
	raw   []string // as sent
}

func newHookServer(t testing.TB, reply func(form url.Values, w http.ResponseWriter, r *http.Request)) *hookServer {
	h := &hookServer{reply: reply}
	srv := httptest.NewServer(h)
	h.url = srv.URL
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return h
}

func (h *hookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	raw := string(body) + r.URL.RawQuery
	form, err := url.ParseQuery(raw)
	if err != nil {
		form = url.Values{"call": {"unreadable"}}
	}
	h.mu.Lock()
	h.calls = append(h.calls, form)
	h.raw = append(h.raw, raw)
	h.mu.Unlock()
	if h.reply != nil {
		h.reply(form, w, r)
	}
}

// seen lists the calls so far as call:name.
func (h *hookServer) seen() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, f := range h.calls {
		out = append(out, f.Get("call")+":"+f.Get("name"))
	}
	return out
}

// last is the newest call of that kind; nil: none.
func (h *hookServer) last(call string) url.Values {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range slices.Backward(h.calls) {
		if f.Get("call") == call {
			return f
		}
	}
	return nil
}

func (h *hookServer) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.raw, "\n")
}

// expect waits until the calls are these, and stay so.
func (h *hookServer) expect(want ...string) {
	h.rig.Helper()
	var got []string
	for deadline := time.Now().Add(patience); len(got) < len(want) && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		got = h.seen()
	}
	if !slices.Equal(got, want) {
		h.rig.Errorf("the hooks are called\n%q, want\n%q", got, want)
	}
}

// startHooked runs a server whose application live has the hooks of lines; $HOOK
// is where they are.
func startHooked(t *testing.T, lines string, reply func(form url.Values, w http.ResponseWriter, r *http.Request)) (*rig, *hookServer) {
	t.Helper()
	h := newHookServer(t, reply)
	r := start(t, hooked(h, lines))
	h.rig = r
	return r, h
}

func hooked(h *hookServer, lines string) string {
	return strings.ReplaceAll(`rtmp {
  listen = "127.0.0.1:0"
  on_connect    = "$HOOK/connect"
  on_disconnect = "$HOOK/disconnect"
  application "live" {
    `+lines+`
  }
}`, "$HOOK", h.url)
}

const allHooks = `on_publish = "$HOOK/publish"
    on_play         = "$HOOK/play"
    on_publish_done = "$HOOK/publish_done"
    on_play_done    = "$HOOK/play_done"
    on_done         = "$HOOK/done"
    on_play_http    = false
    `

// status answers a call of that kind with that status and Location.
func status(call string, code int, location string) func(url.Values, http.ResponseWriter, *http.Request) {
	return func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") != call {
			return
		}
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(code)
	}
}
