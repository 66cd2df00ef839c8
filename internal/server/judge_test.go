package server

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const judged = `
rtmp {
  listen = "127.0.0.1:0"
  application "show" {
    reconnect_grace = "30s"
    handover_grace  = "30s"
    stream_key "cam" {
      secret = "cam-secret-0001"
    }
    stream_key "other" {
      secret = "other-secret-0001"
    }
    access {
      keyless = ["allow 127.0.0.3", "deny all"]
      publish = ["allow all"]
    }
  }
  application "plain" {
    stream "x*" {
    }
  }
}`

// Live sessions are judged again by the rules and keys of a reload: whoever
// would be refused now is closed with a status that says why and is named by
// Plan beforehand, the others stay.
func TestAReloadJudgesLiveSessionsAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		old, new string   // what is replaced in the configuration
		gone     []string // who is closed
		reason   string
		code     string
	}{
		{"a key is replaced", "cam-secret-0001", "cam-secret-0002", []string{"show/cam"}, "the stream key is not valid any more", rtmp.StatusPublishDenied},
		{"a key is removed", "    stream_key \"cam\" {\n      secret = \"cam-secret-0001\"\n    }\n", "", []string{"show/cam"}, "the stream key is not valid any more", rtmp.StatusPublishDenied},
		{"a key expires", `secret = "cam-secret-0001"`, "secret = \"cam-secret-0001\"\nnot_after = \"2001-01-01T00:00:00Z\"", []string{"show/cam"}, "the stream key is not valid any more", rtmp.StatusPublishDenied},
		{"a key goes to another stream", `secret = "cam-secret-0001"`, "secret = \"cam-secret-0001\"\nstream = \"cam2\"", []string{"show/cam"}, "the stream key belongs to another stream now", rtmp.StatusPublishDenied},
		{"an address may not publish any more", `publish = ["allow all"]`, `publish = ["deny 127.0.0.2", "allow all"]`, []string{"show/other"}, "access denied", rtmp.StatusPublishDenied},
		{"an address needs a key from now on", `"allow 127.0.0.3", `, "", []string{"show/guest"}, "the stream key is not valid any more", rtmp.StatusPublishDenied},
		{"keys come into force", `application "plain" {`, "application \"plain\" {\nstream_key \"k\" {\nsecret = \"plain-secret-0001\"\n}", []string{"plain/cam"}, "the stream key is not valid any more", rtmp.StatusPublishDenied},
		{"live becomes false", `application "plain" {`, "application \"plain\" {\nlive = false", []string{"plain/cam"}, "live = false", rtmp.StatusPublishDenied},
		{"the application is removed", `application "plain" {`, `application "later" {`, []string{"plain/cam"}, "the application was removed", rtmp.StatusUnpublishNotify},
		{"something else changes", `reconnect_grace = "30s"`, `reconnect_grace = "20s"`, nil, "", ""},
		{"a key is added", `stream_key "other" {`, "stream_key \"more\" {\nsecret = \"more-secret-0001\"\n}\nstream_key \"other\" {", nil, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := start(t, judged)
			all := map[string]*client{
				"show/cam":   r.publishFrom("127.0.0.1", "show", "cam-secret-0001"),
				"show/other": r.publishFrom("127.0.0.2", "show", "other?key=other-secret-0001"),
				"show/guest": r.publishFrom("127.0.0.3", "show", "guest"),
				"plain/cam":  r.publishFrom("127.0.0.1", "plain", "cam"),
			}
			next := strings.Replace(judged, c.old, c.new, 1)
			if next == judged {
				t.Fatal("nothing changed")
			}
			plan := r.srv.Plan(r.load(next))
			if len(plan.Disconnects) != len(c.gone) {
				t.Errorf("the plan disconnects %q, want %q", plan.Disconnects, c.gone)
			}
			for _, who := range c.gone {
				want := "publisher of " + who + " from " + all[who].local() + ": "
				if got := strings.Join(plan.Disconnects, "\n"); !strings.Contains(got, want) || !strings.Contains(got, c.reason) {
					t.Errorf("the plan disconnects %q, want %q… %q", got, want, c.reason)
				}
			}
			for _, p := range all {
				if !p.alive() {
					t.Fatal("a plan closed somebody")
				}
			}
			r.reload(next)
			for _, who := range c.gone {
				last := all[who].ended()
				if last.Level != "error" || last.Code != c.code || !strings.Contains(last.Description, c.reason) {
					t.Errorf("%s was told %q, want %s with %q", who, last, c.code, c.reason)
				}
				app, name, _ := strings.Cut(who, "/")
				if r.app(app) != nil {
					// It is no lost connection: nothing waits for it.
					r.eventually("the stream ends", func() bool { return r.stream(app, name) == nil })
				}
				r.logged("session closed by the server", c.reason)
				delete(all, who)
			}
			for who, p := range all {
				app, name, _ := strings.Cut(who, "/")
				p.seconds(0.3)
				r.eventually(who+" goes on", func() bool { return r.packets(app, name) == int(p.sent.Load()) })
			}
		})
	}
}

// A holder whose secret was replaced can publish at once with the new one.
func TestANewSecretIsGoodAtOnce(t *testing.T) {
	t.Parallel()
	r := start(t, judged)
	p := r.publish("show", "cam-secret-0001")
	r.reload(strings.Replace(judged, "cam-secret-0001", "cam-secret-0002", 1))
	p.ended()
	r.eventually("the old session is out", func() bool { return r.stream("show", "cam") == nil })
	r.refused("show", "cam-secret-0001", dialling{}, rtmp.StatusPublishDenied, wrongKey)
	r.publishFrom("127.0.0.2", "show", "cam-secret-0002")
}

// What a publisher sends until its connection is closed is either taken whole
// or not at all, and a client that does not hang up holds nothing.
func TestAPublisherShownOutWritesNoGarbage(t *testing.T) {
	t.Parallel()
	r := start(t, judged)
	p := r.publish("plain", "cam")
	if err := p.frame(); err != nil {
		t.Fatal(err)
	}
	r.eventually("a stream", func() bool { return r.packets("plain", "cam") == 1 })
	st := r.stream("plain", "cam")
	cur := st.Live().Cursor(live.FromOldest, false)
	defer cur.Close()
	read := make(chan []*media.Packet) // nil for those passed over
	go func() {
		var all []*media.Packet
		buf := make([]*media.Packet, 64)
		for {
			n, skipped, err := cur.Next(context.Background(), buf)
			all = append(append(all, make([]*media.Packet, skipped)...), buf[:n]...)
			if err != nil {
				read <- all
				return
			}
		}
	}()
	stop := make(chan struct{})
	sent := make(chan struct{})
	go func() { // it neither listens nor hangs up
		defer close(sent)
		for p.frame() == nil {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	r.eventually("media flows", func() bool { return r.packets("plain", "cam") > 200 })
	r.reload(strings.Replace(judged, `application "plain" {`, "application \"plain\" {\nlive = false", 1))
	var all []*media.Packet
	select {
	case all = <-read:
	case <-time.After(patience):
		t.Fatal("the stream does not end")
	}
	close(stop)
	p.Close()
	<-sent
	for i, got := range all {
		want := card().frames[i%len(card().frames)]
		if got != nil && !bytes.Equal(got.Tag, want.Payload) {
			t.Fatalf("packet %d of %d is not what was sent", i, len(all))
		}
	}
}
