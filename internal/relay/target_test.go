package relay

import (
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func TestWhereATargetIs(t *testing.T) {
	t.Parallel()
	expand := func(name string) string {
		return map[string]string{"app": "live", "name": "cam", "args": "x@evil.example/y"}[name]
	}
	for _, c := range []struct {
		name      string
		remote    config.Remote
		dial      string
		app, play string
		tcURL     string
		shown     string
	}{
		{name: "host alone", remote: config.Remote{URL: "rtmp://h"}, dial: "rtmp://h", app: "live", play: "cam", tcURL: "rtmp://h/live", shown: "rtmp://h/live/cam"},
		{name: "application", remote: config.Remote{URL: "rtmp://h:1/a/"}, dial: "rtmp://h:1", app: "a", play: "cam", tcURL: "rtmp://h:1/a", shown: "rtmp://h:1/a/cam"},
		{name: "key in the URL", remote: config.Remote{URL: "rtmp://a.rtmp.youtube.com/live2/abcd-efgh"}, dial: "rtmp://a.rtmp.youtube.com", app: "live2", play: "abcd-efgh", tcURL: "rtmp://a.rtmp.youtube.com/live2", shown: "rtmp://a.rtmp.youtube.com/live2/(hidden)"},
		{name: "key apart", remote: config.Remote{URL: "rtmps://h:443/app/inst", Key: "k$1"}, dial: "rtmps://h:443", app: "app/inst", play: "k$1", tcURL: "rtmps://h:443/app/inst", shown: "rtmps://h:443/app/inst/(hidden)"},
		{name: "key with a query", remote: config.Remote{URL: "rtmps://live-api-s.facebook.com:443/rtmp/FB-1?s_bl=1&a=b"}, dial: "rtmps://live-api-s.facebook.com:443", app: "rtmp", play: "FB-1?s_bl=1&a=b", tcURL: "rtmps://live-api-s.facebook.com:443/rtmp", shown: "rtmps://live-api-s.facebook.com:443/rtmp/(hidden)"},
		{name: "key with MistServer's second ?", remote: config.Remote{URL: "rtmp://h/rtmp/FB-1?a=b?"}, dial: "rtmp://h", app: "rtmp", play: "FB-1?a=b", tcURL: "rtmp://h/rtmp", shown: "rtmp://h/rtmp/(hidden)"},
		{name: "name of several segments", remote: config.Remote{URL: "rtmp://h/a/b/c"}, dial: "rtmp://h", app: "a", play: "b/c", tcURL: "rtmp://h/a", shown: "rtmp://h/a/(hidden)"},
		{name: "app of several segments", remote: config.Remote{URL: "rtmp://h/a/b/c", App: "a/b"}, dial: "rtmp://h", app: "a/b", play: "c", tcURL: "rtmp://h/a/b", shown: "rtmp://h/a/b/(hidden)"},
		{name: "nginx's app and playPath", remote: config.Remote{URL: "rtmp://h/app/inst", App: "app/inst", PlayPath: "KEY"}, dial: "rtmp://h", app: "app/inst", play: "KEY", tcURL: "rtmp://h/app/inst", shown: "rtmp://h/app/inst/(hidden)"},
		{name: "query of an application", remote: config.Remote{URL: "rtmp://h/a?token=t"}, dial: "rtmp://h", app: "a?token=t", play: "cam", tcURL: "rtmp://h/a?token=t", shown: "rtmp://h/a/cam"},
		{name: "placeholders", remote: config.Remote{URL: "rtmp://h/$app/x-$name", TCURL: "rtmp://other/$name"}, dial: "rtmp://h", app: "live", play: "x-cam", tcURL: "rtmp://other/cam", shown: "rtmp://h/live/(hidden)"},
		{name: "IPv6", remote: config.Remote{URL: "rtmp://[::1]:1935/a"}, dial: "rtmp://[::1]:1935", app: "a", play: "cam", tcURL: "rtmp://[::1]:1935/a", shown: "rtmp://[::1]:1935/a/cam"},
	} {
		got, err := newTarget(&c.remote, "live", "cam", expand)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.dial != c.dial || got.app != c.app || got.name != c.play || got.tcURL != c.tcURL || got.shown != c.shown {
			t.Errorf("%s: got %s app %q name %q tcUrl %s shown %s", c.name, got.dial, got.app, got.name, got.tcURL, got.shown)
		}
		for _, secret := range []string{"abcd-efgh", "k$1", "FB-1", "s_bl=1", "KEY", "token=t"} {
			if text := got.hide("words of " + got.app + " " + got.name + " " + got.tcURL); strings.Contains(c.remote.URL.Reveal()+c.remote.Key.Reveal()+c.remote.PlayPath, secret) && strings.Contains(text, secret) {
				t.Errorf("%s: %s is not hidden in %q", c.name, secret, text)
			}
		}
	}
	for _, url := range []string{"rtmp://user:secret@h/a", "rtmp://$args/a", "rtmp://h$args:1/a"} {
		if got, err := newTarget(&config.Remote{URL: value.RTMPURL(url)}, "live", "cam", expand); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %+v, %v", url, got, err)
		}
	}
}
