package fanout

import "testing"

// sendfile may send less than it was told to a socket with room. No edge of
// epoll follows such a send, so only one that moved nothing may wait for one.
func TestAShortSendIsNotYetAFullSocket(t *testing.T) {
	p := &Player{fan: &Fan{}}
	if done, alive := p.progress(10, false, nil); done || !alive || p.full {
		t.Errorf("after a short send: done %v, alive %v, full %v; want another send at once", done, alive, p.full)
	}
	if done, alive := p.progress(0, false, nil); !done || !alive || !p.full {
		t.Errorf("after a send of nothing: done %v, alive %v, full %v; want to wait for room", done, alive, p.full)
	}
	if p.Sent() != 10 {
		t.Errorf("counted %d bytes, want 10", p.Sent())
	}
}
