package server

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	gortmp "github.com/yutopp/go-rtmp"
	gomessage "github.com/yutopp/go-rtmp/message"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// What go-rtmp publishes reaches players and HLS as it was sent. It is a peer
// in tests and nothing else.
func TestGoRTMPPublishesToTheWholeServer(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(`hls {
      path = "$DIR/hls"
      fragment = "1s"
    }`))
	c, err := gortmp.Dial("rtmp", r.addr(0), &gortmp.ConnConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Connect(&gomessage.NetConnectionConnect{Command: gomessage.NetConnectionConnectCommand{App: "live"}}); err != nil {
		t.Fatal(err)
	}
	s, err := c.CreateStream(nil, 4096)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Publish(&gomessage.NetStreamPublish{PublishingName: "cam", PublishingType: "live"}); err != nil {
		t.Fatal(err)
	}
	var sent []rtmp.Message
	var tv *spectator // from the first second on
	for _, m := range slices.Concat(card().headers, card().frames) {
		if m.Timestamp > 5000 {
			break
		}
		if m.Type == rtmp.TypeVideo && isKeyframe(m) && m.Timestamp > 0 {
			r.eventually("all sent is there", func() bool { return r.packets("live", "cam") == len(sent) })
			if tv == nil {
				tv = r.spectate("live", "cam", dialling{})
			}
			tv.first()
		}
		var err error
		switch payload := bytes.NewReader(m.Payload); m.Type {
		case rtmp.TypeVideo:
			err = s.Write(6, m.Timestamp, &gomessage.VideoMessage{Payload: payload})
		case rtmp.TypeAudio:
			err = s.Write(4, m.Timestamp, &gomessage.AudioMessage{Payload: payload})
		default:
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.Payload[1] != 0 {
			sent = append(sent, m)
		}
	}
	// It mixes the chunks of its streams as it likes: each has its own order.
	for _, typ := range []rtmp.MessageType{rtmp.TypeVideo, rtmp.TypeAudio} {
		of := func(all []rtmp.Message) []rtmp.Message {
			return slices.DeleteFunc(slices.Clone(all), func(m rtmp.Message) bool { return m.Type != typ })
		}
		want := of(sent)
		r.eventually("the last frame", func() bool {
			got := of(tv.frames())
			return len(got) > 0 && got[len(got)-1].Timestamp == want[len(want)-1].Timestamp
		})
		sameFrames(t, of(tv.frames()), want)
	}
	tv.mu.Lock()
	for _, h := range card().headers {
		if h.Type != rtmp.TypeDataAMF0 && !slices.ContainsFunc(tv.all, func(m rtmp.Message) bool { return m.Type == h.Type && bytes.Equal(m.Payload, h.Payload) }) {
			t.Errorf("a player did not get the header of %s", h.Type)
		}
	}
	tv.mu.Unlock()
	r.eventually("fragments", func() bool { return strings.Count(r.read("hls/cam.m3u8"), "#EXTINF") >= 3 })
}
