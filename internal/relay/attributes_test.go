package relay

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// What a push block says of itself is what the other server sees.
func TestWhatTheOtherServerSees(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	n := newNear(t, config.Remote{
		URL: value.RTMPURL("rtmp://" + f.address()), App: "there", PlayPath: "other", TCURL: "rtmp://called/there",
		PageURL: "https://page.example/", SWFURL: "https://page.example/p.swf", FlashVer: "Test/1",
	}).run()
	n.stream.Write(frame(0, true))
	eventually(t, "it publishes", func() bool { return f.session(0) != nil })
	s := f.session(0)
	got := []string{s.connect.App, s.name, s.connect.TCURL, s.connect.PageURL, s.connect.SWFURL, s.connect.FlashVer}
	want := []string{"there", "other", "rtmp://called/there", "https://page.example/", "https://page.example/p.swf", "Test/1"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("the other server sees %q, want %q", got[i], want[i])
		}
	}
}

// reconnect is the pause before a push that was refused asks again.
func TestReconnectIsThePauseAfterARefusal(t *testing.T) {
	t.Parallel()
	f := newFar(t, nil)
	f.refuse = func(string, string) *rtmp.StatusError {
		return &rtmp.StatusError{Level: "error", Code: rtmp.StatusPublishDenied}
	}
	r := remote(f, "/app")
	r.Reconnect = 3 * time.Hour
	n := newNear(t, r).run()
	n.stream.Write(frame(0, true))
	eventually(t, "it waits", func() bool { return n.push.State().Phase == output.Waiting })
	if pause := time.Until(n.push.State().Retry); pause < 2*time.Hour || pause > 3*time.Hour {
		t.Errorf("the next attempt is in %s, want about 3 h", pause)
	}
}
