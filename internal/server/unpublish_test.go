package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A publish without a name on a stream that publishes is a clean stop, as from
// Wirecast: a status, no error; the stream and its playlist end at once, not after
// reconnect_grace; the connection may publish again.
func TestAPublishWithoutANameStops(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    hls {
      path     = "$DIR/hls"
      fragment = "1s"
    }
  }
}`)
	for i, args := range [][]amf.Value{
		{""}, {"", "live"}, {" "}, {false}, {false, "live"}, {nil}, {amf.Undefined{}}, {},
	} {
		for _, kind := range []rtmp.MessageType{rtmp.TypeCommandAMF0, rtmp.TypeCommandAMF3} {
			t.Run(fmt.Sprint(args, kind), func(t *testing.T) {
				name := fmt.Sprintf("cam%d-%d", i, kind)
				p := r.publish("live", name)
				stop := func() {
					var body []byte
					if kind == rtmp.TypeCommandAMF3 {
						body = []byte{0} // the selector: what follows is AMF0
					}
					for _, v := range append([]amf.Value{"publish", 7.0, nil}, args...) {
						body = amf.Append(body, v)
					}
					if err := p.WriteMessage(rtmp.Message{Type: kind, ChunkStreamID: 3, StreamID: 1, Payload: body}); err != nil {
						t.Fatal(err)
					}
					if err := p.Flush(); err != nil {
						t.Fatal(err)
					}
				}
				p.seconds(2)
				stop()
				r.eventually("the stream ends", func() bool { return r.stream("live", name) == nil })
				r.eventually("its playlist ends", func() bool { return strings.Contains(r.read("hls/"+name+".m3u8"), "#EXT-X-ENDLIST") })
				said := func(n int) {
					t.Helper()
					r.eventually("the publisher is told", func() bool { return len(p.heard()) >= n })
					if h := p.heard(); h[n-1].Level != "status" || h[n-1].Code != rtmp.StatusUnpublishSuccess {
						t.Errorf("told %+v", h)
					}
				}
				said(1)
				stop() // once more: it has stopped, that is no error
				said(2)
				if !p.alive() {
					t.Error("the connection is closed")
				}
			})
		}
	}
}

// One that publishes nothing is told that it lacks a name.
func TestAPublishWithoutANameStartsNothing(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	_, err := r.tryPublish("live", "", dialling{})
	if err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("got %v", err)
	}
}
