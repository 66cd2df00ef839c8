package hls

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Each playlist with parts says where that of the other track ends (RFC 8216bis §4.4.5.4): not
// further than it does, and not far behind.
func TestPlaylistsSayWhereTheOtherTrackEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	s := mediatest.NewScript(t).Play(30 * time.Second)
	said := [2]int{}
	lists := [2]string{"test-video.m3u8", "test-audio.m3u8"}
	b.runFeed(b.packager("test", lowConfig(b.dir)), &feed{packets: s.Packets, clock: b.clock, each: func(i int) {
		if s.Packets[i].DTS < 10*time.Second {
			return
		}
		for k, name := range lists {
			own, _ := b.d.Lookup(name)
			other, _ := b.d.Lookup(lists[1-k])
			e, o := own.Low.Newest(), other.Low.Newest()
			_, report, ok := strings.Cut(string(e.Body()), `#EXT-X-RENDITION-REPORT:URI="`+lists[1-k]+`",`)
			var segment uint64
			var part int
			if n, _ := fmt.Sscanf(report, "LAST-MSN=%d,LAST-PART=%d\n", &segment, &part); !ok || n != 2 {
				t.Fatalf("%s says nothing of the other:\n%s", name, e.Body())
			}
			if segment > o.Next || segment == o.Next && part >= o.Parts || segment+1 < o.Next || segment == o.Next && part < o.Parts-3 {
				t.Errorf("%s says that the other has part %d of segment %d; it has %d of %d", name, part, segment, o.Parts, o.Next)
			}
			said[k]++
		}
	}})
	if said[0] < 500 || said[1] < 500 {
		t.Errorf("looked at %v versions", said)
	}
}
