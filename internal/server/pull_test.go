package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap/zaptest/observer"
)

// pulling is a server that pulls from the application live of another one.
func pulling(from *rig, attributes string) string {
	return fmt.Sprintf(`
rtmp {
  listen = "127.0.0.1:0"
  application "edge" {
    reconnect_grace = "0s"
    pull "origin" {
      url       = "rtmp://%s/live"
      reconnect = "50ms"
      %s
    }
  }
}
`, from.addr(0), attributes)
}

// waits has a player wait for a stream.
func (r *rig) waits(app, name string) {
	r.Helper()
	c := r.mustDial(app, dialling{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Client.Play(ctx, name) // until the test is over
	}()
	r.Cleanup(func() { cancel(); <-done })
	r.eventually("a player waits", func() bool { return r.players(app, name) > 0 })
}

// A stream is pulled from the first player on, and released after the last.
func TestPullOnDemand(t *testing.T) {
	t.Parallel()
	origin := start(t, withPushes())
	edge := start(t, pulling(origin, `streams = ["cam*"]`))
	w := origin.witness("live", "cam")
	if edge.stream("edge", "cam") != nil || origin.players("live", "cam") > 0 {
		t.Error("it is pulled before somebody watches")
	}
	one := edge.spectate("edge", "cam", dialling{})
	edge.eventually("it has frames", func() bool { return len(one.frames()) > 20 })
	two := edge.spectate("edge", "cam", dialling{})
	edge.eventually("so has the second", func() bool { return len(two.frames()) > 20 })
	if n := origin.players("live", "cam"); n != 1 {
		t.Errorf("the origin has %d players for two of the edge", n)
	}
	snap := edge.stream("edge", "cam").Live().Snapshot()
	if snap.Metadata == nil || snap.Video == nil || snap.Audio == nil {
		t.Errorf("the edge has %+v", snap)
	}
	edge.waits("edge", "else")
	one.Close()
	two.Close()
	edge.eventually("it is released", func() bool { return edge.stream("edge", "cam") == nil && origin.players("live", "cam") == 0 })
	if edge.stream("edge", "else") != nil || edge.hasLogged("pull failed", "") {
		t.Error("a name that is not pulled was, or a pull failed")
	}
	w.undisturbed()
}

// A static pull is there without a player, comes back after a break, and goes with
// its block.
func TestStaticPull(t *testing.T) {
	t.Parallel()
	origin := start(t, withPushes())
	w := origin.witness("live", "cam")
	edge := start(t, pulling(origin, "static = true\n      stream = \"main\"\n      play_path = \"cam\""))
	edge.eventually("it is pulled", func() bool { return edge.packets("edge", "main") > 20 })
	edge.srv.Origin().Kick("edge", "main", 0)
	edge.eventually("it comes back", func() bool {
		return strings.Count(edge.allText(), "pull is live") == 2 && edge.packets("edge", "main") > 20
	})
	edge.reload("rtmp {\n  listen = \"127.0.0.1:0\"\n  application \"edge\" {\n    reconnect_grace = \"0s\"\n  }\n}")
	edge.eventually("it goes with its block", func() bool { return edge.stream("edge", "main") == nil && origin.players("live", "cam") == 0 })
	w.undisturbed()
}

// Two servers that pull from each other refuse it, in clear words.
func TestPullsInACircle(t *testing.T) {
	t.Parallel()
	r := start(t, withPushes())
	self := fmt.Sprintf(`
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    pull "self" {
      url       = "rtmp://%[1]s/live"
      reconnect = "50ms"
    }
  }
  application "one" {
    pull "two" {
      url = "rtmp://%[1]s/two"
    }
  }
  application "two" {
    pull "one" {
      url = "rtmp://%[1]s/one"
    }
  }
}
`, r.addr(0))
	r.reload(self)
	for _, app := range []string{"live", "one"} {
		r.waits(app, "cam")
	}
	for _, apps := range [][]string{{"live"}, {"one", "two"}} {
		r.eventually("it is refused", func() bool {
			return slices.ContainsFunc(r.logs.FilterMessage("pull failed").All(), func(e observer.LoggedEntry) bool {
				text := fmt.Sprint(e.ContextMap())
				return strings.Contains(text, "in a circle") && slices.ContainsFunc(apps, func(app string) bool { return strings.Contains(text, "app:"+app) })
			})
		})
	}
}

// So do two servers that know nothing of each other but that.
func TestTwoServersThatPullFromEachOther(t *testing.T) {
	t.Parallel()
	one, two := start(t, withPushes()), start(t, withPushes())
	two.reload(strings.Replace(pulling(one, ""), "/live", "/edge", 1))
	one.reload(strings.Replace(pulling(two, ""), "/live", "/edge", 1))
	one.waits("edge", "cam")
	two.logged("pull failed", "in a circle")
	one.logged("session refused", "in a circle")
	if one.stream("edge", "cam") != nil || two.stream("edge", "cam") != nil {
		t.Error("there is a stream that nobody publishes")
	}
}

// The first request for a playlist starts a pull, and waits for it; its end comes
// after the last viewer.
func TestPullByHTTP(t *testing.T) {
	t.Parallel()
	origin := start(t, withPushes())
	w := origin.witness("live", "cam")
	edge := start(t, fmt.Sprintf(`
rtmp {
  listen = "127.0.0.1:0"
  application "edge" {
    pull "origin" {
      url     = "rtmp://%s/live"
      streams = ["cam"]
    }
    hls {
      path     = "$DIR/www/edge"
      fragment = "1s"
    }
  }
}
http {
  listen = "127.0.0.1:0"
  location "/edge" {
    root = "$DIR/www"
  }
}
`, origin.addr(0)))
	get := func(path string) (int, string) {
		res, err := http.Get(edge.web() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(b)
	}
	if code, _ := get("/edge/else.m3u8"); code != 404 {
		t.Errorf("a stream that is not pulled is %d", code)
	}
	if code, text := get("/edge/cam.m3u8"); code != 200 || !strings.Contains(text, "#EXTINF") {
		t.Errorf("%d %s", code, text)
	}
	if edge.stream("edge", "else") != nil || origin.players("live", "cam") != 1 {
		t.Errorf("the origin has %d players", origin.players("live", "cam"))
	}
	w.undisturbed()
}
