package rtmp

import (
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
)

func TestTakesCodec(t *testing.T) {
	list := func(f ...string) *Connect { return &Connect{Enhanced: true, FourCCs: f} }
	for _, c := range []struct {
		name    string
		connect *Connect
		kind    media.Kind
		fourCC  uint32
		want    bool
	}{
		{"nothing announced", nil, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', true},
		{"a connect without codecs", &Connect{CapsEx: 2}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', true},
		{"in the list", list("av01", "hvc1"), media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', true},
		{"not in the list", list("av01", "hvc1"), media.Video, 'v'<<24 | 'p'<<16 | '0'<<8 | '9', false},
		{"audio not in a list of video", list("av01"), media.Audio, 'O'<<24 | 'p'<<16 | 'u'<<8 | 's', false},
		{"any in the list", list("*"), media.Audio, 'O'<<24 | 'p'<<16 | 'u'<<8 | 's', true},
		{"case counts", list("opus"), media.Audio, 'O'<<24 | 'p'<<16 | 'u'<<8 | 's', false},
		{"map decodes", &Connect{VideoFourCC: map[string]uint32{"hvc1": 1}}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', true},
		{"map forwards", &Connect{VideoFourCC: map[string]uint32{"hvc1": 4}}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', true},
		{"map encodes", &Connect{VideoFourCC: map[string]uint32{"hvc1": 2}}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', false},
		{"map encodes, list has it", &Connect{FourCCs: []string{"hvc1"}, VideoFourCC: map[string]uint32{"hvc1": 2}}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', false},
		{"map of other codecs, list has it", &Connect{FourCCs: []string{"hvc1"}, VideoFourCC: map[string]uint32{"av01": 1}}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', true},
		{"map decodes any", &Connect{VideoFourCC: map[string]uint32{"*": 1, "hvc1": 2}}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', true},
		{"map encodes any", &Connect{VideoFourCC: map[string]uint32{"*": 2}}, media.Video, 'h'<<24 | 'v'<<16 | 'c'<<8 | '1', false},
		{"video map alone says no audio", &Connect{VideoFourCC: map[string]uint32{"*": 1}}, media.Audio, 'O'<<24 | 'p'<<16 | 'u'<<8 | 's', false},
		{"audio map", &Connect{AudioFourCC: map[string]uint32{"Opus": 5}}, media.Audio, 'O'<<24 | 'p'<<16 | 'u'<<8 | 's', true},
	} {
		if got := c.connect.TakesCodec(c.kind, c.fourCC); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
	legacy := list("av01")
	for _, c := range []struct {
		track media.Track
		want  bool
	}{
		{media.Track{Kind: media.Video, Codec: media.CodecH264, LegacyID: 7}, true},
		{media.Track{Kind: media.Audio, Codec: media.CodecAAC, LegacyID: 10}, true},
		{media.Track{Kind: media.Video, Codec: media.CodecHEVC, LegacyID: 12}, false},
		{media.Track{Kind: media.Video, Codec: media.CodecH264, FourCC: 'a'<<24 | 'v'<<16 | 'c'<<8 | '1', LegacyID: 255}, false},
	} {
		if got := legacy.Takes(&c.track); got != c.want {
			t.Errorf("%s by codec id %d: got %t", c.track.Codec, c.track.LegacyID, got)
		}
	}
}
