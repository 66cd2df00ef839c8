package server

import (
	"runtime"
	"testing"
)

// So many players that they are served at the flush interval have their
// publisher read once an interval, too, and get every frame of it; when few are
// left, they have it as it comes. It does not run beside other tests: the number
// of flushers is the process's.
func TestAPublisherIsReadAtTheBeatOfItsPlayers(t *testing.T) {
	cores := runtime.GOMAXPROCS(1) // one flusher, which all the players are on
	r := newRig(t)
	runtime.GOMAXPROCS(cores)
	r.cfg = r.load(liveWith(""))
	if _, err := r.srv.Apply(r.cfg); err != nil {
		t.Fatal(err)
	}
	p := r.publish("live", "cam")
	p.seconds(1.2)
	r.eventually("the server has it", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
	crowd := make([]*spectator, 260)
	for i := range crowd {
		crowd[i] = r.spectate("live", "cam", dialling{})
	}
	fan := r.fanOf("live", "cam", len(crowd))
	begin := p.frames - 1 // the keyframe that they all begin at
	for !isKeyframe(card().frames[begin]) {
		begin--
	}
	all := func() {
		t.Helper()
		for i, s := range crowd {
			r.eventually("everyone has the last frame", func() bool { return len(s.frames()) >= p.frames-begin })
			if n := len(s.frames()); n != p.frames-begin {
				t.Fatalf("player %d has %d frames, %d were sent", i, n, p.frames-begin)
			}
		}
	}
	all()
	r.eventually("the players are served at the flush interval", func() bool {
		p.seconds(0.2)
		return r.srv.hub.InStep()
	})
	p.seconds(2)
	all()

	for _, s := range crowd[20:] {
		s.Close()
	}
	crowd = crowd[:20]
	r.eventually("most have gone", func() bool { return fan.Players() == len(crowd) })
	r.eventually("the few are served as it comes", func() bool {
		p.seconds(0.1)
		return !r.srv.hub.InStep()
	})
	all()
}
