package interop

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/rtmpd/rtmpd/internal/testport"
)

// A proxy forwards to rtmpd what its snippet says, over HTTP and HTTPS.
type proxy struct {
	kind string // of the snippet
	// config is the rest of its configuration. PLAIN, SECURE and DIR are those of the
	// entrance, SNIPPET is what "rtmpd snippet" prints.
	config string
	// paste changes what the snippet says of the site and of sockets; nil: nothing.
	paste func(snippet string, e *entrance) string
	run   func(config string, e *entrance) (name string, args []string)
}

var nginx = proxy{
	kind: "nginx",
	config: `
daemon off;
pid DIR/nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 64; }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	server {
		listen PLAIN;
		listen SECURE ssl;
		ssl_certificate DIR/cert.pem;
		ssl_certificate_key DIR/key.pem;
		SNIPPET
	}
}
`,
	run: func(config string, _ *entrance) (string, []string) {
		return "nginx", []string{"-e", "stderr", "-c", config}
	},
}

var haproxy = proxy{
	kind: "haproxy",
	config: `
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
SNIPPET
`,
	paste: func(snippet string, e *entrance) string {
		return strings.Replace(snippet, "frontend web\n", "frontend web\n\tbind "+e.plain+"\n\tbind "+e.secure+" ssl crt "+e.dir+"/both.pem\n", 1)
	},
	run: func(config string, _ *entrance) (string, []string) {
		return "haproxy", []string{"-db", "-f", config}
	},
}

var apache = proxy{
	kind: "apache",
	config: `
ServerName localhost
ServerRoot DIR
PidFile DIR/apache.pid
DefaultRuntimeDir DIR
ErrorLog /dev/stderr
User nobody
Listen PLAIN
Listen SECURE
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
<VirtualHost PLAIN>
SNIPPET
</VirtualHost>
<VirtualHost SECURE>
SSLEngine on
SSLCertificateFile DIR/cert.pem
SSLCertificateKeyFile DIR/key.pem
SNIPPET
</VirtualHost>
`,
	run: func(config string, _ *entrance) (string, []string) {
		return "apache2", []string{"-DFOREGROUND", "-f", config}
	},
}

var lighttpd = proxy{
	kind: "lighttpd",
	config: `
server.document-root = "DIR"
server.modules = ( "mod_openssl" )
SNIPPET
`,
	paste: func(snippet string, e *entrance) string {
		host, port, _ := net.SplitHostPort(e.plain)
		return fmt.Sprintf("server.bind = %q\nserver.port = %s\n$SERVER[\"socket\"] == %q {\n\tssl.engine = \"enable\"\n\tssl.pemfile = %q\n}\n", host, port, e.secure, e.dir+"/both.pem") + snippet
	},
	run: func(config string, _ *entrance) (string, []string) {
		return "lighttpd", []string{"-D", "-f", config}
	},
}

var caddy = proxy{
	kind: "caddy",
	config: `
{
	admin off
	auto_https off
	storage file_system DIR
}
SNIPPET
`,
	paste: func(snippet string, e *entrance) string {
		return strings.Replace(snippet, "\n127.0.0.1 {", "\nhttp://"+e.plain+" {", 1) +
			strings.Replace(snippet, "\n127.0.0.1 {", "\nhttps://"+e.secure+" {\n\ttls "+e.dir+"/cert.pem "+e.dir+"/key.pem", 1)
	},
	run: func(config string, _ *entrance) (string, []string) {
		return "caddy", []string{"run", "--adapter", "caddyfile", "--config", config}
	},
}

// An entrance is where a proxy listens. Its directory has a certificate for it.
type entrance struct{ plain, secure, dir string }

func newEntrance(t *testing.T) *entrance {
	t.Helper()
	e := &entrance{testport.Address(), testport.Address(), t.TempDir()}
	own, err := frontCertificate()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(own.pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.pair.Certificate[0]})
	key := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "both.pem": append(cert, key...)} {
		if err := os.WriteFile(filepath.Join(e.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// start runs the proxy with a snippet until the end of the test.
func (p *proxy) start(t *testing.T, e *entrance, snippet string) {
	t.Helper()
	if p.paste != nil {
		snippet = p.paste(snippet, e)
	}
	path := filepath.Join(e.dir, "proxy.yml")
	text := strings.NewReplacer("SNIPPET", snippet, "PLAIN", e.plain, "SECURE", e.secure, "DIR", e.dir).Replace(p.config)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	name, args := p.run(path, e)
	background(t, command(t, 8*time.Minute, name, args...))
	for _, address := range []string{e.plain, e.secure} {
		eventually(t, 60*time.Second, name+" listens", func() bool {
			nc, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				nc.Close()
			}
			return err == nil
		})
	}
}

const frontedRTMP = `
state_dir   = "DIR/state"
runtime_dir = "DIR/run"
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    hls {
      path     = "DIR/www/live"
      fragment = "2s"
    }
  }
  application "asked" {
    on_play = "HOOK"
    hls {
      path     = "DIR/www/asked"
      fragment = "2s"
    }
  }
}
`

// An http block. Only the proxies are trusted, not the viewer, who is on this machine,
// too.
const frontedHTTP = `
http {
  listen          = "LISTEN"
  trusted_proxies = ["127.0.0.1"]
  access_log      = "DIR/access.log"
  PUBLIC
  location "/live" {
    root = "DIR/www"
  }
  location "/asked" {
    root = "DIR/www"
  }
  location "/live/watch" {
    player {}
  }
  location "/health" {
    health {}
  }
}
`

// fronted is an rtmpd behind proxies: behind those that keep the path at s.http, behind
// those that take /mist off at stripped.
type fronted struct {
	*server
	stripped string

	mu    sync.Mutex
	asked map[string]string // the address that on_play is told, by the mark of the request
}

func startFronted(t *testing.T, public []string) *fronted {
	t.Helper()
	f := &fronted{server: &server{dir: t.TempDir()}, asked: make(map[string]string)}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked[r.FormValue("mark")] = r.FormValue("addr")
	}))
	t.Cleanup(hook.Close)
	f.run(t, strings.NewReplacer("HOOK", hook.URL, "DIR", f.dir).Replace(frontedRTMP)+f.block("127.0.0.1:0", nil)+f.block("127.0.0.3:0", public))
	f.stripped = listensAt(t, f.log.String, "http", 2)[1]
	f.publish(t, "test", forEver)
	background(t, command(t, 10*time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-stream_loop", forEver, "-i", testcard, "-c", "copy", "-f", "flv", "rtmp://"+f.rtmp+"/asked/test"))
	f.waitLive(t, "test")
	return f
}

// block is an http block of it; it has public addresses if there are any.
func (f *fronted) block(listen string, public []string) string {
	said := ""
	if len(public) > 0 {
		said = `public_url = ["` + strings.Join(public, `", "`) + `"]`
	}
	return strings.NewReplacer("LISTEN", listen, "DIR", f.dir, "PUBLIC", said).Replace(frontedHTTP)
}

// snippet is what rtmpd prints for a proxy in front of a block, with 127.0.0.1 as the
// site.
func (f *fronted) snippet(t *testing.T, kind, block string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rtmpd.hcl")
	conf := strings.NewReplacer("HOOK", "http://127.0.0.1:9/", "DIR", f.dir).Replace(frontedRTMP) + block
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := command(t, time.Minute, rtmpd, "snippet", kind, "-c", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), "live.example.org", "127.0.0.1")
}

// Behind each proxy, with what "rtmpd snippet" prints for it, over HTTP and HTTPS, with the
// path kept and with a prefix taken off.
func TestProxies(t *testing.T) {
	t.Parallel()
	checkProxies(t, nginx, haproxy, apache, lighttpd, caddy)
}

func checkProxies(t *testing.T, all ...proxy) {
	kept, stripped := make([]*entrance, len(all)), make([]*entrance, len(all))
	var public []string
	for i := range all {
		kept[i], stripped[i] = newEntrance(t), newEntrance(t)
		public = append(public, "https://"+stripped[i].secure+"/mist", "http://"+stripped[i].plain+"/mist")
	}
	f := startFronted(t, public)
	for i, proxy := range all {
		t.Run(proxy.kind, func(t *testing.T) { // one after the other: each has a browser
			proxy.start(t, kept[i], f.snippet(t, proxy.kind, f.block(f.http, nil)))
			proxy.start(t, stripped[i], f.snippet(t, proxy.kind, f.block(f.stripped, public[2*i:])))
			p := openIn(t, chromium(t), "about:blank")
			for _, base := range []string{"http://" + kept[i].plain, "https://" + kept[i].secure, public[2*i+1], public[2*i]} {
				f.through(t, base)
				f.inBrowser(t, p, base)
			}
		})
	}
	t.Run("a viewer who says that it is one", f.spoofed)
}

// viewer is an address of this machine that is not the proxy's own.
const viewer = "127.0.0.2"

// viewersClient asks from there. It trusts the certificates of entrances.
func viewersClient(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext:     (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(viewer)}}).DialContext,
		TLSClientConfig: &tls.Config{RootCAs: ownCertificates(t)},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Timeout: 20 * time.Second, Transport: transport}
}

func ownCertificates(t *testing.T) *x509.CertPool {
	t.Helper()
	own, err := frontCertificate()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(own.pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}

// ask gets a URL with headers ("Name: value"), whatever the status.
func ask(t *testing.T, c *http.Client, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// spoofs are headers by which a viewer says to be a proxy.
var spoofs = []string{
	`X-Mst-Path: https://evil.example/"><script>alert(1)</script>/`, "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https",
	"Forwarded: for=203.0.113.9;host=evil.example;proto=https", "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9",
}

// through asks a proxy at the public address base for everything there is. URLs are
// public, and the viewer is the viewer, whatever it says of itself.
func (f *fronted) through(t *testing.T, base string) {
	t.Helper()
	c := viewersClient(t)
	watch := base + "/live/watch"
	for what, wants := range map[string][]string{
		watch + "/test.html":    {`<meta property="og:url" content="` + watch + `/test.html">`, `<meta property="og:video" content="` + watch + `/embed/test">`},
		watch + "/live.m3u":     {"\n" + base + "/live/test.m3u8\n"},
		watch + "/json_test.js": {`"url":"` + base + `/live/test.m3u8"`},
		watch + "/oembed?url=" + url.QueryEscape(watch+"/test.html"): {watch + "/embed/test"},
	} {
		resp, body := ask(t, c, what)
		for _, want := range wants {
			if resp.StatusCode != 200 || !strings.Contains(body, want) {
				t.Errorf("%s: %s, no %s in\n%s", what, resp.Status, want, body)
			}
		}
		if resp, body = ask(t, c, what, spoofs...); resp.StatusCode != 200 || strings.Contains(body, "evil") {
			t.Errorf("%s with headers of another: %s\n%s", what, resp.Status, body)
		}
		if vary := strings.Join(resp.Header["Vary"], ", "); !strings.Contains(vary, "X-Mst-Path") {
			t.Errorf("%s: it varies by %q only", what, vary)
		}
	}
	if text := firstMessage(t, watch+"/json_test.js"); !strings.Contains(text, `"url":"`+base+`/live/test.m3u8"`) {
		t.Errorf("%s: the WebSocket says %s", base, text)
	}

	mark := url.QueryEscape(base)
	for _, app := range []string{"live", "asked"} {
		eventually(t, 60*time.Second, "the playlist of "+app, func() bool {
			resp, list := ask(t, c, base+"/"+app+"/test.m3u8?mark="+mark, spoofs...)
			if resp.StatusCode != 200 {
				return false
			}
			if got := resp.Header.Get("Content-Type"); got != "application/vnd.apple.mpegurl" {
				t.Errorf("%s: the playlist is %q", base, got)
			}
			for line := range strings.Lines(list) {
				if fragment := strings.TrimSpace(line); fragment != "" && fragment[0] != '#' {
					resp, body := ask(t, c, base+"/"+app+"/"+fragment)
					if resp.StatusCode != 200 || len(body) < 1000 || len(body)%188 != 0 || body[0] != 0x47 {
						t.Errorf("%s: %s of %s: %s, %d bytes", base, fragment, app, resp.Status, len(body))
					}
					return true
				}
			}
			return false
		})
		eventually(t, 90*time.Second, "a line for the request in the access log", func() bool {
			log, _ := os.ReadFile(filepath.Join(f.dir, "access.log")) // polled
			for line := range strings.Lines(string(log)) {
				if strings.Contains(line, "/"+app+"/test.m3u8?mark="+mark) {
					if !strings.HasPrefix(line, viewer+" ") {
						t.Fatalf("%s: the viewer is not %s: %s", base, viewer, line)
					}
					return true
				}
			}
			return false
		})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if got := f.asked[base]; got != viewer {
		t.Errorf("%s: on_play is asked about %q, want %s", base, got, viewer)
	}
}

// firstMessage is the first text of a WebSocket.
func firstMessage(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if u.Scheme == "https" {
		nc = tls.Client(nc, &tls.Config{RootCAs: ownCertificates(t), ServerName: u.Hostname(), NextProtos: []string{"http/1.1"}})
	}
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", u.RequestURI(), u.Host)
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s: a WebSocket: %v, %v", address, resp, err)
	}
	head := make([]byte, 4) // of a text of more than 125 bytes
	if _, err := io.ReadFull(br, head); err != nil || head[0] != 0x81 || head[1] != 126 {
		t.Fatalf("%s: the first frame: %x, %v", address, head, err)
	}
	text := make([]byte, int(head[2])<<8|int(head[3]))
	if _, err := io.ReadFull(br, text); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return string(text)
}

// inBrowser has Chromium open the page of a stream, and a page of another site with the
// frame and the script: all play, and the browser has nothing to complain about.
func (f *fronted) inBrowser(t *testing.T, p *page, base string) {
	t.Helper()
	foreign := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>A page</title><iframe src="%[1]s/live/watch/embed/test?muted=1" allow="autoplay"></iframe>
<div data-rtmpd="test" data-muted="true" style="width: 300px"></div><script src="%[1]s/live/watch/player.js" async></script>`, base)
	}))
	own, err := frontCertificate()
	if err != nil {
		t.Fatal(err)
	}
	if foreign.TLS = (&tls.Config{Certificates: []tls.Certificate{own.pair}}); strings.HasPrefix(base, "https:") {
		foreign.StartTLS()
	} else {
		foreign.Start()
	}
	defer foreign.Close()
	for _, address := range []string{base + "/live/watch/test.html", foreign.URL} {
		if err := chromedp.Run(p.ctx, chromedp.Navigate(address)); err != nil {
			t.Fatal(err)
		}
		p.plays(t, 0)
	}
	p.framePlays(t, base)
	p.quiet(t)
}

// spoofed asks rtmpd itself, with and without headers of a proxy: trusted_proxies does not
// name the viewer, so they change nothing.
func (f *fronted) spoofed(t *testing.T) {
	c := viewersClient(t)
	for _, address := range []string{f.http, f.stripped} {
		for _, path := range []string{"/live/watch/test.html", "/live/watch/json_test.js", "/live/watch/live.m3u", "/live/watch/player.js"} {
			want, plain := ask(t, c, "http://"+address+path)
			got, body := ask(t, c, "http://"+address+path, append(spoofs, "X-Forwarded-Prefix: /evil", "X-Mst-Path: https://"+address+"/evil/")...)
			want.Header.Del("Date")
			got.Header.Del("Date")
			if body != plain || fmt.Sprint(got.Header) != fmt.Sprint(want.Header) {
				t.Errorf("%s: %v\n%s\nwithout the headers: %v\n%s", path, got.Header, body, want.Header, plain)
			}
		}
		ask(t, c, "http://"+address+"/asked/test.m3u8?mark=spoofed"+address, spoofs...)
		f.mu.Lock()
		if got := f.asked["spoofed"+address]; got != viewer {
			t.Errorf("on_play is asked about %q, want %s", got, viewer)
		}
		f.mu.Unlock()
	}
	eventually(t, 90*time.Second, "the requests are in the access log", func() bool {
		log, _ := os.ReadFile(filepath.Join(f.dir, "access.log")) // polled
		if strings.Contains(string(log), "\n203.0.113.9 ") {
			t.Fatalf("the access log believes it")
		}
		return strings.Count(string(log), "mark=spoofed") == 2
	})
}
