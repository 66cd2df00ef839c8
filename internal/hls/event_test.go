package hls

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// maxSegmentBytes is the memory that a segment may take for as long as a playlist names
// it. About 1000 are used: a day of segments of 6 s is 14 MB.
const maxSegmentBytes = 1300

// An event is listed whole and ends as it is, in place: it becomes a recording (RFC 8216 §4.3.3.5). Of its past there is no more in memory than what the
// playlist says.
func TestAnEventIsListedWhole(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	cfg.Type, cfg.Fragment, cfg.MaxFragment = "event", 10*time.Second, 30*time.Second
	s := mediatest.NewScript(t)
	s.Audio, s.Frame, s.GOP = nil, time.Second, 10*time.Second
	s.Play(time.Hour)
	const segments = 3600 / 10
	var heap [2]uint64 // after a third, and at the end
	in := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	p := b.packager("show", cfg)
	n := 0
	p.OnManifest = func(string) {
		if n++; n == 1 && !strings.Contains(string(b.read("show.m3u8")), "#EXT-X-PLAYLIST-TYPE:EVENT\n") {
			t.Error("while it is live it is no event")
		}
		if n == segments/3 {
			heap[0] = in()
		} else if n == segments-1 {
			heap[1] = in()
		}
	}
	b.runFeed(p, &feed{packets: s.Packets, clock: b.clock, stop: eof})
	text := string(b.read("show.m3u8"))
	if got := strings.Count(text, "#EXTINF:"); got != segments {
		t.Errorf("%d segments are listed, want %d", got, segments)
	}
	for _, line := range []string{"#EXT-X-PLAYLIST-TYPE:VOD\n", "#EXT-X-MEDIA-SEQUENCE:0\n", "#EXT-X-ENDLIST\n"} {
		if !strings.Contains(text, line) {
			t.Errorf("the playlist has no %s", line)
		}
	}
	if _, files := b.read("show-0.ts"), b.read("show-359.ts"); len(files) == 0 {
		t.Error("the last segment is empty")
	}
	if each := int64(heap[1]-heap[0]) / (segments * 2 / 3); heap[1] > heap[0] && each > maxSegmentBytes {
		t.Errorf("a segment takes %d bytes of memory, want at most %d", each, maxSegmentBytes)
	} else {
		t.Logf("%d bytes for each segment", each)
	}
}
