package dash

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// The MPD of an event names what is past as it would name it in a window that is longer
// than the event, in all periods and after a restart.
func TestTheOldSegmentsOfAnEventAreNamedAsTheOthers(t *testing.T) {
	s := mediatest.NewScript(t)
	sound := s.Audio
	s.Audio, s.Frame = nil, 200*time.Millisecond
	s.Play(100 * sec)
	s.Audio = sound
	s.Play(250 * sec)
	s.At += 20 * sec
	s.Play(100 * sec)
	s.Video = mediatest.Track(t, media.CodecH264, mediatest.AVCBaseline)
	packets := s.Play(200 * sec).Packets
	texts := make(map[string][]string)
	for _, kind := range []string{"live", "event"} {
		b := newBench(t)
		b.d.Close()
		half := len(packets) * 2 / 3
		run := func(packets []*media.Packet, stop error) {
			p := sharingAs(b, kind, time.Hour)
			p.OnManifest = nil
			b.run(p, packets, stop)
		}
		run(packets[:half], nil)
		texts[kind] = append(texts[kind], string(b.read("cam.mpd")))
		b.d.Close()
		run(packets[half:], eof)
		last := b.present("cam.mpd")
		texts[kind] = append(texts[kind], string(b.read("cam.mpd")))
		if got, want := strings.Join(last.named(), " "), strings.Join(b.listed(), " "); got != want {
			t.Errorf("%s: the MPD names\n%s, the playlists\n%s", kind, got, want)
		}
		if n := len(last.named()); n < 500 {
			t.Errorf("%s: %d files are named, want at least 500", kind, n)
		}
		for _, file := range last.named() {
			if _, err := os.Stat(b.dir + "/" + file); err != nil {
				t.Error(err)
			}
		}
	}
	for i, want := range texts["live"] {
		if got := texts["event"][i]; got != want {
			t.Errorf("MPD %d:\n%s\nwant\n%s", i, got, want)
		}
	}
}
