package live

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Other tracks of a multitrack stream and data messages are delivered but do not
// affect where cursors begin.
func TestOtherTracksAndDataSteerNothing(t *testing.T) {
	second := &media.Track{Kind: media.Video, Codec: media.CodecH264, ID: 1}
	language := &media.Track{Kind: media.Audio, Codec: media.CodecAAC, ID: 1}
	data := &media.Track{Kind: media.Data}
	f := newFeed()
	s := NewStream("live", "cam", Options{})

	s.Write(f.packet(data, false, 10))
	s.Write(f.packet(second, true, 100))
	if v, a := s.Tracks(); v != nil || a != nil {
		t.Errorf("tracks %v, %v before there is a track 0", v, a)
	}
	key := f.gop(s, 1)[0]
	s.Write(f.sound())
	for i := range lazyBacklog {
		p := f.packet([]*media.Track{second, language, data}[i%3], i%3 == 0, 100)
		s.mu.Lock()
		if s.note(p) {
			t.Errorf("a packet of kind %d, track %d, is what lazy cursors wait for", p.Track.Kind, p.Track.ID)
		}
		s.mu.Unlock()
		s.Write(p)
	}
	if v, a := s.Tracks(); v != f.video || a != f.audio {
		t.Errorf("tracks %v, %v, want those of track 0", v, a)
	}
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	if got, _, _ := read(t, c); len(got) == 0 || got[0] != key || len(got) != 3+lazyBacklog {
		t.Errorf("a cursor begins %d packets from the end, want %d, the keyframe of track 0", len(got), 3+lazyBacklog)
	}
}
