package interop

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	answersNginx = `application ingest { live on; on_publish http://$HOOK/publish; $SHARED }
    application edge { live on; on_play http://$HOOK/play; $SHARED }`
	answersHCL = `application "ingest" {
    on_publish      = "$HOOK/publish"
    reconnect_grace = "0s"
    $SHARED
  }
  application "edge" {
    on_play         = "$HOOK/play"
    reconnect_grace = "0s"
    $SHARED
  }`
)

// What a server does whose hooks answer with rtmp:// is what nginx-rtmp does: another
// server, which is an nginx-rtmp, is asked the same, here and there the same names have
// the stream, and it ends with its publisher and its players.
func TestAnswersOfHooksThatNameAnotherServer(t *testing.T) {
	t.Parallel()
	beside := together(t)
	defer beside.Wait()
	for _, shared := range []bool{false, true} {
		beside.Run(fmt.Sprintf("notify_relay_redirect %t", shared), func(t *testing.T) {
			far := startNginx(t, `application live { live on;
      on_publish http://$HOOK/publish; on_publish_done http://$HOOK/publish_done; on_play http://$HOOK/play; on_play_done http://$HOOK/play_done; }`, nil)
			to, from := "rtmp://"+far.address+"/live/over-there?token=x", "rtmp://"+far.address+"/live/source?token=y"
			answer := func(c hookCall) reply {
				switch {
				case c.call() == "publish":
					return reply{status: 302, location: to}
				case strings.HasPrefix(c.get("name"), "room"):
					return reply{status: 302, location: from}
				}
				return reply{}
			}
			with := func(text, line string) string {
				if !shared {
					line = ""
				}
				return strings.ReplaceAll(text, "$SHARED", line)
			}
			called := func(typed, location string) string {
				if sum := md5.Sum([]byte(location)); shared {
					return hex.EncodeToString(sum[:])
				}
				return typed
			}
			nginx := startNginx(t, with(answersNginx, "notify_relay_redirect on;"), answer)
			ours := startHooked(t, with(answersHCL, "notify_relay_redirect = true"), answer)
			pushed := onEach(nginx, ours, func(s *side) []string { return pushAnswered(s, far, called("cam", to)) })
			pulled := onEach(nginx, ours, func(s *side) []string { return pullAnswered(s, far, called("room1", from)) })
			t.Logf("%q %q", pushed[0], pulled[0])
			for _, stories := range [][2][]string{pushed, pulled} {
				if !slices.Equal(stories[0], stories[1]) {
					t.Errorf("with nginx-rtmp\n%q, with rtmpd\n%q", stories[0], stories[1])
				}
			}
			if strings.Contains(ours.log(), "token=") || strings.Contains(ours.log(), "over-there") {
				t.Error("the log has what is secret in a URL")
			}
			if t.Failed() {
				t.Logf("nginx-rtmp: %s\nrtmpd: %s", tail(nginx.log(), 40), tail(ours.log(), 40))
			}
		})
	}
}

// onEach does the same with one server after the other.
func onEach(nginx, ours *side, do func(*side) []string) [2][]string {
	return [2][]string{do(nginx), do(ours)}
}

// relayed are the calls about relays that far was asked from the nth on, in its words.
func (s *side) relayed(from int, call string) (out []string) {
	for _, c := range s.script.seen()[from:] {
		if c.call() == call && c.get("pageurl") == "" && c.get("flashver") != testFlashVer {
			out = append(out, fmt.Sprintf("%s app=%s name=%s type=%s start=%s duration=%s tcurl=%s token=%s", call,
				c.get("app"), c.get("name"), c.get("type"), c.get("start"), c.get("duration"), c.get("tcurl"), c.get("token")))
		}
	}
	return out
}

// pushAnswered publishes to s, which is told to push to far. name is how s calls the
// stream.
func pushAnswered(s, far *side, name string) (story []string) {
	s.t.Helper()
	n := len(far.script.seen())
	p, publishing := s.publish("ingest", "cam")
	eventually(s.t, 90*time.Second, s.name()+" pushes", func() bool { return len(far.relayed(n, "publish")) > 0 })
	there, playing := far.play("live", "over-there")
	here, playingHere := s.play("ingest", name)
	s.send(p, 200)
	story = append(far.relayed(n, "publish"), publishing, playing, playingHere, far.sees(there), s.sees(here))
	_ = p.Unpublish()
	p.Close()
	there.Close()
	here.Close()
	eventually(s.t, 90*time.Second, s.name()+" ends the push", func() bool { return len(far.relayed(n, "publish_done")) > 0 })
	return append(story, far.relayed(n, "publish_done")...)
}

// pullAnswered has two play what s is told to pull from far, and one the name that the
// first has then.
func pullAnswered(s, far *side, name string) (story []string) {
	s.t.Helper()
	n := len(far.script.seen())
	one, playingOne := s.play("edge", "room1")
	two, playingTwo := s.play("edge", "room2")
	three, playingThree := s.play("edge", name)
	want := 2
	if name != "room1" {
		want = 1
	}
	eventually(s.t, 90*time.Second, s.name()+" pulls", func() bool { return len(far.relayed(n, "play")) >= want })
	p, publishing := far.publish("live", "source")
	far.send(p, 200)
	story = append(story, playingOne, playingTwo, playingThree, publishing, s.sees(one), s.sees(two), s.sees(three))
	story = append(story, far.relayed(n, "play")...)
	for _, c := range []interface{ Close() error }{one, two, three} {
		c.Close()
	}
	eventually(s.t, 90*time.Second, s.name()+" ends the pull", func() bool { return len(far.relayed(n, "play_done")) >= want })
	p.Close()
	return append(story, far.relayed(n, "play_done")...)
}
