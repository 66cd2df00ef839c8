package hooks

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// BenchmarkPublishes is the goal of 1000 publishes a second against a hook that
// takes 5 ms, with the default notify_concurrency: see publishes/s.
func BenchmarkPublishes(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(5 * time.Millisecond) }))
	defer srv.Close()
	_, caller, _ := newTestClient(b)
	n := notify()
	b.ReportAllocs()
	var sessions sync.WaitGroup
	waiting := make(chan struct{}, 1000) // clients that publish at the same time
	start := time.Now()
	for b.Loop() {
		waiting <- struct{}{}
		sessions.Go(func() {
			defer func() { <-waiting }()
			if _, err := caller.Ask(b.Context(), value.URL(srv.URL), n, Publish(ffmpeg, Stream{Name: "s"}, "live")); err != nil {
				b.Error(err)
			}
		})
	}
	sessions.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "publishes/s")
}

func BenchmarkForm(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = Publish(ffmpeg, Stream{Name: "s", Args: "token=abc&expires=123"}, "live")
	}
}
