package server

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// say sends a command and has it go out.
func (c *client) say(name string, args ...any) {
	c.rig.Helper()
	if err := c.WriteCommand(1, name, 9, append([]any{nil}, args...)...); err != nil {
		c.rig.Fatal(err)
	}
	if err := c.Flush(); err != nil {
		c.rig.Fatal(err)
	}
}

// One connection has one message stream: it publishes or it plays.
func TestAPublisherThatAsksToPlay(t *testing.T) {
	r := start(t, steered)
	cam := r.publish("live", "cam")
	cam.seconds(1)
	cam.say("play", "other", -2.0)
	if s := cam.ended(); s.Level != "error" || s.Code != rtmp.StatusPlayFailed {
		t.Errorf("it is told %+v", s)
	}
	r.logged("session refused", "publishes")
}

func TestAPlayerThatAsksToPublish(t *testing.T) {
	r := start(t, steered)
	r.publish("live", "cam").seconds(2)
	tv := r.spectate("live", "cam", dialling{})
	tv.first()
	for _, cmd := range []string{"publish", "play"} {
		if tv.WriteCommand(1, cmd, 9, nil, "tv", "live") != nil || tv.Flush() != nil {
			t.Fatal("not sent")
		}
	}
	if s := tv.told(); s.Level != "error" || s.Code != rtmp.StatusPublishBadName {
		t.Errorf("it is told %+v", s)
	}
	r.eventually("its name is free", func() bool { return r.stream("live", "tv") == nil })
}
