package server

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const rewrite = `trigger "PUSH_REWRITE" {
      handler = "$HOOK/rewrite"
      sync    = true
    }
    `

func TestPushRewriteMakesThePublicName(t *testing.T) {
	r, h := startTriggered(t, "", rewrite+`on_publish = "$HOOK/publish"
    hls {
      path = "$DIR/hls"
    }`, func(f firing, w http.ResponseWriter, _ *http.Request) {
		if f.path == "/rewrite" {
			_, _ = io.WriteString(w, "streams+john\r\n")
		}
	})
	const token = "tok-0123456789ab"
	c := r.publish("live?a=b", token+"?x=y")
	c.seconds(0.2)
	r.eventually("the stream", func() bool { return r.stream("live", "streams+john") != nil })
	if r.stream("live", token) != nil {
		t.Error("the token is a stream")
	}
	f := h.all("PUSH_REWRITE")[0]
	if want := []string{"rtmp://" + r.addr(0) + "/live?a=b/" + token + "?x=y", "127.0.0.1", token}; strings.Join(f.lines, "\n") != strings.Join(want, "\n") {
		t.Errorf("the handler gets\n%q, want\n%q", f.lines, want)
	}
	for name, want := range map[string]string{"Content-Type": "text/plain", "X-Trigger": "PUSH_REWRITE", "X-Attempt": "1"} {
		if got := f.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"X-Trigger-Uuid", "X-Trigger-Unixmillis", "Date", "X-Pid"} {
		if f.header.Get(name) == "" {
			t.Errorf("there is no header %s", name)
		}
	}
	for _, f := range h.all("") {
		if f.path == "/publish" && (strings.Contains(f.body, token) || !strings.Contains(f.body, "name=streams%2Bjohn")) {
			t.Errorf("on_publish hears %s", f.body)
		}
	}
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the end", func() bool { return r.stream("live", "streams+john") == nil })
	snap, err := json.Marshal(r.srv.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(snap), token) || strings.Contains(r.allText(), token) {
		t.Error("the token is shown")
	}
}

// otherTriggers choose by application.
const otherTriggers = `trigger "PUSH_REWRITE" {
  handler = "$HOOK/top"
  streams = ["live/*"]
}
trigger "PUSH_REWRITE" {
  handler = "$HOOK/elsewhere"
  streams = ["other/*"]
}
`

func TestWhatAnAnswerOfPushRewriteMeans(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		status       int
		words        string // of the refusal; empty: it is let in
	}{
		{"empty", "", 200, "refused by PUSH_REWRITE"},
		{"a line break alone", "\r\n", 200, "refused by PUSH_REWRITE"},
		{"a name with arguments", "john?a=b", 200, ""},
		{"a byte order mark", "\xef\xbb\xbfjohn", 200, ""},
		{"two lines", "john\nmary", 200, "no name"},
		{"a blank in front", " john", 200, "no name"},
		{"a way out of the directory", "streams+../../x", 200, "no name"},
		{"markup", "streams+<script>", 200, "no name"},
		{"a long one", strings.Repeat("x", 129), 200, "no name"},
		{"an endless one", strings.Repeat("x", 10000), 200, "PUSH_REWRITE could not be asked"},
		{"no", "john", 403, "refused by PUSH_REWRITE: 403 Forbidden"},
		{"an error", "john", 500, "PUSH_REWRITE could not be asked"},
		{"a redirect", "john", 302, "PUSH_REWRITE could not be asked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, h := startTriggered(t, "", rewrite, func(_ firing, w http.ResponseWriter, r *http.Request) {
				if c.status/100 == 3 {
					w.Header().Set("Location", "http://"+r.Host+"/elsewhere")
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.answer)
			})
			if c.words == "" {
				r.publish("live", "token0123456789")
				r.eventually("the stream", func() bool { return r.stream("live", "john") != nil })
				return
			}
			r.refused("live", "token0123456789", dialling{}, rtmp.StatusPublishDenied, c.words)
			if names := r.streams("live"); len(names) > 0 {
				t.Errorf("there are the streams %q", names)
			}
			if n := len(h.all("")); n != 1 {
				t.Errorf("the handler is asked %d times", n)
			}
		})
	}
}

func TestADeadHandlerMeansWhatOnErrorSays(t *testing.T) {
	for _, c := range []struct{ name, lines, stream string }{
		{"deny", "", ""},
		{"deny, said", `on_error = "deny"`, ""},
		{"pass", `on_error = "pass"`, "cam"},
		{"allow", `on_error = "allow"`, "cam"},
		{"default", `default = "standby"`, "standby"},
		{"default, said", "on_error = \"default\"\n      default = \"standby\"", "standby"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    trigger "PUSH_REWRITE" {
      handler = "http://127.0.0.1:1/dead"
      `+c.lines+`
    }
  }
}`)
			if c.stream == "" {
				r.refused("live", "cam", dialling{}, rtmp.StatusPublishDenied, "PUSH_REWRITE could not be asked")
				return
			}
			r.publish("live", "cam")
			r.eventually("the stream", func() bool { return r.stream("live", c.stream) != nil })
		})
	}
}

func TestSeveralHandlersOfATrigger(t *testing.T) {
	r, h := startTriggered(t, otherTriggers, `
    trigger "PUSH_REWRITE" {
      handler = "$HOOK/told"
      sync    = false
      format  = "json"
      secret  = "a-secret-of-handlers"
    }
    trigger "PUSH_REWRITE" {
      handler = "$HOOK/last"
    }`, func(f firing, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, f.path[1:]) })
	r.publish("live", "token0123456789")
	r.eventually("the stream", func() bool { return r.stream("live", "last") != nil })
	r.eventually("the calls", func() bool { return len(h.all("")) == 3 })
	uuids := make(map[string]bool)
	for _, f := range h.all("") {
		uuids[f.header.Get("X-Trigger-Uuid")] = true
		switch f.path {
		case "/top", "/last":
			if f.lines[2] != "token0123456789" {
				t.Errorf("%s gets %q", f.path, f.lines)
			}
		case "/told":
			if got, want := f.header.Get("X-Rtmpd-Signature"), hooks.Signature("a-secret-of-handlers", f.header.Get("X-Rtmpd-Timestamp"), []byte(f.body)); got != want {
				t.Errorf("the signature is %q, want %q", got, want)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(f.body), &got); err != nil || got["trigger"] != "PUSH_REWRITE" || got["stream"] != "token0123456789" || got["app"] != "live" || got["addr"] != "127.0.0.1" {
				t.Errorf("%s: %v", f.body, err)
			}
		default:
			t.Errorf("%s is called", f.path)
		}
	}
	if len(uuids) != 1 {
		t.Errorf("the handlers see the occurrences %v", uuids)
	}
}

func TestATriggersTimeoutAndRetries(t *testing.T) {
	hang := make(chan struct{})
	var n atomic.Int64
	r, h := startTriggered(t, "", `trigger "PUSH_REWRITE" {
      handler = "$HOOK/x"
      timeout = "3s"
      retries = 5
    }`, func(_ firing, w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		default:
			_, _ = io.WriteString(w, "john")
		}
	})
	defer close(hang)
	r.publish("live", "cam")
	r.eventually("the stream", func() bool { return r.stream("live", "john") != nil })
	if all := h.all(""); len(all) != 3 || all[2].header.Get("X-Attempt") != "3" || all[0].header.Get("X-Trigger-Uuid") != all[2].header.Get("X-Trigger-Uuid") {
		t.Errorf("the handler is asked %d times", len(all))
	}
}

func TestATokenMayComeBackFromAnotherAddress(t *testing.T) {
	r, _ := startTriggered(t, "", rewrite, triggerAnswers(map[string]string{"PUSH_REWRITE": "john"}))
	c := r.publishFrom("127.0.0.1", "live", "token0123456789")
	c.cut()
	r.eventually("the wait", func() bool { return r.unpublished("live", "john") })
	r.publishFrom("127.0.0.2", "live", "token0123456789")
	r.refused("live", "token-of-another", dialling{from: "127.0.0.1"}, rtmp.StatusPublishBadName, "already publishing")
}

func TestAProgramHandlesATrigger(t *testing.T) {
	r := newRig(t)
	script := r.write("handler", `#!/bin/sh
read url
read addr
read name
echo "$# $1 $addr $MIST_TRIGGER $MIST_TUUID" > "$0.seen"
echo "the token is $name" >&2
echo "streams+$(echo "$name" | tr a-z A-Z | cut -c 1-4)"
`)
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	r.cfg = r.load(`rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    trigger "PUSH_REWRITE" {
      handler = ["` + script + `", "a b"]
      timeout = "30s"
    }
  }
}`)
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	r.publish("live", "john0123456789")
	r.eventually("the stream", func() bool { return r.stream("live", "streams+JOHN") != nil })
	if seen := strings.Fields(r.read("handler.seen")); len(seen) != 6 || strings.Join(seen[:5], " ") != "2 a b 127.0.0.1 PUSH_REWRITE" {
		t.Errorf("the program saw %q", seen)
	}
	r.eventually("its line in the log", func() bool { return r.hasLogged("exec stderr", "the token is") })
	if strings.Contains(r.allText(), "john0123456789") {
		t.Error("the log has the token")
	}
}
