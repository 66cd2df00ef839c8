package server

import (
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// There is one message stream: who asks to play again gets the other stream
// instead, and its seat at the first is free.
func TestASecondPlayReplacesTheFirst(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("reconnect_grace = 0"))
	// Told apart by their times.
	a, b := r.publish("live", "a"), r.publish("live", "b")
	b.frames = 10 * len(card().frames)
	for _, m := range card().headers {
		if err := b.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	const apart = 10 * 16000
	a.seconds(1.5)
	b.seconds(1.5)
	tv := r.spectate("live", "a", dialling{})
	if m := tv.first(); m.Timestamp >= apart {
		t.Fatalf("the first stream is at %d", m.Timestamp)
	}
	r.fanOf("live", "a", 1)
	if err := tv.WriteCommand(1, "play", 4, nil, "b", -2.0); err != nil {
		t.Fatal(err)
	}
	if err := tv.Flush(); err != nil {
		t.Fatal(err)
	}
	r.fanOf("live", "b", 1)
	r.eventually("its seat at the first is free", func() bool {
		fan := r.stream("live", "a").Fan()
		return fan == nil || fan.Players() == 0
	})
	a.seconds(1)
	b.seconds(1)
	last := func() (at uint32) {
		tv.mu.Lock()
		defer tv.mu.Unlock()
		return tv.all[len(tv.all)-1].Timestamp
	}
	end := card().frames[(b.frames-1)%len(card().frames)].Timestamp + apart
	r.eventually("the last frame of the second", func() bool { return last() == end })

	got := tv.frames()
	at := slices.IndexFunc(got, func(m rtmp.Message) bool { return m.Timestamp >= apart })
	if at <= 0 || !isKeyframe(got[at]) {
		t.Fatalf("of %d frames the second stream begins at %d", len(got), at)
	}
	for _, m := range got[at:] {
		if m.Timestamp < apart {
			t.Fatalf("a frame of the first stream, at %d, after the second began", m.Timestamp)
		}
	}
	sent := slices.Clone(card().frames[:b.frames%len(card().frames)])
	for i := range sent {
		sent[i].Timestamp += apart
	}
	sameFrames(t, got[at:], sent)
	count := func(code string) (n int) {
		for _, c := range tv.codes() {
			if c == code {
				n++
			}
		}
		return n
	}
	for _, code := range []string{rtmp.StatusPlayReset, rtmp.StatusPlayStart} {
		if n := count(code); n != 2 {
			t.Errorf("%d × %s in %v, want one for each play", n, code, tv.codes())
		}
	}
	// The decoder begins anew: with the headers of the second.
	tv.mu.Lock()
	headers := 0
	for _, m := range tv.all {
		if m.Type == rtmp.TypeVideo && m.Payload[1] == 0 {
			headers++
		}
	}
	tv.mu.Unlock()
	if headers != 2 {
		t.Errorf("%d video headers, want one for each play", headers)
	}
}
