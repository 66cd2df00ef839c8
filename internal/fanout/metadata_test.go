package fanout

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// onMetaData has timestamp 0 whenever a player gets it, as from nginx-rtmp: at
// the start of a stream, for who joins later (also past 2^24 ms), when the
// publisher changes it, and from the next publisher. With any other time ffmpeg,
// VLC and mpv take it for a subtitle track.
func TestMetadataHasTimestampZero(t *testing.T) {
	for _, o := range []struct {
		name         string
		audio, video bool
		connect      *rtmp.Connect
	}{
		{"everything", true, true, &rtmp.Connect{CapsEx: rtmp.CapMultitrack}},
		{"track 0", true, true, nil},
		{"audio only", true, false, nil},
		{"video only", false, true, nil},
	} {
		for _, begin := range []int{0, 1 << 24 / 33 / 30 * 30} {
			t.Run(fmt.Sprint(o.name, " from frame ", begin), func(t *testing.T) {
				h := newRig(t)
				h.frame = begin
				options := patient
				options.Connect = o.connect
				// publish sends a second, whose metadata is its version.
				publish := func(version int) {
					h.stream.SetMetadata(fmt.Appendf(nil, "\x02\x00\x0aonMetaData\x02\x00\x01%d", version))
					h.write(30, 100)
					h.frame-- // the sound has the time of the last frame, not of the keyframe to come
					h.put(h.audio, false, fmt.Appendf(nil, "\xaf\x01%08d", h.frame+1), 0)
					h.frame++
				}
				// until returns the versions of metadata that a player gets before a message.
				until := func(w *wire, what string, reached func(got) bool) (versions string) {
					t.Helper()
					for {
						m, err := w.next()
						switch {
						case err != nil:
							t.Fatalf("told of versions %q, waiting for %s: %v", versions, what, err)
						case reached(m):
							return versions
						case rtmp.MessageType(m.typ) != rtmp.TypeDataAMF0:
							continue
						}
						version := string(m.body[len(m.body)-1:])
						if versions += version; m.ts != 0 {
							t.Errorf("onMetaData of version %s at %d ms", version, m.ts)
						}
					}
				}
				read := func(w *wire) string { // up to the end of the second
					t.Helper()
					last := fmt.Sprintf("\xaf\x01%08d", h.frame)
					if !o.audio {
						last = fmt.Sprintf("\x27\x01%08d", h.frame-1)
					}
					return until(w, last, func(m got) bool { return strings.HasPrefix(string(m.body), last) })
				}
				join := func() *wire {
					p, c, w := h.join(options)
					_ = c.SetReadDeadline(time.Now().Add(2 * time.Minute))
					p.Receive(o.audio, o.video)
					// Whoever has got the pong is in the log of what it wants: one that
					// changes logs within a second misses the rest of it.
					if err := p.Control(rtmp.AppendMessage(nil, rtmp.Message{Type: rtmp.TypeUserControl, ChunkStreamID: 2, Payload: []byte("pong..")}, testChunk)); err != nil {
						t.Fatal(err)
					}
					until(w, "pong", func(m got) bool { return rtmp.MessageType(m.typ) == rtmp.TypeUserControl })
					return w
				}

				early := join()
				publish(1)
				if got := read(early); got != "1" {
					t.Errorf("the first player is told of versions %q, want 1", got)
				}
				late := join()
				publish(2)
				if got := read(early); got != "2" {
					t.Errorf("the first player is told of versions %q, want 2", got)
				}
				if got := read(late); !strings.HasSuffix(got, "2") {
					t.Errorf("the second player is told of versions %q, want 2 at the end", got)
				}
				h.fan.Attach(nil)
				h.epoch++
				h.attach()
				publish(3)
				for n, w := range []*wire{early, late} {
					if got := read(w); got != "3" {
						t.Errorf("player %d is told of versions %q of the next publisher, want 3", n+1, got)
					}
				}
			})
		}
	}
}

// A publisher's other data messages keep their place in time.
func TestDataMessagesKeepTheirTime(t *testing.T) {
	h := newRig(t)
	_, c, w := h.join(patient)
	h.write(31, 100)
	h.put(&media.Track{Kind: media.Data}, false, []byte("\x02\x00\x0aonTextData"), 0)
	all := collect(t, c, w, "onTextData")
	if at := all[len(all)-1].ts; at != uint32(h.frame*33) {
		t.Errorf("onTextData at %d ms, want %d", at, h.frame*33)
	}
}
