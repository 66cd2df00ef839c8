package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A lossyLine is a reverse proxy that answers some requests itself, late or with 502. Which
// these are can change at any time.
type lossyLine struct {
	*httptest.Server
	loses, delays atomic.Pointer[func(*url.URL) bool]
	asked         lockedBuffer // what the page asks for, a line each
}

func newLossyLine(t *testing.T, s *server) *lossyLine {
	t.Helper()
	target, err := url.Parse("http://" + s.http)
	if err != nil {
		t.Fatal(err)
	}
	l := new(lossyLine)
	never := func(*url.URL) bool { return false }
	l.loses.Store(&never)
	l.delays.Store(&never)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) } // the browser has gone
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(&l.asked, r.URL)
		if (*l.delays.Load())(r.URL) {
			select {
			case <-time.After(12 * time.Second): // the line, not a synchronisation; hls.js waits for 10
			case <-r.Context().Done():
				return
			}
		}
		if (*l.loses.Load())(r.URL) {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { l.CloseClientConnections(); l.Close() })
	return l
}

// TestAPageChangesToAnotherSource: where the line is bad for low latency the page goes on with
// whole segments, and where it has no playlist any more with DASH.
func TestAPageChangesToAnotherSource(t *testing.T) {
	t.Parallel()
	parts := regexp.MustCompile(`\.[0-9]+\.m4s$`)
	low := func(u *url.URL) bool { return u.Query().Has("_HLS_msn") || parts.MatchString(u.Path) }
	beside := together(t)
	defer beside.Wait()
	for name, bad := range map[string]func(*lossyLine, func(*url.URL) bool){
		"slow": func(l *lossyLine, which func(*url.URL) bool) { l.delays.Store(&which) },
		"lost": func(l *lossyLine, which func(*url.URL) bool) { l.loses.Store(&which) },
	} {
		beside.Run(name, func(t *testing.T) {
			s := &server{dir: t.TempDir()}
			s.run(t, strings.Replace(s.paged(t, ""), `      fragment = "2s"
    }
`, `      fragment    = "2s"
      format      = "fmp4"
      low_latency = true
    }
    dash {
      path = "`+s.dir+`/www/live"
    }
`, 1))
			s.publish(t, "test", forEver)
			s.waitLow(t, "test")
			line := newLossyLine(t, s)
			p := open(t, line.URL+"/test.html")
			p.plays(t, 0)
			asked := func(what string) func() bool {
				return func() bool { return strings.Contains(line.asked.String(), what) }
			}
			eventually(t, time.Minute, "it asks for parts", asked("_HLS_part="))
			begun := time.Now()
			bad(line, low)
			from := p.state(t).Time
			eventually(t, 4*time.Minute, "it asks for the playlist without parts", func() bool {
				// Where requests are late hls.js may find a way to play on by itself.
				return asked("_ll=0")() || name == "slow" && p.state(t).Time > from+30
			})
			t.Logf("without parts, or on, after %s", time.Since(begun).Round(time.Second))
			p.plays(t, 0)
			if name == "slow" {
				return
			}
			begun = time.Now()
			bad(line, func(u *url.URL) bool { return strings.HasSuffix(u.Path, ".m3u8") })
			eventually(t, 4*time.Minute, "it asks for the MPD", asked(".mpd"))
			t.Logf("with DASH after %s", time.Since(begun).Round(time.Second))
			p.plays(t, 0)
			p.shot(t, "dash")
		})
	}
}
