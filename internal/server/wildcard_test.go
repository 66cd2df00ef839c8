package server

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A wildcard stream takes what the block of its base says, however its name is written.
func TestWildcardStreamsTakeWhatTheirBaseSays(t *testing.T) {
	r := start(t, watched(`handover_grace = "0s"
    stream "streams" {
      record "all" {
        path     = "$DIR/rec"
        format   = "mkv"
        filename = "$wildcard/$basename$pluswildcard.mkv"
        min_free = 0
      }
    }`))
	for _, written := range []string{"streams+anna", "streams%2Bben", "streams cleo", "streams/dora", "streams", "other+anna"} {
		c := r.publish("live", written)
		c.seconds(2.2)
		name := strings.NewReplacer("%2B", "+", " ", "+", "/", "+").Replace(written)
		r.eventually(name, func() bool { return r.stream("live", name) != nil })
	}
	w := r.watcher("192.0.2.1")
	r.eventually("a playlist", func() bool { return w.get("/live/streams+anna.m3u8").status == 200 })
	want := w.get("/live/streams+anna.m3u8").body
	segment := want[strings.Index(want, "streams+anna-"):]
	segment = segment[:strings.IndexByte(segment, '\n')]
	for _, path := range []string{"/live/streams%2Banna.m3u8", "/live/streams%20anna.m3u8", "/live/streams/anna.m3u8"} {
		if got := w.get(path); got.status != 200 || !strings.Contains(got.body, segment) {
			t.Errorf("%s: %d %q", path, got.status, got.body)
		}
	}
	for _, dir := range []string{"/live/", "/live/streams/"} { // where a player looks for it
		w.gets(dir+segment, 200, "")
	}
	w.gets("/live/streams/nobody.m3u8", 404, "")
	player := r.spectate("live", "streams/anna", dialling{})
	r.eventually("a player", func() bool { return r.players("live", "streams+anna") == 1 })
	player.Close()
	for _, path := range []string{"anna/streams+anna.mkv", "ben/streams+ben.mkv", "cleo/streams+cleo.mkv", "dora/streams+dora.mkv", "streams.mkv"} {
		r.eventually(path, func() bool { _, err := os.Stat(filepath.Join(r.dir, "rec", path)); return err == nil })
	}
	if entries, err := os.ReadDir(filepath.Join(r.dir, "rec")); err != nil || len(entries) != 5 {
		t.Errorf("recordings: %v, %v", entries, err)
	}
}

func TestHostileWildcardNames(t *testing.T) {
	r := start(t, watched(""))
	for _, name := range []string{
		"streams+../../x", "streams%2B..%2F..%2Fx", "streams/../x", "streams+.htaccess", "streams+-rf", "streams+<script>", "streams+a\"b", "streams+a{b=\"c\"}",
		"streams+a\nb", "streams+a\x00b", "streams/a/b", "streams+" + strings.Repeat("x", 200), "streams+a;b", "streams+$(id)", "streams+a'b",
	} {
		r.refused("live", name, dialling{}, rtmp.StatusPublishBadName, "bad stream name")
	}
	if got := r.streams("live"); len(got) > 0 {
		t.Errorf("there are the streams %q", got)
	}
}

func TestAFallbackMayNameTheWildcard(t *testing.T) {
	r := start(t, `rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    handover_grace = "0s"
    stream "streams" {
      fallback = "vod$pluswildcard"
    }
  }
}`)
	r.publish("live", "vod+anna").seconds(1)
	w := r.spectate("live", "streams+anna", dialling{})
	defer w.Close()
	c := r.publish("live", "streams+anna")
	c.seconds(0.5)
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the fallback", func() bool {
		snap, err := json.Marshal(r.srv.Snapshot())
		return err == nil && strings.Contains(string(snap), fmt.Sprintf("%q", "vod+anna")) && r.hasLogged("fallback is shown", "vod+anna")
	})
}
