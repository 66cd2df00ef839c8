package server

import (
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// TestAPublisherThatComesBackIsToldLast: scripts know streams by name. The end of the
// one before is told again before the next begins, though a gateway had no script.
func TestAPublisherThatComesBackIsToldLast(t *testing.T) {
	t.Parallel()
	var ends atomic.Int32
	r, h := startHooked(t, allHooks+"reconnect_grace = 0", func(form url.Values, w http.ResponseWriter, _ *http.Request) {
		if form.Get("call") == "publish_done" && ends.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	r.publish("live", "cam").Close()
	r.eventually("the end is told", func() bool { return len(r.srv.Snapshot().HooksDown) > 0 })
	down := r.srv.Snapshot().HooksDown
	if len(down) != 1 || down[0].Application != "live" || down[0].Hook != "on_publish_done" || down[0].Calls != 1 || time.Since(down[0].Since) > patience || down[0].Error == "" {
		t.Errorf("the snapshot has %+v", down)
	}
	r.publish("live", "cam")
	seen := slices.DeleteFunc(h.seen(), func(call string) bool { return call != "publish:cam" && call != "publish_done:cam" })
	if want := []string{"publish:cam", "publish_done:cam", "publish_done:cam", "publish:cam"}; !slices.Equal(seen, want) {
		t.Errorf("the hooks are called %q, want %q", seen, want)
	}
	if down := r.srv.Snapshot().HooksDown; len(down) != 0 {
		t.Errorf("the snapshot still has %+v", down)
	}
}

// TestAStopWaitsForNoHookToTheEnd: Docker kills after 10 s, which is shutdown_timeout.
func TestAStopWaitsForNoHookToTheEnd(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	h := newHookServer(t, func(form url.Values, _ http.ResponseWriter, r *http.Request) {
		if call := form.Get("call"); call == "publish_done" || call == "publish" && form.Get("name") == "slow" {
			asked <- call
			<-r.Context().Done()
		}
	})
	r := start(t, "shutdown_timeout = \"6s\"\n"+hooked(h, allHooks))
	h.rig = r
	r.publish("live", "cam")
	go func() { _, _ = r.tryPublish("live", "slow", dialling{}) }()
	<-asked
	begun := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 4500*time.Millisecond {
		t.Errorf("the stop took %s of 6 s", took)
	}
}
