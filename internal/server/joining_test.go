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
