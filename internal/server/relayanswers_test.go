package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rtmpd/rtmpd/internal/output"
)

// answering is a server that asks a script about publishers of live and players of edge.
const answering = `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    on_publish      = "$HOOK/publish"
    reconnect_grace = "1h"
    $LINES
  }
  application "edge" {
    on_play         = "$HOOK/play"
    reconnect_grace = "0s"
    hls {
      path     = "$DIR/www/edge"
      fragment = "1s"
    }
    $LINES
  }
}
http {
  listen = "127.0.0.1:0"
  location "/edge" {
    root = "$DIR/www"
  }
  location "/stat" {
    stat {}
  }
  location "/metrics" {
    metrics {}
  }
}
`

// An answer is the script's: where a stream is pushed to, or pulled from.
type answer struct {
	mu       sync.Mutex
	location string // empty: 200
}

func (a *answer) set(location string) { a.mu.Lock(); defer a.mu.Unlock(); a.location = location }

func (a *answer) reply(form url.Values, w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if call := form.Get("call"); a.location != "" && (call == "publish" || call == "play") {
		w.Header().Set("Location", a.location)
		w.WriteHeader(http.StatusFound)
	}
}

func startAnswering(t *testing.T, lines string) (*rig, *answer) {
	t.Helper()
	a := &answer{}
	h := newHookServer(t, a.reply)
	return start(t, strings.NewReplacer("$HOOK", h.url, "$LINES", lines).Replace(answering)), a
}

// on_publish says where a stream is pushed to. The session there outlives the publisher
// as that of a push block does, changes with what is answered for the next publisher, and
// no secret of the URL is shown.
func TestOnPublishAnswersWithAnotherServer(t *testing.T) {
	t.Parallel()
	far := start(t, withPushes())
	r, says := startAnswering(t, "")
	says.set("rtmp://" + far.addr(0) + "/copy/key-over-there-1?token=secret-token")
	p := r.publish("live", "cam")
	p.seconds(3)
	arrived := func(name string, n int64) func() bool {
		return func() bool { return far.packets("copy", name) == int(n) }
	}
	r.eventually("the packets are there", arrived("key-over-there-1", p.sent.Load()))
	if got := r.push("on_publish"); got.Phase != output.Live || got.Target != "rtmp://"+far.addr(0)+"/copy/(hidden)" {
		t.Errorf("stat has %+v", got.State)
	}
	first := far.stream("copy", "key-over-there-1")
	p.cut()
	r.eventually("the stream waits", func() bool { return r.unpublished("live", "cam") })
	q := r.publish("live", "cam")
	q.seconds(3)
	r.eventually("the packets of both are there", arrived("key-over-there-1", p.sent.Load()+q.sent.Load()))
	if far.stream("copy", "key-over-there-1") != first || first.Live().Snapshot().Epoch != 1 {
		t.Error("it is not one session")
	}

	says.set("rtmp://" + far.addr(0) + "/copy/key-over-there-2")
	s := r.publish("live", "cam") // takes over
	s.seconds(3)
	r.eventually("it goes elsewhere", func() bool {
		return far.packets("copy", "key-over-there-2") > 0 && far.stream("copy", "key-over-there-1") == nil
	})
	says.set("")
	u := r.publish("live", "cam")
	u.seconds(1)
	r.eventually("it goes nowhere", func() bool {
		return far.stream("copy", "key-over-there-2") == nil && len(r.srv.Origin().Pushes("live", "cam", "")) == 0
	})

	says.set("rtmp://" + far.addr(0) + "/none/key-over-there-3?token=secret-token")
	v := r.publish("live", "cam")
	v.seconds(1)
	r.logged("push failed", "none")
	refused := r.push("on_publish")
	page := r.page("/stat?format=json") + r.page("/stat") + r.page("/stat?format=html") + r.page("/metrics") + refused.Line()
	if !strings.Contains(r.page("/metrics"), `rtmpd_output_failing{app="live",kind="push",output="on_publish"`) {
		t.Errorf("the metrics do not have it:\n%s", r.page("/metrics"))
	}
	for _, secret := range []string{"key-over-there", "secret-token"} {
		if strings.Contains(r.allText(), secret) || strings.Contains(page, secret) {
			t.Errorf("%q is in the log or in stat", secret)
		}
	}
	says.set("rtmp://user:secret@" + far.addr(0) + "/copy/cam")
	r.refused("live", "other", dialling{}, statusDenied, "on_publish redirects to another server by a wrong URL")
}

// on_play says where a stream is pulled from: from its first player on, for its HTTP
// viewers too, until the last is gone.
func TestOnPlayAnswersWithAnotherServer(t *testing.T) {
	t.Parallel()
	far := start(t, withPushes())
	r, says := startAnswering(t, "")
	w := far.witness("live", "cam")
	says.set("rtmp://" + far.addr(0) + "/live/nobody")
	r.waits("edge", "here") // for a stream that is not there
	says.set("rtmp://" + far.addr(0) + "/live/cam")
	one := r.spectate("edge", "here", dialling{})
	r.eventually("it has frames by the newest answer", func() bool { return len(one.frames()) > 20 })
	says.set("rtmp://" + far.addr(0) + "/live/else")
	two := r.spectate("edge", "here", dialling{})
	r.eventually("so has the second", func() bool { return len(two.frames()) > 20 })
	if n := far.players("live", "cam"); n != 1 {
		t.Errorf("the other server has %d players for two here", n)
	}
	r.eventually("it is in HLS, and its viewers are let in", func() bool {
		res, err := http.Get(r.web() + "/edge/here.m3u8")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	w.undisturbed()
}

// The pull of an answer ends after the last player.
func TestThePullOfAnAnswerIsReleased(t *testing.T) {
	t.Parallel()
	far := start(t, withPushes())
	r, says := startAnswering(t, "")
	w := far.witness("live", "cam")
	says.set("rtmp://" + far.addr(0) + "/live/cam")
	one := r.spectate("edge", "cam", dialling{})
	one.first()
	r.reload(strings.Replace(r.read("rtmpd.hcl"), "1h", "2h", 1)) // touches no pull
	one.Close()
	r.eventually("it is released", func() bool { return r.stream("edge", "cam") == nil && far.players("live", "cam") == 0 })
	if n := strings.Count(r.allText(), "pull is live"); n != 1 {
		t.Errorf("%d sessions", n)
	}
	w.undisturbed()
}

// With notify_relay_redirect the stream is called after the URL, here too.
func TestNotifyRelayRedirectSharesOneStream(t *testing.T) {
	t.Parallel()
	far := start(t, withPushes())
	r, says := startAnswering(t, "notify_relay_redirect = true")
	w := far.witness("live", "cam")
	says.set("rtmp://" + far.addr(0) + "/live/cam")
	for _, name := range []string{"one", "two"} {
		s := r.spectate("edge", name, dialling{})
		s.first()
	}
	shared := r.streams("edge")
	if len(shared) != 1 || len(shared[0]) != 32 || strings.Trim(shared[0], "0123456789abcdef") != "" || far.players("live", "cam") != 1 {
		t.Errorf("the streams are %q, and the other server has %d players", shared, far.players("live", "cam"))
	}
	says.set("rtmp://" + far.addr(0) + "/copy") // no name: the one here
	p := r.publish("live", "typed-name-of-cam")
	p.seconds(1)
	r.eventually("it is pushed under the name here", func() bool {
		names := far.streams("copy")
		return len(names) == 1 && len(names[0]) == 32 && slices.Equal(r.streams("live"), names)
	})
	if strings.Contains(r.allText(), "typed-name-of-cam") {
		t.Error("the name that was typed is in the log")
	}
	w.undisturbed()
}

// Answers that lead back to where the stream comes from are refused in clear words.
func TestAnswersInACircle(t *testing.T) {
	t.Parallel()
	for _, lines := range []string{"", "notify_relay_redirect = true"} {
		r, says := startAnswering(t, lines)
		says.set("rtmp://" + r.addr(0) + "/live/cam")
		w := r.witness("live", "cam")
		r.logged("push failed", "in a circle")
		says.set("rtmp://" + r.addr(0) + "/edge/cam")
		r.spectate("edge", "cam", dialling{})
		r.logged("pull failed", "in a circle")
		if lines == "" {
			w.undisturbed()
		}
	}
}
