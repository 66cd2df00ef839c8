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
	for kind, length := range map[string]time.Duration{"live": time.Hour, "event": 10 * sec} {
		b := newBench(t)
		b.d.Close()
		half := len(packets) * 2 / 3
		run := func(packets []*media.Packet, stop error) {
			p := sharingAs(b, kind, length)
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

// When somebody deletes the oldest files of an event, MPD and playlists name the others.
func TestAnEventWhoseOldestFilesAreDeleted(t *testing.T) {
	b := newBench(t)
	b.d.Close()
	s := mediatest.NewScript(t)
	s.Frame = 200 * time.Millisecond
	packets := s.Play(600 * sec).Packets
	p := sharingAs(b, "event", 10*sec)
	p.OnManifest = nil
	first := b.now
	b.runFeed(p, &feed{b: b, packets: packets, stop: eof, wall: func(_ int, p *media.Packet) time.Time { return first.Add(p.DTS) }, each: func(i int) {
		if i != len(packets)*3/4 {
			return
		}
		for _, file := range b.present("cam.mpd").named()[:20] {
			if err := os.Remove(b.dir + "/" + file); err != nil {
				t.Fatal(err)
			}
		}
	}})
	got := b.present("cam.mpd").named()
	if want := strings.Join(b.listed(), " "); strings.Join(got, " ") != want || len(got) != 2*280 {
		t.Errorf("the MPD names %d files:\n%s, want 560; the playlists\n%s", len(got), got, want)
	}
}
