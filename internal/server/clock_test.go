package server

import (
	"slices"
	"testing"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// sends sends n seconds of the test card with its timestamps changed.
func (c *client) sends(n uint32, change func(i int, m *rtmp.Message)) {
	c.rig.Helper()
	clip := card()
	for _, m := range clip.headers {
		if err := c.WriteMessage(m); err != nil {
			c.rig.Fatal(err)
		}
	}
	for i := 0; ; i++ {
		m := clip.frames[i%len(clip.frames)]
		m.Timestamp += uint32(i/len(clip.frames)) * 16000
		if m.Timestamp >= n*1000 {
			break
		}
		change(i, &m)
		if err := c.WriteMessage(m); err != nil {
			c.rig.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		c.rig.Fatal(err)
	}
}

func TestAnOutlierMovesNoPlayersClock(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]uint32{"ahead": 37600000, "back": 1<<32 - 9800000, "negative": 1<<32 - 150000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, liveWith(""))
			s := r.spectate("live", "cam", dialling{})
			p := r.publish("live", "cam")
			r.eventually("the player waits", func() bool { return slices.Contains(s.codes(), rtmp.StatusPlayStart) })
			sent, bad := 0, 0
			var last uint32
			p.sends(8, func(i int, m *rtmp.Message) {
				m.Timestamp += 100000
				last = m.Timestamp
				if sent++; sent == 40 { // who is served late begins late
					_ = p.Flush()
					r.eventually("the first frames", func() bool { return len(s.media()) > 0 })
				}
				if i > 50 && i%60 == 0 {
					m.Timestamp += by
					bad++
				}
			})
			r.eventually("all frames", func() bool {
				media := s.media()
				return len(media) > sent-40 && media[len(media)-1].Timestamp >= last-500
			})
			for i, m := range s.media() {
				if m.Timestamp < 100000-1000 || m.Timestamp > last+1000 {
					t.Fatalf("message %d has timestamp %d; the publisher went from 100000 to %d", i, m.Timestamp, last)
				}
			}
			r.eventually("a finding", func() bool { r.stream("live", "cam").Examine(); return has(r.health("cam"), "timestamp_jumps") })
		})
	}
}

func TestSoundFromAnotherZeroIsAlignedAndTold(t *testing.T) {
	t.Parallel()
	r := start(t, liveWith(""))
	p := r.publish("live", "cam")
	p.sends(4, func(_ int, m *rtmp.Message) {
		if m.Type == rtmp.TypeAudio {
			m.Timestamp += 9000
		}
	})
	r.eventually("a finding", func() bool { r.stream("live", "cam").Examine(); return has(r.health("cam"), "av_offset") })
	r.logged("what is published could be better", "9.0 s apart (sound ahead)")
	l := r.stream("live", "cam").Live().Snapshot()
	if d := int32(l.AudioTimestamp - l.VideoTimestamp); d < -1000 || d > 1000 {
		t.Errorf("audio is %d ms ahead of the video", d)
	}
}
