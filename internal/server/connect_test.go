package server

import (
	"bytes"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// The answer to connect begins with the window and the chunk size that the
// configuration says.
func TestConnectSaysTheWindowAndTheChunkSize(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen     = "127.0.0.1:0"
  ack_window = 123456
  chunk_size = 4321
  application "live" {}
}`)
	nc := r.rawConn(t)
	shake(t, nc)
	object := amf.Object{{Name: "app", Value: "live"}, {Name: "tcUrl", Value: "rtmp://x/live"}}
	if _, err := nc.Write(whole(3, rtmp.TypeCommandAMF0, amf.Append(commandBytes("connect"), object))); err != nil {
		t.Fatal(err)
	}
	want := uint32Message(rtmp.TypeWindowAckSize, 123456)
	want = append(want, whole(2, rtmp.TypeSetPeerBandwidth, []byte{0, 1, 0xe2, 0x40, 2})...)
	want = append(want, uint32Message(rtmp.TypeSetChunkSize, 4321)...)
	var got []byte
	for _ = nc.SetReadDeadline(time.Now().Add(patience)); len(got) < len(want); {
		b := make([]byte, 4096)
		n, err := nc.Read(b)
		if err != nil {
			t.Fatalf("after %d bytes: %v", len(got), err)
		}
		got = append(got, b[:n]...)
	}
	if !bytes.HasPrefix(got, want) {
		t.Errorf("the answer to connect begins\n% x, want\n% x", got[:len(want)], want)
	}
}
