package server

import (
	"bytes"
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
	crowd := make([]*spectator, 260)
	for i := range crowd {
		crowd[i] = r.spectate("live", "cam", dialling{})
	}
	fan := r.fanOf("live", "cam", len(crowd))
	st := r.stream("live", "cam")
	all := func() {
		t.Helper()
		last := card().frames[(p.frames-1)%len(card().frames)].Payload
		for i, s := range crowd {
			r.eventually("everyone has the last frame", func() bool {
				f := s.frames()
				return len(f) > 0 && bytes.Equal(f[len(f)-1].Payload, last)
			})
			if n, first := len(s.frames()), len(crowd[0].frames()); n != first {
				t.Fatalf("player %d has %d frames, the first %d", i, n, first)
			}
		}
	}
	all()
	before, sent := len(crowd[0].frames()), p.sent.Load()
	r.eventually("the players are served at the flush interval", func() bool {
		p.seconds(0.2)
		return r.srv.beats.wait(st)
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
		return !r.srv.beats.wait(st)
	})
	all()
	if got, want := len(crowd[0].frames())-before, int(p.sent.Load()-sent); got != want {
		t.Errorf("%d frames since, %d were sent", got, want)
	}
}
