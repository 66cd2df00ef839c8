package hls

import (
	"bytes"
	"hash/crc32"
	"runtime"
	"testing"

	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Who reads a part has the same bytes as long as it likes. The memory of a segment is used
// again for the next ones if nobody has had one of its parts.
func TestAPartThatIsReadDoesNotChange(t *testing.T) { // not parallel: it counts what is allocated
	run := func(every int) (allocated uint64) {
		b := newBench(t)
		s := mediatest.NewScript(t)
		s.Size = 20_000 // a megabyte for each segment
		s.Play(20 * sec)
		type part struct {
			body []byte
			sum  uint32
		}
		had := make(map[string]part)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b.runFeed(b.packager("test", lowConfig(b.dir)), &feed{packets: s.Packets, clock: b.clock, stop: eof, each: func(i int) {
			f, ok := b.d.Lookup("test-video.m3u8")
			if every == 0 || i%every > 0 || !ok || f.Low.Newest() == nil {
				return
			}
			text := f.Low.Newest().Body()
			_, text, _ = bytes.Cut(text[max(bytes.LastIndex(text, []byte("#EXT-X-PART:")), 0):], []byte(`URI="`))
			name, _, _ := bytes.Cut(text, []byte(`"`))
			if f, ok := b.d.Lookup(string(name)); ok && f.Body != nil {
				had[string(name)] = part{f.Body, crc32.ChecksumIEEE(f.Body)}
			}
		}})
		runtime.ReadMemStats(&after)
		for name, p := range had {
			if crc32.ChecksumIEEE(p.body) != p.sum {
				t.Errorf("%s has changed while it was read", name)
			}
		}
		if every > 0 && len(had) < 5 {
			t.Errorf("only %d parts were read", len(had))
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	run(170) // in some segments, and not in others
	if unread, read := run(0), run(10); unread+5<<20 > read {
		t.Errorf("%d bytes are allocated for nobody, %d for a reader: no buffer is used again", unread, read)
	}
}
