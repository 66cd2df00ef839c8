package fanout

import (
	"bufio"
	"fmt"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Another publisher's packets, be it that of a stage, a fallback, or the one that
// comes back, are in a player's socket with the first pass after its keyframe, headers
// in front; all that it kept while it waited with them. Here nobody else passes.
func TestASwitchIsSentWithTheNextPass(t *testing.T) {
	hub := &Hub{metrics: newMetrics(), schedule: newSchedule(time.Hour)}
	fl := hub.addFlusher(nil)
	defer fl.end()
	h := &rig{
		t: t, hub: hub, epoch: 1,
		video: &media.Track{Kind: media.Video, Codec: media.CodecH264, Tag: []byte("\x17\x00first")},
	}
	h.fan = hub.NewFan(testChunk, "copy")
	h.attach()
	h.write(10, 3000)
	ours, theirs := tcpPair(t)
	h.fan.Join(ours, patient)
	fl.serveInbox()
	fl.pass()
	w := &wire{bufio.NewReader(theirs)}
	numbers, _ := frames(t, theirs, w, 9)
	for epoch, kept := range []int{1, 20, 1} {
		h.epoch++
		h.frame = 30 * (epoch + 1) // a keyframe
		h.video = &media.Track{Kind: media.Video, Codec: media.CodecH264, Tag: fmt.Appendf(nil, "\x17\x00epoch %d", h.epoch)}
		h.write(kept, 3000)
		fl.pass()
		var header string
		for got := 0; got < kept; {
			m, err := w.next()
			switch {
			case err != nil:
				t.Fatalf("epoch %d, after %d of %d frames: %v", h.epoch, got, kept, err)
			case m.typ == 9 && m.body[1] == 0:
				header = string(m.body)
			case m.typ == 9:
				if want := fmt.Sprintf("%08d", h.frame-kept+got); string(m.body[2:10]) != want || header != string(h.video.Tag) {
					t.Fatalf("epoch %d: frame %s behind the header %q, want %s", h.epoch, m.body[2:10], header, want)
				}
				got++
			}
		}
	}
	if err := consecutive(numbers); err != nil {
		t.Error(err)
	}
}
