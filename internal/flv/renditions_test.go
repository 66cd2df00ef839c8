package flv

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
)

// Other tracks are taken apart as if each were a stream of its own.
func TestOtherTracksAreRenditions(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	take := func(ts uint32, body string) *media.Packet {
		t.Helper()
		p, err := d.Video(ts, unhex(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return p
	}
	ids := func(p *media.Packet) (out []uint8) {
		if p.Extra != nil {
			for _, r := range p.Extra.Renditions {
				out = append(out, r.ID)
			}
		}
		return out
	}
	same := func(got []uint8, want ...uint8) bool { return string(got) == string(want) }
	take(0, "90"+fourAVC+avcRecord)
	if p := take(0, "93"+fourAVC+"00000002 6588"); ids(p) != nil || p.Other != nil {
		t.Errorf("one track: %+v", p)
	}
	take(0, "96 00"+fourAVC+"05"+avcOther)
	p := take(40, "93"+fourAVC+"00000002 6588")
	if !same(ids(p), 0, 5) || p.Extra.Renditions[0].Track != p.Track || p.Extra.Renditions[1].Track.ID != 0 {
		t.Errorf("two tracks: %v", ids(p))
	}
	first := p.Extra
	p = take(40, "96 01"+fourAVC+"05 000028 00000002 6588")
	f := p.Other
	if p.Data != nil || p.Keyframe || f == nil || f.Next != nil || f.ID != 5 || !f.Keyframe || f.CTS != 40e6 || len(f.Data) != 6 || f.Track != first.Renditions[1].Track || p.Extra != first {
		t.Errorf("a frame of track 5: %+v, %+v", p, f)
	}
	// Both in one body, and one without a header.
	p = take(80, "a6 13"+fourAVC+"05 000006 00000002 4188 07 000001 aa 00 000006 00000002 4188")
	if f := p.Other; p.Data == nil || f == nil || f.ID != 5 || f.Keyframe || f.Next != nil {
		t.Errorf("a frame of both: %+v, %+v", p, f)
	}
	if p = take(120, "93"+fourAVC+"00000002 6588"); p.Extra != first {
		t.Errorf("nothing has changed: %v", ids(p))
	}
	take(120, "96 02"+fourAVC+"05")
	if p = take(160, "93"+fourAVC+"00000002 6588"); ids(p) != nil {
		t.Errorf("track 5 has ended: %v", ids(p))
	}
}

func TestARenditionWithoutFramesGoesAndComesBack(t *testing.T) {
	t.Parallel()
	d := NewDemuxer(0, 0)
	take := func(ts uint32, body string) *media.Packet {
		t.Helper()
		p, err := d.Video(ts, unhex(body))
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		return p
	}
	shown := func(p *media.Packet) bool { return p.Extra.Renditions != nil }
	take(0, "90"+fourAVC+avcRecord)
	take(0, "96 00"+fourAVC+"01"+avcOther)
	at := uint32(0)
	for ; at <= 10_000; at += 100 {
		if !shown(take(at, "a3"+fourAVC+"00000002 4188")) {
			t.Fatalf("it is gone at %d ms", at)
		}
	}
	if shown(take(at, "a3"+fourAVC+"00000002 4188")) {
		t.Error("it is still there after 10 s")
	}
	if !shown(take(at, "96 03"+fourAVC+"01 00000002 6588")) && !shown(take(at, "a3"+fourAVC+"00000002 4188")) {
		t.Error("it is not back")
	}
	// A pause of everything is nobody's absence.
	if at += 12_000; !shown(take(at, "a3"+fourAVC+"00000002 4188")) {
		t.Error("it is gone after a pause of all tracks")
	}
	// No more than maxRenditions are looked into.
	for id := byte(2); id < 60; id++ {
		body := append(unhex("96 00"+fourAVC), id)
		if _, err := d.Video(at, append(body, unhex(avcOther)...)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(take(at, "a3"+fourAVC+"00000002 4188").Extra.Renditions); n != 1+maxRenditions {
		t.Errorf("%d renditions", n)
	}
}
