package interop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/testport"
)

// A proxy forwards /live/ to rtmpd with the prefix kept and says in
// X-Forwarded-For for whom.
type proxy struct {
	// config takes the address to listen on, that of rtmpd, and a directory. SNIPPET
	// is what "rtmpd snippet" prints for the proxy.
	config string
	// site is the address of its site in the snippet; empty: the host of the address.
	site func(address string) string
	run  func(config, address string) (name string, args []string)
}

var nginx = proxy{
	config: `
daemon off;
pid %[3]s/nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path %[3]s/body; proxy_temp_path %[3]s/proxy; fastcgi_temp_path %[3]s/fastcgi;
	uwsgi_temp_path %[3]s/uwsgi; scgi_temp_path %[3]s/scgi;
	server {
		listen %[1]s;
		SNIPPET
	}
}
`,
	run: func(config, _ string) (string, []string) { return "nginx", []string{"-e", "stderr", "-c", config} },
}

var haproxy = proxy{
	config: `
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
SNIPPET
# %[3]s is not needed
`,
	run: func(config, _ string) (string, []string) { return "haproxy", []string{"-db", "-f", config} },
}

var apache = proxy{
	config: `
ServerName localhost
ServerRoot %[3]s
PidFile %[3]s/apache.pid
DefaultRuntimeDir %[3]s
ErrorLog /dev/stderr
User nobody
Listen %[1]s
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
<VirtualHost *>
SNIPPET
</VirtualHost>
`,
	run: func(config, _ string) (string, []string) { return "apache2", []string{"-DFOREGROUND", "-f", config} },
}

var lighttpd = proxy{
	config: `
server.document-root = "%[3]s"
server.bind = "HOST"
server.port = PORT
SNIPPET
`,
	run: func(config, _ string) (string, []string) { return "lighttpd", []string{"-D", "-f", config} },
}

var caddy = proxy{
	config: `
{
	admin off
	auto_https off
	storage file_system %[3]s
}
SNIPPET
`,
	site: func(address string) string { return "http://" + address },
	run: func(config, _ string) (string, []string) {
		return "caddy", []string{"run", "--adapter", "caddyfile", "--config", config}
	},
}

func TestProxies(t *testing.T) {
	s := startServer(t)
	background(t, ffmpegLive(t, s.rtmpURL("test")))
	s.waitLive(t, "test")
	for name, p := range map[string]proxy{"nginx": nginx, "haproxy": haproxy, "apache": apache, "lighttpd": lighttpd, "caddy": caddy} {
		t.Run(name, func(t *testing.T) { checkProxy(t, s, p) })
	}
}

// checkProxy starts p before s and plays the stream "test" through it.
func checkProxy(t *testing.T, s *server, p proxy) {
	address, dir := testport.Address(), t.TempDir()
	path := filepath.Join(dir, "proxy.yml")
	name, args := p.run(path, address)
	host, port, _ := net.SplitHostPort(address)
	text := strings.NewReplacer("%[1]s", address, "%[2]s", s.http, "%[3]s", dir, `"HOST"`, strconv.Quote(host), "PORT", port).Replace(p.config)
	if strings.Contains(text, "SNIPPET") {
		kind := strings.TrimSuffix(name, "2") // apache2
		site := host
		if p.site != nil {
			site = p.site(address)
		}
		paste := strings.ReplaceAll(snippet(t, s, kind), "live.example.org", site)
		paste = strings.Replace(paste, "frontend web\n", "frontend web\n\tbind "+address+"\n", 1)
		text = strings.Replace(text, "SNIPPET", paste, 1)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, command(t, 2*time.Minute, name, args...))
	url := "http://" + address + "/live/test.m3u8"
	eventually(t, 30*time.Second, name+" answers", func() bool {
		_, err := get(url)
		return err == nil
	})
	playFFmpeg(t, url)
	pagesThrough(t, name, address)

	// The viewer's address comes through: a loopback address that is not the
	// proxy's own, and a mark to find the line by.
	viewer := "127.0.0.2"
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(viewer)}}).DialContext,
	}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url + "?mark=" + name)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(string(body), "#EXTM3U") {
		t.Fatalf("through %s: %s, %v, %.60q", name, resp.Status, err, body)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/vnd.apple.mpegurl" {
		t.Errorf("through %s: the playlist is %q", name, got)
	}
	eventually(t, 5*time.Second, "a line for the request in the access log", func() bool {
		log, _ := os.ReadFile(filepath.Join(s.dir, "access.log")) // polled
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, "mark="+name) {
				if !strings.HasPrefix(line, viewer+" ") {
					t.Fatalf("through %s the viewer is not %s: %s", name, viewer, line)
				}
				return true
			}
		}
		return false
	})
}

// pagesThrough asks a proxy for a page and for a WebSocket: both name the proxy's address.
func pagesThrough(t *testing.T, name, address string) {
	t.Helper()
	page, err := get("http://" + address + "/live/watch/test.html")
	if want := `<meta property="og:url" content="http://` + address + `/live/watch/test.html">`; err != nil || !strings.Contains(string(page), want) {
		t.Errorf("through %s: %v, no %s in\n%s", name, err, want, page)
	}
	nc, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(nc, "GET /live/watch/json_test.js HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", address)
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("through %s: a WebSocket: %v, %v", name, resp, err)
	}
	head := make([]byte, 4) // of a text of more than 125 bytes
	if _, err := io.ReadFull(br, head); err != nil || head[0] != 0x81 || head[1] != 126 {
		t.Fatalf("through %s: the first frame: %x, %v", name, head, err)
	}
	text := make([]byte, int(head[2])<<8|int(head[3]))
	if _, err := io.ReadFull(br, text); err != nil || !strings.Contains(string(text), `"url":"http://`+address+`/live/test.m3u8"`) {
		t.Errorf("through %s: %v, %s", name, err, text)
	}
}

// snippet is what rtmpd prints for a proxy in front of s.
func snippet(t *testing.T, s *server, kind string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	conf := strings.Replace(fmt.Sprintf(serverConfig, s.dir), "listen     = \"127.0.0.1:0\"", fmt.Sprintf("listen     = %q", s.http), 1)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, time.Minute, rtmpd, "snippet", kind, "-c", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
