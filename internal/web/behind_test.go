package web

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/testport"
)

// behind is a server as the two proxies below see it; its page says who asked
// and what the public address is.
func behind(t *testing.T) (addr string, s *Site) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "live/a.ts", strings.Repeat("0123456789", 30_000), "live/test.m3u8", list)
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		base, header := s.PublicURL(r)
		fmt.Fprintf(w, "%s %s %v", s.ClientAddr(r), base, header)
	})
	live := &fakeLive{dirs: map[string][]string{dir + "/live": {"test.m3u8"}}}
	live.set(dir+"/live/test.m3u8", playlist(list))
	cfg := locations(
		config.Location{Path: "/live", Root: value.Path(dir)},
		config.Location{Path: "/who", Player: &config.Player{}},
		config.Location{Path: "/go", Redirect: "/live/test.m3u8"},
		config.Location{Path: "/stat", Stat: &config.Stat{}},
		config.Location{Path: "/near", Health: true, Access: rules("198.51.100.0/24")},
	)
	cfg.TrustedProxies = loopback()
	s = site(t, Deps{Live: live, Player: player(page), Stat: func(config.Stat) http.Handler { return page }}, cfg)
	addr, _ = serveSite(t, s)
	return addr, s
}

func nginxConf(t *testing.T, front, back string) string {
	return fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  server {
    listen %[2]s;
    location /mist/ {
      proxy_pass http://%[3]s/; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Host $http_host; proxy_set_header X-Mst-Path $scheme://$http_host/mist;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}`, t.TempDir(), front, back)
}

func haproxyConf(_ *testing.T, front, back string) string {
	return fmt.Sprintf(`
defaults
  mode http
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend f
  bind %[1]s
  option forwardfor
  http-request set-header X-Mst-Path http://%%[req.hdr(host)]/mist/ if { path_beg /mist/ }
  http-request replace-path /mist/(.*) /\1
  default_backend b
backend b
  server s %[2]s
`, front, back)
}

func TestBehindRealProxies(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		name string
		args []string
		conf func(t *testing.T, front, back string) string
	}{
		{"nginx", []string{"-c"}, nginxConf},
		{"haproxy", []string{"-db", "-f"}, haproxyConf},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			back, _ := behind(t)
			front := testport.Address()
			startProxy(t, p.conf(t, front, back), front, p.name, p.args...)
			c := client(t, &http.Transport{})
			get := func(path string, headers ...string) (*http.Response, string) {
				t.Helper()
				req, err := http.NewRequest("GET", "http://"+front+"/mist"+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, h := range headers {
					k, v, _ := strings.Cut(h, ": ")
					if k == "Host" {
						req.Host = v
					}
					req.Header.Set(k, v)
				}
				r, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				return r, bodyOf(t, r)
			}
			_, who := get("/who")
			differs(t, "client and address", who, "127.0.0.1 http://"+front+"/mist true")
			_, who = get("/who", "X-Forwarded-For: 198.51.100.7", "X-Mst-Path: http://evil.example/")
			differs(t, "an address behind another trusted proxy", who, "198.51.100.7 http://"+front+"/mist true")
			_, who = get("/who", "X-Forwarded-For: 8.8.8.8, 198.51.100.7")
			differs(t, "a lie to the left", strings.Fields(who)[0], "198.51.100.7")
			r, _ := get("/near", "X-Forwarded-For: 198.51.100.7")
			differs(t, "access for the client", r.StatusCode, 200)
			r, _ = get("/near")
			differs(t, "no access for the proxy", r.StatusCode, 403)
			r, _ = get("/stat", "Host: localhost")
			differs(t, "stat through a proxy", r.StatusCode, 403)
			r, _ = get("/go")
			differs(t, "redirect", r.Header.Get("Location"), "http://"+front+"/mist/live/test.m3u8")
			differs(t, "redirect", r.Header.Get("Cache-Control"), "private")
			r, body := get("/live/a.ts")
			differs(t, "fragment", len(body), 300_000)
			differs(t, "fragment's type", r.Header.Get("Content-Type"), "video/mp2t")
			r, body = get("/live/a.ts", "Range: bytes=299995-")
			differs(t, "range", body, "56789")
			differs(t, "range", r.Header.Get("Content-Range"), "bytes 299995-299999/300000")
			r, body = get("/live/a.ts", "Range: bytes=0-0,2-2")
			differs(t, "ranges", r.StatusCode, 206)
			if !strings.Contains(body, "Content-Range: bytes 2-2/300000") {
				t.Errorf("ranges: %q", body)
			}
			r, body = get("/live/test.m3u8")
			differs(t, "playlist", body, list)
			r, _ = get("/live/test.m3u8", "If-None-Match: "+r.Header.Get("Etag"))
			differs(t, "playlist again", r.StatusCode, 304)
			_, body = get("/live/hls/test.m3u8")
			differs(t, "hint", body, "404 not found: did you mean /live/test.m3u8?\n")
		})
	}
}

func TestBehindHAProxyWithPROXYHeaders(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.ts", strings.Repeat("0123456789", 30_000))
	for _, send := range []string{"send-proxy", "send-proxy-v2"} {
		cfg := locations(config.Location{Path: "/", Root: value.Path(dir), Access: rules("127.0.0.9/32")})
		cfg.ProxyProtocol = loopback()
		back, _ := serveSite(t, site(t, Deps{}, cfg))
		front := testport.Address()
		startProxy(t, strings.ReplaceAll(haproxyConf(t, front, back), "server s "+back, "server s "+back+" "+send), front, "haproxy", "-db", "-f")
		for from, want := range map[string]int{"127.0.0.9": 200, "127.0.0.1": 403} {
			c := client(t, &http.Transport{DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext})
			r, err := c.Get("http://" + front + "/a.ts")
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r.Body)
			_ = r.Body.Close()
			differs(t, send+" from "+from, r.StatusCode, want)
			if want == 200 && (n != 300_000 || err != nil) {
				t.Errorf("%s: %d bytes, %v", send, n, err)
			}
		}
	}
}

// Viewers who close in the middle and proxies that abort are daily business.
func TestClientsThatLeaveInTheMiddle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.ts", strings.Repeat("a", 4<<20))
	addr, srv := serveSite(t, site(t, Deps{}, locations(config.Location{Path: "/", Root: value.Path(dir)})))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			c := dial(t, addr)
			_, _ = io.WriteString(c, "GET /a.ts HTTP/1.1\r\nHost: h\r\n\r\n")
			_, _ = io.ReadFull(c, make([]byte, 1000))
			_ = c.Close()
		})
	}
	wg.Wait()
	waitFor(t, func() bool { return srv.site.Load().Traffic().Figures(time.Now()).Connections == 0 })
}
