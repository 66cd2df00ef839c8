package server

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// What can't be decoded reaches RTMP players as it was sent; the log says it in
// one line, and so does a finding, which goes when a header comes.
func TestFramesWithoutAHeader(t *testing.T) {
	t.Parallel()
	r := start(t, oneApp)
	p := r.publish("live", "cam")
	send := func(typ rtmp.MessageType, ts uint32, body ...byte) {
		t.Helper()
		if err := p.WriteMessage(rtmp.Message{ChunkStreamID: 6, StreamID: 1, Type: typ, Timestamp: ts, Payload: body}); err != nil {
			t.Fatal(err)
		}
	}
	send(rtmp.TypeAudio, 0, 0xaf, 1, 0x21, 0)
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the finding", func() bool { return has(r.health("cam"), "audio_header_missing") })
	s := r.spectate("live", "cam", dialling{})
	r.fanOf("live", "cam", 1)
	ts := uint32(20)
	got := func() (n int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, m := range s.all {
			if m.Type == rtmp.TypeAudio && len(m.Payload) == 4 && m.Payload[2] == 0x21 {
				n++
			}
		}
		return n
	}
	r.eventually("the player has frames", func() bool {
		send(rtmp.TypeAudio, ts, 0xaf, 1, 0x21, 0)
		ts += 20
		if err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond) // between two tries
		return got() > 10
	})
	if n := r.logs.FilterMessage("bad media message").Len(); n != 1 {
		t.Errorf("%d lines, want 1", n)
	}
	r.eventually("the finding goes with a header", func() bool {
		send(rtmp.TypeAudio, ts, 0xaf, 0, 0x12, 0x10)
		send(rtmp.TypeAudio, ts, 0xaf, 1, 0x21, 0)
		ts += 20
		if err := p.Flush(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
		return !has(r.health("cam"), "audio_header_missing")
	})
}
