package interop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// What MistServer's guide to reverse proxies has its readers paste, with another port of
// the server behind.
var mistGuide = []struct {
	proxy   proxy
	snippet string
}{
	{nginx, `
location /mistserver/ {
proxy_pass http://localhost:8080/;
proxy_set_header X-Real-IP $remote_addr;
proxy_buffering off;
proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection "Upgrade";
proxy_read_timeout 600s;
proxy_set_header Host $host;
proxy_set_header X-Mst-Path "$scheme://$host/mistserver";
}`},
	{apache, `
<Location "/mistserver/">
ProxyPass "ws://localhost:8080/"
RequestHeader set X-Mst-Path "expr=%{REQUEST_SCHEME}://%{SERVER_NAME}:%{SERVER_PORT}/mistserver/"
</Location>`},
}

// Who moves from MistServer keeps the proxy and the pages: its guide's snippets and embed
// code work as they stand, over HTTP and HTTPS, and the public addresses are those of the
// configuration.
func TestMistServersGuideToProxies(t *testing.T) {
	t.Parallel()
	entrances := make([]*entrance, len(mistGuide))
	var public []string
	for i := range mistGuide {
		entrances[i] = newEntrance(t)
		public = append(public, "http://"+entrances[i].plain+"/mistserver", "https://"+entrances[i].secure+"/mistserver")
	}
	s := startPaged(t, `public_url = ["`+strings.Join(public, `", "`)+`"]`)
	s.publish(t, "test", forEver)
	s.waitLive(t, "test")
	for i, m := range mistGuide {
		t.Run(m.proxy.kind, func(t *testing.T) { // one after the other: each has a browser
			e := entrances[i]
			m.proxy.start(t, e, strings.ReplaceAll(m.snippet, "localhost:8080", s.http))
			p := openIn(t, chromium(t), "about:blank")
			foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				_, _ = fmt.Fprint(w, strings.ReplaceAll(embedCode, "HOST", e.plain+"/mistserver"))
			}))
			t.Cleanup(foreign.Close)
			for _, address := range []string{"http://" + e.plain + "/mistserver/test.html", "https://" + e.secure + "/mistserver/test.html", foreign.URL} {
				if err := chromedp.Run(p.ctx, chromedp.Navigate(address)); err != nil {
					t.Fatalf("%s: %v", address, err)
				}
				p.plays(t, 0)
			}
			var info struct {
				Source []struct{ URL string }
			}
			text, err := get("http://" + e.plain + "/mistserver/json_test.js")
			if err == nil {
				err = json.Unmarshal(text, &info)
			}
			if err != nil || len(info.Source) == 0 {
				t.Fatalf("json_test.js: %v: %s", err, text)
			}
			for _, source := range info.Source {
				ours := false
				for _, base := range public {
					ours = ours || strings.HasPrefix(source.URL, base+"/live/test.")
				}
				if !ours {
					t.Errorf("a source is %s", source.URL)
				}
			}
			list, err := get("http://" + e.plain + "/mistserver/live/test.m3u8")
			if err != nil || !strings.Contains(string(list), "#EXTINF") {
				t.Errorf("the playlist: %v: %s", err, list)
			}
		})
	}
}
