package lint

import (
	"net/http"
	"net/url"
	"testing"
)

func TestAPublicPlaylistReachesNoPrivateAddress(t *testing.T) {
	t.Parallel()
	for address, private := range map[string]bool{
		"127.0.0.1:80": true, "10.1.2.3:80": true, "192.168.0.1:8080": true, "169.254.169.254:80": true, "[::1]:80": true, "[fe80::1]:80": true,
		"[fd00::1]:80": true, "[::ffff:10.0.0.1]:80": true, "0.0.0.0:80": true, "198.51.100.7:443": false, "[2001:db8::1]:443": false,
	} {
		if err := refusePrivate("tcp", address, nil); (err != nil) != private {
			t.Errorf("%s: %v", address, err)
		}
	}
	for host, public := range map[string]bool{"127.0.0.1": false, "localhost": false, "10.0.0.1": false, "198.51.100.7": true} {
		if isPublic(host) != public {
			t.Errorf("%s is public: %v", host, !public)
		}
	}
}

func TestRedirectsStayWithHTTP(t *testing.T) {
	t.Parallel()
	get := func(s string) *http.Request {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return &http.Request{URL: u}
	}
	for _, c := range []struct {
		from, to string
		ok       bool
	}{
		{"http://a/", "http://b/", true},
		{"http://a/", "https://b/", true},
		{"https://a/", "https://b/", true},
		{"https://a/", "http://b/", false},
		{"http://a/", "file:///etc/passwd", false},
		{"http://a/", "ftp://b/", false},
	} {
		if err := checkRedirect(get(c.to), []*http.Request{get(c.from)}); (err == nil) != c.ok {
			t.Errorf("from %s to %s: %v", c.from, c.to, err)
		}
	}
	many := make([]*http.Request, maxRedirects)
	for i := range many {
		many[i] = get("http://a/")
	}
	if checkRedirect(get("http://a/"), many) == nil {
		t.Error("there is no end to redirects")
	}
}
