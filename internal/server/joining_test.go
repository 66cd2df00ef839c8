package server

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// Of data messages a player gets |RtmpSampleAccess and onMetaData, both with
// timestamp 0, as from nginx-rtmp, whenever it joins: libavformat makes a stream
// of any other, which then has no packets, and waits for them.
func TestDataMessagesThatAJoinerGets(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	early := r.spectate("live", "cam", dialling{})
	p := r.publish("live", "cam")
	p.seconds(2)
	early.first()
	r.eventually("the media has arrived", func() bool { return r.packets("live", "cam") == int(p.sent.Load()) })
	late := r.spectate("live", "cam", dialling{})
	if at := late.first().Timestamp; at == 0 {
		t.Fatal("the second player began at the start of the stream")
	}
	for who, s := range map[string]*spectator{"early": early, "late": late} {
		s.mu.Lock()
		names := map[string]int{}
		for _, m := range s.all {
			if m.Type != rtmp.TypeDataAMF0 {
				continue
			}
			v, _, err := amf.Decode(m.Payload)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := v.(string)
			if names[name]++; m.Timestamp != 0 {
				t.Errorf("%s player: %s at %d ms", who, name, m.Timestamp)
			}
		}
		s.mu.Unlock()
		if len(names) != 2 || names["|RtmpSampleAccess"] != 1 || names["onMetaData"] != 1 {
			t.Errorf("%s player: data messages %v", who, names)
		}
	}
}

// ffmpeg and mpv drop all that comes between their seek and Seek.Notify. The
// stream goes on meanwhile, every frame once.
func TestASeekInALiveStreamIsAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith("reconnect_grace = 0"))
	p := r.publish("live", "cam")
	p.seconds(2)
	s := r.spectate("live", "cam", dialling{})
	s.first()
	for n, command := range []string{"seek", "Seek"} {
		before := len(s.codes())
		if err := s.WriteCommand(1, command, 0, nil, 5000.0); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		r.eventually("the answer", func() bool { return len(s.codes()) > before })
		if got := s.codes()[before:]; len(got) != 1 || got[0] != rtmp.StatusSeekNotify {
			t.Errorf("answer %d: %v", n, got)
		}
		p.seconds(1)
	}
	if err := p.Unpublish(); err != nil {
		t.Fatal(err)
	}
	r.eventually("the stream has ended", func() bool { return r.stream("live", "cam") == nil })
	sent := card().frames[:p.frames]
	r.eventually("the last frame", func() bool {
		got := s.frames()
		return got[len(got)-1].Timestamp == sent[len(sent)-1].Timestamp
	})
	sameFrames(t, s.frames(), sent)
}
