package hooks

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

func TestAnswersThatNameAnotherServer(t *testing.T) {
	for _, c := range []struct {
		name     string
		hook     Hook
		location string
		want     value.RTMPURL
		no       string // words of the refusal
	}{
		{name: "on_publish", hook: OnPublish, location: "rtmp://10.0.0.1/live/key", want: "rtmp://10.0.0.1/live/key"},
		{name: "on_play", hook: OnPlay, location: "rtmp://origin.example:1936/live/cam?token=x", want: "rtmp://origin.example:1936/live/cam?token=x"},
		{name: "capitals", hook: OnPlay, location: "RTMPS://10.0.0.1/Live/Key", want: "rtmps://10.0.0.1/Live/Key"},
		{name: "a host alone", hook: OnPublish, location: "rtmp://10.0.0.1", want: "rtmp://10.0.0.1"},
		{name: "an IPv6 address", hook: OnPublish, location: "rtmp://[2001:db8::1]:1935/live", want: "rtmp://[2001:db8::1]:1935/live"},
		{name: "a host of international letters", hook: OnPublish, location: "rtmp://bücher.example/live", want: "rtmp://bücher.example/live"},
		{name: "what looks like a placeholder", hook: OnPublish, location: "rtmp://h/live/$name$", want: "rtmp://h/live/$$name$$"},
		{name: "no host", hook: OnPublish, location: "rtmp:///live/key", no: "names no host"},
		{name: "a port alone", hook: OnPublish, location: "rtmp://:1935/live/key", no: "names no host"},
		{name: "a port that is none", hook: OnPublish, location: "rtmp://h:live/key", no: "names no host"},
		{name: "a query without a path", hook: OnPublish, location: "rtmp://h?token=x", no: "names no host"},
		{name: "a blank in the name", hook: OnPublish, location: "rtmp://h/live/a b", no: "a blank"},
		{name: "two of them", hook: OnPublish, location: "rtmp://h/live/a, rtmp://i/live/a", no: "a blank"},
		{name: "parameters, as of a push line", hook: OnPlay, location: "rtmp://127.0.0.1/app/ playPath=a.flv", no: "a blank"},
		{name: "a slash behind", hook: OnPublish, location: "rtmp://172.16.1.146/live/919a74f3/", want: "rtmp://172.16.1.146/live/919a74f3/"},
		{name: "a query that a rewrite has made", hook: OnPlay, location: "rtmp://10.0.0.1:1935/test/x?app=test&tcurl=rtmp://10.0.0.2/test&addr=10.0.0.3", want: "rtmp://10.0.0.1:1935/test/x?app=test&tcurl=rtmp://10.0.0.2/test&addr=10.0.0.3"},
		{name: "a user", hook: OnPublish, location: "rtmp://user:password@h/live/a", no: "user or a password"},
		{name: "a long one", hook: OnPublish, location: "rtmp://h/" + strings.Repeat("a", maxRelayURL), no: "too long"},
		{name: "on_connect", hook: OnConnect, location: "rtmp://10.0.0.1/live/key", no: "only on_publish and on_play"},
	} {
		for i, shared := range []bool{false, true} {
			status := []int{302, 304}[i] // scripts answer either
			v, err := answer{status, c.location}.verdict(c.hook, &config.Notify{RelayRedirect: shared})
			var r *Refusal
			switch {
			case c.no == "" && (err != nil || v.Relay != c.want || (v.Name != "") != shared):
				t.Errorf("%s: got %q, %q, %v", c.name, v.Relay.Reveal(), v.Name, err)
			case c.no != "" && (!errors.As(err, &r) || !strings.Contains(r.Reason, c.no) || r.Status != status || v != Verdict{}):
				t.Errorf("%s: got %q, %q, %v, want a refusal with %q", c.name, v.Relay.Reveal(), v.Name, err, c.no)
			case err != nil && strings.Contains(err.Error(), c.location[len("rtmp://"):]):
				t.Errorf("%s: the client learns the Location: %v", c.name, err)
			}
			if text := fmt.Sprintf("%v %+v %#v", v, v, v); c.want != "" && strings.Contains(text, string(c.want)) {
				t.Errorf("%s: a verdict shows its URL: %s", c.name, text)
			}
		}
	}
}

// The name is the one that nginx-rtmp gives: the MD5 of the Location as it came.
func TestNotifyRelayRedirectNamesTheStreamAfterItsURL(t *testing.T) {
	v, err := answer{302, "rtmp://127.0.0.1/live/cam"}.verdict(OnPlay, &config.Notify{RelayRedirect: true})
	if want := "d0207e18d22fbd7c688853112891bb41"; err != nil || v.Name != want {
		t.Errorf("got %q, %v, want %q", v.Name, err, want)
	}
}
