package fanout

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A joiner begins at the newest keyframe unless that is more than 5 s or 8 MiB
// back: then it waits for the next.
func TestAJoinerDoesNotBeginTooFarBack(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name   string
		frames int           // after the keyframe
		size   int           // of each
		every  time.Duration // between them
		waits  bool
	}{
		{"five seconds", 50, 100, 100 * time.Millisecond, false},
		{"more than five seconds", 51, 100, 100 * time.Millisecond, true},
		{"8 MiB", 8, mib - 1024, time.Millisecond, false}, // with room for headers
		{"more than 8 MiB", 8, mib, time.Millisecond, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newRig(t)
			put := func(key bool, size int) {
				head := fmt.Appendf(nil, "\x27\x01%08d", h.frame)
				body := append(head, bytes.Repeat([]byte{byte(h.frame)}, size-len(head))...)
				at := time.Duration(h.frame) * c.every
				h.stream.Write(&media.Packet{
					Track: h.video, DTS: at, Timestamp: uint32(at.Milliseconds()),
					Keyframe: key, Tag: body, Data: body, Epoch: h.epoch,
				})
				h.frame++
				h.fan.Wake()
			}
			put(true, 100)
			for range c.frames {
				put(false, c.size)
			}
			p, conn, w := h.join(patient)
			first := 0
			if c.waits {
				first = h.frame
				pong := rtmp.AppendMessage(nil, rtmp.Message{Type: rtmp.TypeUserControl, ChunkStreamID: 2, Payload: []byte("pong..")}, testChunk)
				for range 2 { // with the second it has looked for a place once
					if err := p.Control(pong); err != nil {
						t.Fatal(err)
					}
					if m, err := w.next(); err != nil || m.typ != byte(rtmp.TypeUserControl) {
						t.Fatalf("got a message of type %d, %v", m.typ, err)
					}
				}
			} else {
				frames(t, conn, w, 0) // it has begun before the next keyframe is there
			}
			put(true, 100)
			numbers, _ := frames(t, conn, w, h.frame-1)
			if !c.waits {
				numbers = append([]int{0}, numbers...)
			}
			if err := consecutive(numbers); err != nil || numbers[0] != first {
				t.Errorf("begins with frame %d, want %d; %v", numbers[0], first, err)
			}
		})
	}
}
