package live

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestSnapshotCounts(t *testing.T) {
	t.Parallel()
	s, f := NewStream("app", "name", Options{}), newFeed()
	if got := s.Snapshot(); got.App != "app" || got.Name != "name" || !got.LastWrite.IsZero() || got.Created.IsZero() {
		t.Errorf("an empty stream is %+v", got)
	}
	f.gop(s, 9)
	f.gop(s, 9)
	s.Write(f.sound())
	c := s.Cursor(FromKeyframe, false)
	defer c.Close()
	got := s.Snapshot()
	want := Snapshot{
		App: "app", Name: "name", Created: got.Created, FirstWrite: got.FirstWrite, LastWrite: got.LastWrite,
		BytesIn: 2100, AudioBytes: 100, VideoBytes: 2000,
		Packets: 21, VideoPackets: 20, Keyframes: 2,
		Epoch: 1, Timestamp: 420, VideoTimestamp: 400, AudioTimestamp: 420, LastDTS: 420 * time.Millisecond,
		Video: f.video, Audio: f.audio,
		Cursors: 1, Held: 11, HeldBytes: 11*(100+packetOverhead) + f.audio.Held(), // the first GOP, gone, was charged for the video header
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.FirstWrite.Before(got.Created) || got.LastWrite.Before(got.FirstWrite) {
		t.Errorf("first write at %v, last at %v, created %v", got.FirstWrite, got.LastWrite, got.Created)
	}
}

func TestBitRatesSlideOverTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, f := NewStream("app", "name", Options{}), newFeed()
		time.Sleep(1500 * time.Millisecond) // the rates begin with the first packet
		second := func() {
			for range 5 {
				s.Write(f.packet(f.video, true, 1000))
				s.Write(f.packet(f.audio, false, 250))
				time.Sleep(200 * time.Millisecond)
			}
		}
		check := func(when string, total, audio, video uint64) {
			t.Helper()
			if got := s.Snapshot(); got.BwIn != total || got.BwAudio != audio || got.BwVideo != video {
				t.Errorf("%s: bw_in %d bw_audio %d bw_video %d, want %d %d %d",
					when, got.BwIn, got.BwAudio, got.BwVideo, total, audio, video)
			}
		}
		check("at the start", 0, 0, 0)
		second()
		time.Sleep(500 * time.Millisecond)
		check("after a second", 25000, 5000, 20000) // in two of the clock's
		for range 12 {
			second()
		}
		check("after 13 s", 50000, 10000, 40000)
		time.Sleep(5 * time.Second)
		check("5 s after the end", 25000, 5000, 20000)
		time.Sleep(5 * time.Second)
		check("10 s after the end", 0, 0, 0)
		time.Sleep(time.Hour)
		check("an hour after the end", 0, 0, 0)
		second()
		check("a second after it went on", 5000, 1000, 4000) // of ten
	})
}

func TestMetadataHasAVersion(t *testing.T) {
	t.Parallel()
	s := NewStream("app", "name", Options{})
	if s.Metadata() != nil {
		t.Error("metadata from nowhere")
	}
	for i, c := range []struct {
		raw     string
		version uint64
	}{{"a", 1}, {"a", 1}, {"b", 2}, {"a", 3}} {
		before := s.Metadata()
		s.SetMetadata([]byte(c.raw))
		got := s.Metadata()
		if string(got.Raw) != c.raw || got.Version != c.version || (before == got) != (before != nil && string(before.Raw) == c.raw) {
			t.Errorf("step %d: %q version %d, want %q version %d", i, got.Raw, got.Version, c.raw, c.version)
		}
	}
}
