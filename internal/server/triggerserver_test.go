package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A firing is one request of a trigger.
type firing struct {
	header http.Header
	path   string
	body   string
	lines  []string
}

// A triggerServer is the script behind all triggers of a test.
type triggerServer struct {
	url   string
	reply func(f firing, w http.ResponseWriter, r *http.Request)

	mu   sync.Mutex
	seen []firing
}

func newTriggerServer(t testing.TB, reply func(f firing, w http.ResponseWriter, r *http.Request)) *triggerServer {
	h := &triggerServer{reply: reply}
	srv := httptest.NewServer(h)
	h.url = srv.URL
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return h
}

func (h *triggerServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f := firing{header: r.Header.Clone(), path: r.URL.Path, body: string(body), lines: strings.Split(string(body), "\n")}
	h.mu.Lock()
	h.seen = append(h.seen, f)
	h.mu.Unlock()
	if h.reply != nil {
		h.reply(f, w, r)
	}
}

// all are the requests of a trigger so far; empty: of every one.
func (h *triggerServer) all(trigger string) (out []firing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.seen {
		if trigger == "" || f.header.Get("X-Trigger") == trigger {
			out = append(out, f)
		}
	}
	return out
}

// triggerAnswers replies to each trigger with a text; one that is not named gets an empty one.
func triggerAnswers(by map[string]string) func(firing, http.ResponseWriter, *http.Request) {
	return func(f firing, w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, by[f.header.Get("X-Trigger")])
	}
}

// startTriggered runs a server with the triggers of lines in its application live; top
// stands at the top level. $HOOK is where they are.
func startTriggered(t testing.TB, top, lines string, reply func(f firing, w http.ResponseWriter, r *http.Request)) (*rig, *triggerServer) {
	t.Helper()
	h := newTriggerServer(t, reply)
	r := newRig(t)
	hcl := strings.ReplaceAll(top+"\nrtmp {\n  listen = \"127.0.0.1:0\"\n  application \"live\" {\n"+lines+"\n  }\n}\n", "$HOOK", h.url)
	r.cfg = r.load(hcl)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	return r, h
}
