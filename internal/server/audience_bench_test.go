package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/web"
)

// nowhere is an http.ResponseWriter that keeps nothing.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

// ReadFrom takes a file as sendfile does: without reading it.
func (w *nowhere) ReadFrom(src io.Reader) (int64, error) { return src.(*io.LimitedReader).N, nil }

// requests are the ways to serve the same files: as viewers get them, live but
// without anybody counting, and with an on_play that has agreed.
func requests(tb testing.TB) map[string]func(path string) {
	h := newHookServer(tb, nil)
	serve := func(r *rig, counted bool) func(string) {
		deps := r.srv.webDeps(r.cfg)
		if !counted {
			deps.Audience = nil
		}
		site, err := web.Compile(r.cfg.HTTP[0], deps)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() { _ = site.Close() })
		w := &nowhere{header: make(http.Header)}
		reqs := make(map[string]*http.Request)
		return func(path string) {
			req := reqs[path]
			if req == nil {
				if req, err = http.NewRequest("GET", "http://live.example"+path, nil); err != nil {
					tb.Fatal(err)
				}
				req.RemoteAddr = "127.0.0.1:4711"
				req.Header.Set("X-Forwarded-For", "198.51.100.1")
				req.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)")
				reqs[path] = req
			}
			clear(w.header)
			w.status = 0
			if site.ServeHTTP(w, req); w.status != http.StatusOK {
				tb.Fatalf("%s: status %d", path, w.status)
			}
		}
	}
	plain := showing(tb, "")
	return map[string]func(string){
		"uncounted": serve(plain, false),
		"counted":   serve(plain, true),
		"asked":     serve(showing(tb, `on_play = "`+h.url+`"`), true),
	}
}

const (
	benchPlaylist = "/live/cam.m3u8"
	benchFragment = "/live/cam-0.ts"
)

func TestCountingAllocatesNothingPerFragment(t *testing.T) {
	all := requests(t)
	allocs := func(how, path string) float64 {
		all[how](benchPlaylist)
		return testing.AllocsPerRun(200, func() { all[how](path) })
	}
	for _, path := range []string{benchFragment, benchPlaylist} {
		want := allocs("uncounted", path)
		for _, how := range []string{"counted", "asked"} {
			if got := allocs(how, path); got > want {
				t.Errorf("%s %s: %v allocations, want %v", how, path, got, want)
			}
		}
	}
}

func BenchmarkAudience(b *testing.B) {
	all := requests(b)
	for _, path := range []string{benchPlaylist, benchFragment} {
		for _, how := range []string{"uncounted", "counted", "asked"} {
			b.Run(strings.TrimPrefix(path[strings.LastIndexByte(path, '.'):], ".")+"/"+how, func(b *testing.B) {
				all[how](benchPlaylist)
				b.ReportAllocs()
				for b.Loop() {
					all[how](path)
				}
			})
		}
	}
}
