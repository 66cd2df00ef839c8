package vod

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mp4"
)

// A recording is played while it grows, up to where it is, by a player that opened it
// before and by one that comes later; and as a whole once it is finished, also by who
// began before that.
func TestARecordingIsPlayedWhileItGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cam.mp4")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	rec := mp4.NewRecording(out, time.Now())
	card, err := os.Open("../demo/testcard.flv")
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	r, err := flv.NewReader(card)
	if err != nil {
		t.Fatal(err)
	}
	demuxer := flv.NewDemuxer(0, 0)
	written := [2]int{}
	more := func(until uint32) (end bool) {
		for {
			tag, err := r.Next()
			if errors.Is(err, io.EOF) {
				return true
			}
			if err != nil {
				t.Fatal(err)
			}
			var p *media.Packet
			switch tag.Type {
			case flv.TagVideo:
				p, err = demuxer.Video(tag.Timestamp, tag.Body)
			case flv.TagAudio:
				p, err = demuxer.Audio(tag.Timestamp, tag.Body)
			}
			if err != nil {
				t.Fatal(err)
			}
			if p == nil {
				continue
			}
			if err := rec.Write(p); err != nil {
				t.Fatal(err)
			}
			written[p.Track.Kind]++
			if tag.Timestamp >= until {
				return false
			}
		}
	}
	open := func() File {
		f, _, err := (&Library{Sources: []string{filepath.Dir(path)}}).Open(context.Background(), Request{Name: "cam.mp4"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	more(6000)
	early := open()
	first := len(frames(t, early, flv.TagVideo))
	if first < 100 || first > written[0] {
		t.Fatalf("%d of %d frames after 6 s", first, written[0])
	}
	for !more(1e6) {
	}
	if err := rec.Finish(); err != nil {
		t.Fatal(err)
	}
	rest := frames(t, early, flv.TagVideo)
	if first+len(rest) != written[0] {
		t.Errorf("%d and %d frames, want %d", first, len(rest), written[0])
	}
	late := open()
	if n := len(frames(t, late, flv.TagVideo)); n != written[0] || late.Duration() < 15900 || late.Duration() > 16100 {
		t.Errorf("%d frames, want %d; %d ms", n, written[0], late.Duration())
	}
	if n := len(frames(t, open(), flv.TagAudio)); n != written[1] {
		t.Errorf("%d frames of sound, want %d", n, written[1])
	}
	if err := late.Seek(context.Background(), 7300); err != nil {
		t.Fatal(err)
	}
	if got := frames(t, late, flv.TagVideo); got[0].Timestamp != 7000 {
		t.Errorf("a seek goes to %d", got[0].Timestamp)
	}
}
