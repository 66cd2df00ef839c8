package server

import (
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/amf"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// What each command of a publisher is answered, in AMF0 and in AMF3 (message type
// 17), in the order that OBS, ffmpeg and librtmp say them; upper and lower case
// are one, as nginx-rtmp has it. The answers to a second round on the same
// connection are the same.
func TestACommandsAnswers(t *testing.T) {
	t.Parallel()
	r := start(t, `
rtmp {
  listen = "127.0.0.1:0"
  application "live" {
    reconnect_grace = 0
  }
}`)
	success := func(code, description string) string {
		return fmt.Sprintf("[[{level status} {code %s} {description %s}]]", code, description)
	}
	steps := []struct {
		say    []amf.Value
		stream uint32
		want   []string
	}{
		{[]amf.Value{"releaseStream", 2.0, nil, "cam"}, 0, []string{"_result 2 <nil> [{}]"}},
		{[]amf.Value{"FCPublish", 3.0, nil, "cam"}, 0, []string{
			"onFCPublish 0 <nil> " + success("NetStream.Publish.Start", "FCPublish"),
			"_result 3 <nil> [{}]",
		}},
		{[]amf.Value{"_checkbw", 4.0, nil}, 0, []string{"_result 4 <nil> [{}]"}},
		{[]amf.Value{"someCommandOfTomorrow", 5.0, nil, "x"}, 0, nil},
		{[]amf.Value{"createStream", 6.0, nil}, 0, []string{"_result 6 <nil> [1]"}},
		{[]amf.Value{"publish", 7.0, nil, "cam", "live"}, 1, []string{
			"StreamBegin 1",
			"onStatus 0 <nil> " + success("NetStream.Publish.Start", "Start publishing"),
		}},
		{[]amf.Value{"someCommandOfTomorrow", 8.0, nil, "x"}, 1, nil},
		{[]amf.Value{"FCUnpublish", 9.0, nil, "cam"}, 0, []string{
			"onFCUnpublish 0 <nil> " + success("NetStream.Unpublish.Success", "FCUnpublish"),
			"_result 9 <nil> [{}]",
		}},
		{[]amf.Value{"DeleteStream", 10.0, nil, 1.0}, 0, []string{"onStatus 0 <nil> " + success("NetStream.Unpublish.Success", "Stop publishing")}},
		{[]amf.Value{"publish", 0.0, nil, "again", "live"}, 1, []string{
			"StreamBegin 1",
			"onStatus 0 <nil> " + success("NetStream.Publish.Start", "Start publishing"),
		}},
		{[]amf.Value{"closeStream", 0.0, nil}, 1, []string{"onStatus 0 <nil> " + success("NetStream.Unpublish.Success", "Stop publishing")}},
	}
	for name, kind := range map[string]rtmp.MessageType{"AMF0": rtmp.TypeCommandAMF0, "AMF3": rtmp.TypeCommandAMF3} {
		t.Run(name, func(t *testing.T) {
			nc := r.rawConn(t)
			shake(t, nc)
			if _, err := nc.Write(whole(3, rtmp.TypeCommandAMF0, amf.Append(commandBytes("connect"), amf.Object{{Name: "app", Value: "live"}}))); err != nil {
				t.Fatal(err)
			}
			answers(t, nc, 1)
			for round := range 2 {
				for i, s := range steps {
					var body []byte
					if kind == rtmp.TypeCommandAMF3 {
						body = []byte{0} // the selector: what follows is AMF0
					}
					for _, v := range s.say {
						body = amf.Append(body, v)
					}
					// They go out together: whatever is read before the answer to the
					// second one answers the first.
					mark := float64(1000 + 100*round + i)
					out := rtmp.AppendMessage(nil, rtmp.Message{Type: kind, ChunkStreamID: 3, StreamID: s.stream, Payload: body}, 128)
					out = append(out, whole(3, rtmp.TypeCommandAMF0, amf.Append(amf.Append(amf.Append(nil, "_checkbw"), mark), nil))...)
					if _, err := nc.Write(out); err != nil {
						t.Fatal(err)
					}
					if got := answers(t, nc, mark); !slices.Equal(got, s.want) {
						t.Errorf("round %d, %v:\n got %q\nwant %q", round, s.say, got, s.want)
					}
				}
			}
		})
	}
}

// answers reads up to the result of the transaction mark. The server's messages
// are a chunk each, all with type 0 headers:
//
//	csid 1 | timestamp 3 | length 3 | type 1 | stream id 4 | data
func answers(t *testing.T, nc net.Conn, mark float64) (lines []string) {
	t.Helper()
	for {
		var head [12]byte
		if _, err := io.ReadFull(nc, head[:]); err != nil {
			t.Fatalf("after %q: %v", lines, err)
		}
		if head[0]&0xc0 != 0 {
			t.Fatalf("after %q: chunk header % x", lines, head)
		}
		payload := make([]byte, int(head[4])<<16|int(head[5])<<8|int(head[6]))
		if _, err := io.ReadFull(nc, payload); err != nil {
			t.Fatal(err)
		}
		switch rtmp.MessageType(head[7]) {
		case rtmp.TypeCommandAMF0:
			cmd, err := rtmp.ParseCommand(rtmp.Message{Type: rtmp.TypeCommandAMF0, Payload: payload})
			if err != nil {
				t.Fatal(err)
			}
			if cmd.Transaction == mark {
				return lines
			}
			lines = append(lines, fmt.Sprintf("%s %v %v %v", cmd.Name, cmd.Transaction, cmd.Object, cmd.Args))
		case rtmp.TypeUserControl:
			if payload[1] == byte(rtmp.StreamBegin) {
				lines = append(lines, fmt.Sprintf("StreamBegin %d", payload[5]))
			}
		}
	}
}
