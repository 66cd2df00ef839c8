package media_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Whole pictures come when the next one begins, with the sound behind them; or when
// there was sound for more than 200 ms.
func TestWholePicturesAndSingleSounds(t *testing.T) {
	t.Parallel()
	s := mediatest.NewScript(t)
	picture := func(ms int, goesOn bool) *media.Packet {
		s.Put(s.Video, time.Duration(ms)*time.Millisecond, !goesOn)
		p := s.Packets[len(s.Packets)-1]
		p.Continues = goesOn
		return p
	}
	sound := func(ms int) *media.Packet {
		s.Put(s.Audio, time.Duration(ms)*time.Millisecond, false)
		return s.Packets[len(s.Packets)-1]
	}
	var f media.Frames
	add := func(p *media.Packet) string {
		var got []string
		for _, p := range f.Add(nil, p) {
			got = append(got, fmt.Sprint("va"[p.Track.Kind:p.Track.Kind+1], p.DTS.Milliseconds(), "+", len(p.Data)/14))
		}
		return strings.Join(got, " ")
	}
	for i, c := range []struct {
		p    *media.Packet
		want string
	}{
		{sound(0), "a0+0"},
		{picture(10, true), ""},
		{picture(20, false), ""},
		{sound(30), ""},
		{sound(220), ""},
		{picture(20, true), ""},
		{sound(221), "v20+2 a30+0 a220+0 a221+0"},
		{sound(230), "a230+0"},
		{picture(20, true), ""},
		{picture(240, false), ""},
		{picture(280, false), "v240+1"},
	} {
		if got := add(c.p); got != c.want {
			t.Errorf("packet %d: %q, want %q", i, got, c.want)
		}
	}
	// What is no picture or sound of the first track, or has no data, is none.
	for _, p := range []*media.Packet{
		{Track: &media.Track{Kind: media.Data}, Data: []byte{1}},
		{Track: &media.Track{Kind: media.Audio, ID: 1}, Data: []byte{1}},
		{Track: &media.Track{Kind: media.Audio}},
	} {
		if got := f.Add(nil, p); len(got) > 0 {
			t.Errorf("%+v: %d packets", p, len(got))
		}
	}
	// A picture has at most 1024 messages.
	f = media.Frames{}
	f.Add(nil, picture(0, false))
	for range 1100 {
		f.Add(nil, picture(0, true))
	}
	if n := len(f.Rest()); n != 1024 {
		t.Errorf("%d messages of a picture", n)
	}
}

// Several frames in ADTS are single ones, each at its time.
func TestFramesOfADTS(t *testing.T) {
	t.Parallel()
	tr := mediatest.Track(t, media.CodecAAC, mediatest.AACLC48)
	var data []byte
	for i := range 3 {
		h, err := media.ADTSHeader(tr, 2)
		if err != nil {
			t.Fatal(err)
		}
		data = append(append(data, h[:]...), byte(i), byte(i))
	}
	p := &media.Packet{Track: tr, DTS: time.Second, Tag: data, Data: data, ADTS: true}
	got := new(media.Frames).Add(nil, p)
	if len(got) != 3 {
		t.Fatalf("%d frames", len(got))
	}
	for i, q := range got {
		want := time.Second + time.Duration(i)*1024*time.Second/48000
		if d := (q.DTS - want).Abs(); d > time.Microsecond || q.ADTS || q.Tag != nil || !slices.Equal(q.Data, []byte{byte(i), byte(i)}) {
			t.Errorf("frame %d: %+v", i, q)
		}
	}
	if !p.ADTS || p.DTS != time.Second {
		t.Error("the stream's own packet was changed")
	}
}
