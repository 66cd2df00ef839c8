package hooks

import (
	"errors"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

func TestVerdicts(t *testing.T) {
	for _, c := range []struct {
		name     string
		status   int
		location string
		want     string // name
		no       string // words of the refusal
	}{
		{name: "200", status: 200},
		{name: "204 with a Location that means nothing", status: 204, location: "x"},
		{name: "299", status: 299},
		{name: "302 without a Location", status: 302},
		{name: "302 to a name", status: 302, location: "alice", want: "alice"},
		{name: "301 to a name", status: 301, location: "alice", want: "alice"},
		{name: "307 to a name with a query", status: 307, location: "alice?x=y", want: "alice"},
		{name: "302 to a path", status: 302, location: "/live/alice", want: "alice"},
		{name: "302 to a path with a slash behind", status: 302, location: "/alice/", want: "alice"},
		{name: "302 to what a framework made a URL", status: 302, location: "http://127.0.0.1:9000/rtmp/alice?x", want: "alice"},
		{name: "302 to an HTTPS URL", status: 302, location: "HTTPS://h/alice#f", want: "alice"},
		{name: "302 to an encoded name", status: 302, location: "/caf%C3%A9", want: "café"},
		{name: "302 out of the directory", status: 302, location: "../../x", no: "redirects to what is no name"},
		{name: "302 out of the directory, encoded", status: 302, location: "/a/..%2f..%2fx", no: "redirects to what is no name"},
		{name: "302 to two names", status: 302, location: "a/b", no: "redirects to what is no name"},
		{name: "302 to a URL without a path", status: 302, location: "http://h", want: "h"},
		{name: "302 to a URL with an empty path", status: 302, location: "http:///", no: "redirects to what is no name"},
		{name: "302 to a dot file", status: 302, location: ".hidden", no: "redirects to what is no name"},
		{name: "302 to a name with a NUL", status: 302, location: "a%00b", no: "redirects to what is no name"},
		{name: "302 to a name of 200 bytes", status: 302, location: strings.Repeat("a", 200), no: "redirects to what is no name"},
		{name: "403", status: 403, no: "refused by on_publish: 403 Forbidden"},
		{name: "500", status: 500, no: "500 Internal Server Error"},
		{name: "a status nobody knows", status: 799, no: "status 799"},
		{name: "101", status: 101, no: "101 Switching Protocols"},
	} {
		v, err := answer{c.status, c.location}.verdict(OnPublish, &config.Notify{})
		var r *Refusal
		switch {
		case c.no == "" && (err != nil || v.Name != c.want):
			t.Errorf("%s: got %q, %v, want %q", c.name, v.Name, err, c.want)
		case c.no != "" && (!errors.As(err, &r) || !strings.Contains(r.Reason, c.no) || r.Status != c.status || v.Name != ""):
			t.Errorf("%s: got %q, %v, want a refusal with %q", c.name, v.Name, err, c.no)
		case c.location != "" && err != nil && strings.Contains(err.Error(), c.location):
			t.Errorf("%s: the client learns the Location: %v", c.name, err)
		}
	}
	if got := (Verdict{}).NameOr("n"); got != "n" {
		t.Errorf("no name makes %q of n", got)
	}
	if got := (Verdict{Name: "m"}).NameOr("n"); got != "m" {
		t.Errorf("m makes %q of n", got)
	}
}

func TestVerdictsOfUpdates(t *testing.T) {
	for _, c := range []struct {
		status          int
		location        string
		lenient, strict bool // goes on
	}{
		{200, "", true, true},
		{302, "", true, false},
		{302, "rtmp://h/x", true, false},
		{302, "../..", true, false},
		{404, "", false, false},
	} {
		for _, strict := range []bool{false, true} {
			v, err := answer{c.status, c.location}.verdict(OnUpdate, &config.Notify{UpdateStrict: strict})
			want := c.lenient
			if strict {
				want = c.strict
			}
			if (err == nil) != want || v.Name != "" {
				t.Errorf("%d %q, strict %t: got %q, %v, want on %t", c.status, c.location, strict, v.Name, err, want)
			}
		}
	}
}

func TestHooksHaveTheirNames(t *testing.T) {
	for h := range firstTrigger {
		if s := h.String(); !strings.HasPrefix(s, "on_") {
			t.Errorf("hook %d is called %q", h, s)
		}
	}
	if s := numHooks.String(); s != "hook 36" {
		t.Errorf("an unknown hook is called %q", s)
	}
}

// For any response, the name in a verdict is a valid stream name.
func FuzzVerdict(f *testing.F) {
	for _, location := range []string{"alice", "/a/b?c#d", "http://h/%2e%2e", "RTMP://h/a/b", "rtmps://[::1]:443/a?$b#c", "rtmp://u:p@h/", "rtmp:///x", "https:///", "a%00b", "//", "%", "..%2f..%2fx"} {
		f.Add(302, location)
	}
	f.Add(404, "")
	f.Fuzz(func(t *testing.T, status int, location string) {
		fuzztime.Bound(t)
		for h := range firstTrigger {
			v, err := answer{status, location}.verdict(h, &config.Notify{UpdateStrict: status%2 == 0, RelayRedirect: status%3 == 0})
			if v.Name != "" && (err != nil || value.ValidStreamName(v.Name) != nil || status/100 != 3) {
				t.Errorf("%s: %d %q gives %q, %v", h, status, location, v.Name, err)
			}
			if v.Relay != "" {
				var url value.RTMPURL // as a configuration may have it
				if err != nil || status/100 != 3 || h != OnPublish && h != OnPlay || url.Decode(cty.StringVal(v.Relay.Reveal()), value.Context{}) != nil {
					t.Errorf("%s: %d %q gives a relay to %q, %v", h, status, location, v.Relay.Reveal(), err)
				}
			}
			if err == nil && status/100 != 2 && status/100 != 3 {
				t.Errorf("%s: %d is a yes", h, status)
			}
		}
	})
}
