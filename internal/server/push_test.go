package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/origin"
	"github.com/rtmpd/rtmpd/internal/output"
)

// pushed is a server whose streams of the application live can be pushed to the
// application copy of itself.
const pushed = `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = "1h"
    $PUSHES
  }
  application "copy" {
    reconnect_grace = "0s"
  }
}
http {
  listen = "127.0.0.1:0"
  location "/control" {
    control {}
    access = ["allow 127.0.0.1", "deny all"]
  }
}
`

func withPushes(blocks ...string) string {
	return strings.Replace(pushed, "$PUSHES", strings.Join(blocks, "\n    "), 1)
}

// to is a push block to the application copy.
func (r *rig) to(name, stream, more string) string {
	return fmt.Sprintf("push %q {\n      url       = \"rtmp://%s/copy/%s\"\n      reconnect = \"50ms\"\n      %s\n    }", name, r.addr(0), stream, more)
}

func (r *rig) push(name string) origin.RunningPush {
	r.Helper()
	all := r.srv.Origin().Pushes("live", "cam", name)
	if len(all) != 1 {
		return origin.RunningPush{}
	}
	return all[0]
}

// The other server sees one session through the publisher's reconnect, and time
// goes on in it.
func TestAPushOutlivesItsPublisher(t *testing.T) {
	t.Parallel()
	r := start(t, withPushes())
	r.reload(withPushes(r.to("one", "cam-1", "")))
	p := r.publish("live", "cam")
	p.seconds(3)
	r.eventually("the copy has the packets", func() bool { return r.packets("copy", "cam-1") == int(p.sent.Load()) })
	first := r.stream("copy", "cam-1")
	p.cut()
	r.eventually("the stream waits", func() bool { return r.unpublished("live", "cam") })
	q := r.publish("live", "cam")
	q.seconds(3)
	r.eventually("the copy has those of both", func() bool { return r.packets("copy", "cam-1") == int(p.sent.Load()+q.sent.Load()) })
	snap := first.Live().Snapshot()
	if r.stream("copy", "cam-1") != first || snap.Epoch != 1 {
		t.Errorf("the copy has had %d sessions", snap.Epoch)
	}
	if snap.LastDTS < 5500*time.Millisecond || snap.LastDTS > 6500*time.Millisecond {
		t.Errorf("6 s after its beginning it is at %s", snap.LastDTS)
	}
	if n := r.logs.FilterMessage("push is live").Len(); n != 1 {
		t.Errorf("%d sessions", n)
	}
}

// A reload that adds, changes and removes a push under a live stream leaves the
// others alone.
func TestReloadTouchesOnlyThePushThatChanged(t *testing.T) {
	t.Parallel()
	r := start(t, withPushes())
	one := r.to("one", "cam-1", "")
	r.reload(withPushes(one))
	w := r.witness("live", "cam")
	live := func(name string) func() bool { return func() bool { return r.stream("copy", name) != nil } }
	r.eventually("one is live", func() bool { return live("cam-1")() && r.push("one").Phase == output.Live })
	since := r.push("one").Since

	r.reload(withPushes(one, r.to("two", "cam-2", "")))
	r.eventually("two is live", live("cam-2"))
	r.reload(withPushes(one, r.to("two", "cam-3", "")))
	r.eventually("two goes elsewhere", live("cam-3"))
	r.eventually("where it went before is over", func() bool { return !live("cam-2")() })
	r.reload(withPushes(one, r.to("two", "cam-3", `flash_ver = "other"`))) // the same target: not before the session there is over
	r.eventually("two begins anew", func() bool {
		for _, a := range r.srv.Snapshot().Servers[0].Applications {
			for _, st := range a.Streams {
				if st.Name == "cam-3" && len(st.Clients) > 0 && st.Clients[0].FlashVer == "other" {
					return true
				}
			}
		}
		return false
	})
	r.reload(withPushes(one))
	r.eventually("two is over", func() bool { return !live("cam-3")() })
	if got := r.push("one"); got.Since != since || got.Phase != output.Live {
		t.Errorf("one was touched: %+v", got)
	}
	if r.hasLogged("push failed", "") {
		t.Error("a push failed")
	}
	w.undisturbed()
}

// Pushes are started and stopped by hand, over HTTP.
func TestControlOfPushes(t *testing.T) {
	t.Parallel()
	r := start(t, withPushes())
	r.reload(withPushes(r.to("one", "cam-1", "manual = true"), r.to("two", "cam-2", "manual = true")))
	p := r.publish("live", "cam")
	p.seconds(1)
	call := func(path, status, body string) {
		t.Helper()
		res, err := http.Get(r.web() + "/control/push/" + path)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		text := string(b)
		if !strings.HasPrefix(res.Status, status) || !strings.Contains(text, body) {
			t.Errorf("%s: %s %q, want %s %q", path, res.Status, text, status, body)
		}
	}
	r.eventually("both wait", func() bool { return r.push("one").Phase == output.Stopped && r.push("two").Phase == output.Stopped })
	call("start?app=live&name=cam&push=none", "404", "no stream that is live has such a push")
	call("start?app=live&name=cam&push=one", "200", "1")
	r.eventually("one is live", func() bool { return r.push("one").Phase == output.Live && r.stream("copy", "cam-1") != nil })
	call("start?app=live&name=cam", "200", "1")
	r.eventually("so is two", func() bool { return r.stream("copy", "cam-2") != nil })
	call("stop?app=live&name=cam&push=one", "200", "1")
	r.eventually("one is over", func() bool { return r.stream("copy", "cam-1") == nil && r.push("one").Phase == output.Stopped })
	if r.push("two").Phase != output.Live {
		t.Errorf("two: %+v", r.push("two"))
	}
}

// A push of a stream into itself, and two that push to each other, are refused in
// clear words, and the stream goes on.
func TestPushesInACircle(t *testing.T) {
	t.Parallel()
	r := start(t, withPushes())
	self := fmt.Sprintf("push \"self\" {\n      url = \"rtmp://%s/live\"\n    }", r.addr(0))
	back := fmt.Sprintf("push \"back\" {\n      url = \"rtmp://%s/live/cam\"\n      streams = [\"round\"]\n    }", r.addr(0))
	text := withPushes(self, r.to("there", "round", `streams = ["cam"]`))
	text = strings.Replace(text, `reconnect_grace = "0s"`, back, 1)
	r.reload(text)
	w := r.witness("live", "cam")
	r.logged("push failed", "in a circle")
	r.eventually("both are refused", func() bool {
		n := 0
		for _, p := range r.srv.Origin().Pushes("", "", "") {
			if strings.Contains(p.Failing, "in a circle") {
				n++
			}
		}
		return n == 2
	})
	r.eventually("the copy is there", func() bool { return r.stream("copy", "round") != nil })
	w.undisturbed()
}
