package flv

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/media"
)

func TestTrackZero(t *testing.T) {
	t.Parallel()
	same := "same" // the body itself, not a copy
	for _, c := range []struct {
		name string
		kind media.Kind
		in   string
		want string // hex; same; empty: nothing of track 0
	}{
		{"legacy video", media.Video, avcKey, same},
		{"legacy audio", media.Audio, aacFrame, same},
		{"an empty body", media.Video, "", same},
		{"data", media.Data, "96 03" + fourAVC + "00 6588", same},
		{"one track by FourCC", media.Video, "91" + fourAVC + "000000 6588", same},
		{"audio by FourCC", media.Audio, "91" + fourOpus + "f872", same},
		{"one track, id 0", media.Video, "96 03" + fourAVC + "00 00000002 6588", "93" + fourAVC + "00000002 6588"},
		{"one track, id 0, inter frame", media.Video, "a6 01" + fourAVC + "00 000028 00000002 41e0", "a1" + fourAVC + "000028 00000002 41e0"},
		{"one track, id 1", media.Video, "96 03" + fourAVC + "01 00000002 6588", ""},
		{"one track without data", media.Video, "96 02" + fourAVC + "00", "92" + fourAVC},
		{"many tracks: 0 behind 1", media.Video, "96 13" + fourAVC + "01 000002 aabb 00 000006 00000002 6588", "93" + fourAVC + "00000002 6588"},
		{"many tracks: 0 before 1", media.Video, "96 13" + fourAVC + "00 000006 00000002 6588 01 000002 aabb", "93" + fourAVC + "00000002 6588"},
		{"many tracks without 0", media.Video, "96 13" + fourAVC + "01 000002 aabb 02 000001 cc", ""},
		{"many codecs", media.Video, "96 23" + fourAV1 + "01 000002 aabb" + fourAVC + "00 000006 00000002 6588", "93" + fourAVC + "00000002 6588"},
		{"sequence start of many", media.Video, "96 10" + fourAV1 + "00 000002 8101 01 000001 cc", "90" + fourAV1 + "8101"},
		{"metadata in a command frame", media.Video, "d6 04" + fourAVC + "00 02", "d4" + fourAVC + "02"},
		{"a command frame has no tracks", media.Video, "d6 00", same},
		{"ModEx is gone", media.Video, "97 02 00000f 06 03" + fourAVC + "00 00000002 6588", "93" + fourAVC + "00000002 6588"},
		{"ModEx of one track stays", media.Video, "97 02 00000f 01" + fourAVC + "000000 6588", same},
		{"ModEx that breaks off", media.Video, "97 10 00", same},
		{"audio, 0 of two", media.Audio, "95 11" + fourAAC + "00 000002 2100 01 000001 aa", "91" + fourAAC + "2100"},
		{"audio, many codecs", media.Audio, "95 21" + fourOpus + "01 000001 aa" + fourAAC + "00 000002 2100", "91" + fourAAC + "2100"},
		{"audio multichannel config", media.Audio, "95 04" + fourOpus + "00 01 02 00000003", "94" + fourOpus + "01 02 00000003"},
		{"audio ModEx", media.Audio, "97 00 aa 05 01" + fourAAC + "00 2100", "91" + fourAAC + "2100"},
		{"track 0 twice", media.Video, "96 13" + fourAVC + "00 000001 aa 00 000001 bb", ""},
		{"a later part is malformed", media.Video, "96 13" + fourAVC + "00 000001 aa 01 0000ff bb", ""},
		{"FourCC breaks off", media.Video, "96 03 6176", ""},
		{"multitrack type 3", media.Video, "96 33" + fourAVC + "00", ""},
		{"multitrack alone", media.Audio, "95", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := unhex(c.in)
			before := bytes.Clone(body)
			got, ok := TrackZero(make([]byte, 3, 64), c.kind, body)
			if !bytes.Equal(body, before) {
				t.Errorf("%s was written to: %x", c.in, body)
			}
			switch want := strings.ReplaceAll(c.want, " ", ""); {
			case want == "":
				if ok {
					t.Errorf("%s: got %x, want nothing", c.in, got)
				}
			case want == same:
				if !ok || len(got) != len(body) || len(body) > 0 && &got[0] != &body[0] {
					t.Errorf("%s: got %x, %t, want the body itself", c.in, got, ok)
				}
			case !ok || hex.EncodeToString(got) != want:
				t.Errorf("%s: got %x, %t, want %s", c.in, got, ok, want)
			}
		})
	}
}

func TestTrackZeroUsesTheBufferItGets(t *testing.T) {
	body := unhex("96 13" + fourAVC + "01 000002 aabb 00 000006 00000002 6588")
	buf := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() {
		if _, ok := TrackZero(buf, media.Video, body); !ok {
			t.Fatal("nothing of track 0")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Whatever is rewritten is the same frame to a reader of one track.
func FuzzTrackZero(f *testing.F) {
	for kind, tagType := range map[media.Kind]uint8{media.Video: TagVideo, media.Audio: TagAudio} {
		for _, tag := range readFile(f, "multi.flv")[:40] {
			if tag.Type == tagType && len(tag.Body) < 512 {
				f.Add(kind == media.Audio, tag.Body)
			}
		}
	}
	f.Add(false, unhex("96 23"+fourAV1+"01 000002 aabb"+fourAVC+"00 000006 00000002 6588"))
	f.Add(false, unhex("d6 04"+fourAVC+"00 02"))
	f.Add(false, unhex("97 02 00000f 06 03"+fourAVC+"00 00000002 6588"))
	f.Add(true, unhex("95 21"+fourOpus+"01 000001 aa"+fourAAC+"00 000002 2100"))
	f.Add(true, unhex("95 04"+fourOpus+"00 01 02 00000003"))
	f.Fuzz(func(t *testing.T, audio bool, body []byte) {
		fuzztime.Bound(t)
		kind := media.Video
		if audio {
			kind = media.Audio
		}
		plain, ok := TrackZero(nil, kind, body)
		if !ok {
			if _, err := feedOne(kind, body); err == nil && hasTrackZero(kind, body) {
				t.Fatalf("%x: nothing of track 0", body)
			}
			return
		}
		if len(plain) > len(body) {
			t.Fatalf("%x grew to %x", body, plain)
		}
		if isMultitrack(kind, plain) {
			t.Fatalf("%x is still a multitrack: %x", body, plain)
		}
		if again, ok := TrackZero(nil, kind, plain); !ok || !bytes.Equal(again, plain) {
			t.Fatalf("%x: rewritten twice %x, once %x", body, again, plain)
		}
		a, errA := feedOne(kind, body)
		b, errB := feedOne(kind, plain)
		for _, want := range []error{ErrNoHeader, ErrMalformed, ErrUnsupported} {
			if errors.Is(errA, want) != errors.Is(errB, want) {
				t.Fatalf("%x: %v; as %x: %v", body, errA, plain, errB)
			}
		}
		if (a == nil) != (b == nil) {
			t.Fatalf("%x: packet %v; as %x: %v", body, a, plain, b)
		}
		if a != nil && (!bytes.Equal(a.Data, b.Data) || a.CTS != b.CTS || a.Keyframe != b.Keyframe || a.Track.FourCC != b.Track.FourCC) {
			t.Fatalf("%x: %+v; as %x: %+v", body, a, plain, b)
		}
	})
}

func feedOne(kind media.Kind, body []byte) (*media.Packet, error) {
	d := NewDemuxer(0, 0)
	if kind == media.Audio {
		return d.Audio(0, body)
	}
	return d.Video(0, body)
}

func hasTrackZero(kind media.Kind, body []byte) bool {
	x, err := parseEx(kind, body)
	if err != nil {
		return false
	}
	_, found, err := findTrackZero(x)
	return found && err == nil
}
