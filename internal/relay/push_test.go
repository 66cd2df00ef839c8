package relay

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// The other server gets metadata, headers and every packet from the first keyframe
// on, from the time 0 on, and a good-bye.
func TestPushSendsAStream(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	n := newNear(t, remote(f, "/app")).run()
	meta := amf.Append(amf.Append(nil, "onMetaData"), amf.ECMAArray{{Name: "width", Value: 320.0}})
	n.stream.SetMetadata(meta)
	for i := range 50 {
		n.stream.Write(frame(5000+i*40, i%25 == 0))
		n.stream.Write(sound(5000 + i*40))
	}
	n.stream.Close()
	<-n.done
	eventually(t, "the session is over", func() bool { s := f.session(0); return s != nil && s.over })
	s := f.session(0)
	if s.connect.App != "app" || s.name != "cam" || s.connect.TCURL != "rtmp://"+f.address()+"/app" || !s.goodbye {
		t.Errorf("session %+v of %q", s.connect, s.name)
	}
	want := []string{
		fmt.Sprintf("data 0 %q", string(amf.Append(nil, "@setDataFrame"))+string(meta)),
		fmt.Sprintf("video 0 %q", avc.Tag), `video 0 "\x17\x01\x00\x00\x00v5000"`,
		fmt.Sprintf("audio 0 %q", aac.Tag), `audio 0 "\xaf\x01a5000"`,
		`video 40 "'\x01\x00\x00\x00v5040"`, `audio 40 "\xaf\x01a5040"`,
	}
	if got := s.bodies(); len(got) != 103 || !slices.Equal(got[:len(want)], want) {
		t.Errorf("%d messages, begins with\n%s", len(got), strings.Join(got[:min(len(got), 8)], "\n"))
	}
	eventually(t, "its state says so", func() bool {
		st := n.push.State()
		return st.Bytes > 0 && st.Duration == 49*40*time.Millisecond && st.Failing == ""
	})
}

// A server that says no is quoted in log and stat, without the key, and asked again.
func TestPushShowsARefusalInItsWords(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	f.refuse = func(_, name string) *rtmp.StatusError {
		if f.count() > 2 {
			return nil
		}
		return &rtmp.StatusError{Level: "error", Code: rtmp.StatusPublishBadName, Description: "no such key: " + name}
	}
	r := remote(f, "/live2")
	r.Key = "abcd-efgh-secret"
	r.Reconnect = 500 * time.Millisecond
	n := newNear(t, r).run()
	n.stream.Write(frame(0, true))
	eventually(t, "the refusal is shown", func() bool {
		s := n.push.State()
		return s.Phase == output.Waiting && strings.Contains(s.Failing, "no such key: (hidden) (NetStream.Publish.BadName)") && !s.Retry.IsZero() && !s.FailingSince.IsZero()
	})
	eventually(t, "it is asked again", func() bool { s := n.push.State(); return s.Phase == output.Live && s.Failing == "" && s.Retry.IsZero() })
	if f.session(2).name != "abcd-efgh-secret" || f.session(2).connect.App != "live2" {
		t.Errorf("it publishes %q to %q", f.session(2).name, f.session(2).connect.App)
	}
	if n.logged("abcd-efgh") > 0 || strings.Contains(fmt.Sprint(n.push.State()), "abcd") {
		t.Error("the key is in the log, or in stat")
	}
	eventually(t, "the log says so", func() bool { return n.logged("push is live again") > 0 })
	if n.logged("push failed") == 0 || n.logged("push is live again") != 1 || !strings.Contains(n.push.State().Target, "/live2/(hidden)") {
		t.Errorf("logged %v; target %s", n.logs.All(), n.push.State().Target)
	}
}

// A no in the middle of a session counts like one at its beginning.
func TestPushHearsARefusalLater(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	f.after = func(c *rtmp.Conn, n int) error {
		if n > 1 {
			return nil
		}
		return c.WriteStatus(1, "error", "NetStream.Publish.Failed", "your hour is over")
	}
	r := remote(f, "/app")
	r.Reconnect = time.Hour
	n := newNear(t, r).run()
	n.stream.Write(frame(0, true))
	eventually(t, "its words are in stat", func() bool {
		return n.push.State().Failing == "your hour is over (NetStream.Publish.Failed)"
	})
	n.stream.Close() // in the middle of the pause
	<-n.done
}

// A session that breaks is followed by one that begins anew, with headers, at the
// newest keyframe.
func TestPushBeginsAnewAfterABreak(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	gone := make(chan struct{})
	f.after = func(_ *rtmp.Conn, n int) error {
		if n == 1 {
			<-gone
			return errEnough
		}
		return nil
	}
	n := newNear(t, remote(f, "/app")).run()
	n.stream.Write(frame(0, true))
	eventually(t, "it is live", func() bool { return n.push.State().Phase == output.Live })
	n.stream.Write(frame(40, false))
	close(gone)
	eventually(t, "it noticed", func() bool { return n.logged("closed the connection")+n.logged("reset") > 0 })
	n.stream.Write(frame(2000, true))
	n.stream.Write(frame(2040, false))
	eventually(t, "the second session has a frame", func() bool { s := f.session(1); return s != nil && len(s.messages) >= 3 })
	got := f.session(1).bodies()
	key, next := slices.Index(got, `video 0 "\x17\x01\x00\x00\x00v2000"`), len(got)
	if got[0] != fmt.Sprintf("video 0 %q", avc.Tag) || key < 1 && !strings.Contains(got[1], "v0") || next < 3 {
		t.Errorf("the second session: %q", got)
	}
}

// A server that takes nothing is given up; the packets of a queue are passed over.
func TestPushPassesOverWhatIsTooOld(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	hold := make(chan struct{})
	f.after = func(_ *rtmp.Conn, n int) error {
		<-hold
		return nil
	}
	r := remote(f, "/app")
	r.Queue = 2 * time.Second
	n := newNear(t, r).run()
	n.stream.Write(frame(0, true))
	eventually(t, "it is live", func() bool { return n.push.State().Phase == output.Live })
	big := func(ms int, key bool) {
		p := frame(ms, key)
		p.Tag = append(p.Tag, make([]byte, 100<<10)...)
		n.stream.Write(p)
	}
	for ms := 40; ms < 9000; ms += 40 { // 22 MB: more than the sockets hold
		big(ms, ms%1000 == 0)
		if ms%1000 == 0 {
			time.Sleep(10 * time.Millisecond) // the push may run
		}
	}
	close(hold)
	eventually(t, "the newest is there", func() bool {
		s := f.session(0)
		return len(s.messages) > 0 && bytes.Contains(s.messages[len(s.messages)-1].Payload, []byte("v8960"))
	})
	s := f.session(0)
	if len(s.messages) > 200 || n.logged("too slow") == 0 || f.count() != 1 {
		t.Errorf("%d messages in %d sessions", len(s.messages), f.count())
	}
	for i := 1; i < len(s.messages); i++ { // a gap ends at a keyframe
		if a, b := s.messages[i-1], s.messages[i]; b.Timestamp > a.Timestamp+40 && b.Payload[0] != 0x17 {
			t.Errorf("after a gap, at %d ms, comes %q", b.Timestamp, b.Payload[:12])
		}
	}
}

// A push by hand waits, is started, stopped and started again.
func TestPushByHand(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	n := nearWith(t, config.Push{Manual: true, Remote: remote(f, "/app")}, nil).run()
	n.stream.Write(frame(0, true))
	eventually(t, "it waits", func() bool { return n.push.State().Phase == output.Stopped })
	if !n.push.Want(true) || n.push.Want(true) {
		t.Error("the first start changes something, the second does not")
	}
	eventually(t, "it has sent", func() bool { s := f.session(0); return s != nil && len(s.messages) == 2 })
	n.push.Want(false)
	eventually(t, "it stops with a good-bye", func() bool { return f.session(0).goodbye && n.push.State().Phase == output.Stopped })
	if s := n.push.State(); s.Failing != "" || !s.Since.IsZero() {
		t.Errorf("stopped: %+v", s)
	}
	n.stream.Write(frame(1000, true))
	n.push.Want(true)
	eventually(t, "it goes on", func() bool { s := f.session(1); return s != nil && len(s.messages) == 2 })
	if got := f.session(1).bodies()[1]; got != `video 0 "\x17\x01\x00\x00\x00v1000"` {
		t.Errorf("it goes on with %s", got)
	}
}
