package flv

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A body, what to feed before it, and what comes out.
func TestBodies(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	type result struct {
		Codec      media.Codec
		Data       string
		Keyframe   bool
		Disposable bool
		CTS        time.Duration
	}
	for _, c := range []struct {
		name   string
		audio  bool
		before []string
		in     string
		want   *result
		err    error
	}{
		{"empty video", false, nil, "", nil, nil},
		{"empty audio is silence", true, nil, "", nil, nil},
		{"AVC with negative composition time", false, []string{avcStart}, "27 01 ffffd8 00000002 41e0", &result{media.CodecH264, "0000000241e0", false, false, -40 * ms}, nil},
		{"AVC with the largest composition time", false, []string{avcStart}, "27 01 7fffff 00000002 41e0", &result{media.CodecH264, "0000000241e0", false, false, 8388607 * ms}, nil},
		{"AVC before its header goes to RTMP players", false, nil, avcKey, &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"AVC disposable inter frame", false, []string{avcStart}, "37 01 000000 00000002 01e0", &result{media.CodecH264, "0000000201e0", false, true, 0}, nil},
		{"AVC generated keyframe", false, []string{avcStart}, "47 01 000000 00000002 41e0", &result{media.CodecH264, "0000000241e0", true, false, 0}, nil},
		{"AVC key frame without IDR is accepted", false, []string{avcStart}, "17 01 000000 00000002 41e0", &result{media.CodecH264, "0000000241e0", true, false, 0}, nil},
		{"AVC inter frame with an IDR is a keyframe", false, []string{avcStart}, "27 01 000000 00000002 0605 00000002 6588", &result{media.CodecH264, "000000020605000000026588", true, false, 0}, nil},
		{"AVC frame that is no NAL units passes", false, []string{avcStart}, "27 01 000000 ffffffff 65", &result{media.CodecH264, "ffffffff65", false, false, 0}, nil},
		{"AVC frame without bytes", false, []string{avcStart}, "27 01 000000", nil, nil},
		{"AVC end of sequence", false, []string{avcStart}, "17 02 000000", nil, nil},
		{"AVC end of sequence of two bytes", false, []string{avcStart}, "17 02", nil, nil},
		{"AVC packet type 3", false, []string{avcStart}, "17 03 000000", nil, ErrUnsupported},
		{"AVC tag header breaks off", false, []string{avcStart}, "17 01 0000", nil, ErrMalformed},
		{"AVC header without a record", false, nil, "17 00 000000", nil, ErrMalformed},
		{"command frame", false, nil, "57 00", nil, nil},
		{"VP6 passes untouched", false, nil, "14 00 aabb", &result{media.CodecOther, "00aabb", true, false, 0}, nil},
		{"VP6 without a frame", false, nil, "14", nil, nil},
		{"legacy HEVC before its header", false, nil, "1c 01 000000 00000002 2601", &result{media.CodecHEVC, "000000022601", true, false, 0}, nil},

		{"AAC", true, []string{aacStart}, aacFrame, &result{media.CodecAAC, "2100", false, false, 0}, nil},
		{"AAC before its header", true, nil, aacFrame, &result{media.CodecAAC, "2100", false, false, 0}, nil},
		{"AAC frame without bytes", true, []string{aacStart}, "af 01", nil, nil},
		{"AAC tag header breaks off", true, nil, "af", nil, ErrMalformed},
		{"AAC packet type 2", true, nil, "af 02 00", nil, ErrUnsupported},
		{"Nellymoser passes untouched", true, nil, "6e aabb", &result{media.CodecOther, "aabb", false, false, 0}, nil},
		{"MP3 that cannot be read passes", true, nil, "2f aabb", &result{media.CodecMP3, "aabb", false, false, 0}, nil},

		{"AVC by FourCC, coded frames", false, []string{"90" + fourAVC + avcRecord}, "a1" + fourAVC + "000028 00000002 41e0", &result{media.CodecH264, "0000000241e0", false, false, 40 * ms}, nil},
		{"AVC by FourCC, coded frames X", false, []string{"90" + fourAVC + avcRecord}, "93" + fourAVC + "00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"AVC by FourCC, composition time breaks off", false, []string{"90" + fourAVC + avcRecord}, "91" + fourAVC + "0000", nil, ErrMalformed},
		{"AVC by FourCC before its header", false, nil, "91" + fourAVC + "000000 00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"AV1 has no composition time", false, []string{"90" + fourAV1 + av1Record}, "a1" + fourAV1 + "1200 3201", &result{media.CodecAV1, "12003201", false, false, 0}, nil},
		{"AV1 started by a TS descriptor", false, []string{"95" + fourAV1 + "80 04 81010c00"}, "a1" + fourAV1 + "1200", &result{media.CodecAV1, "1200", false, false, 0}, nil},
		{"a TS descriptor that breaks off", false, nil, "95" + fourAV1 + "80 04 8101", nil, ErrMalformed},
		{"a TS descriptor of another codec", false, nil, "95" + fourAVC + "80 04 81010c00", nil, ErrUnsupported},
		{"VP9 needs no header", false, nil, "a1" + fourVP9 + "86", &result{media.CodecVP9, "86", false, false, 0}, nil},
		{"unknown FourCC passes untouched", false, []string{"90" + fourX + "01"}, "91" + fourX + "aabb", &result{media.CodecOther, "aabb", true, false, 0}, nil},
		{"sequence end", false, nil, "92" + fourAVC, nil, nil},
		{"metadata with a command frame type", false, nil, "d4" + fourAVC + "02", nil, nil},
		{"ex command frame without FourCC", false, nil, "d1 00", nil, nil},
		{"FourCC breaks off", false, nil, "91 6176", nil, ErrMalformed},
		{"video packet type 8", false, nil, "98" + fourAVC, nil, ErrUnsupported},
		{"ModEx: nanoseconds are skipped", false, []string{"90" + fourAVC + avcRecord}, "97 02 00000f 01" + fourAVC + "000000 00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"ModEx twice, unknown kinds", false, []string{"90" + fourAVC + avcRecord}, "97 00 ff 57 01 eeee 13" + fourAVC + "00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"ModEx of 256 bytes by the long size", false, []string{"90" + fourAVC + avcRecord}, "97 ff 00ff" + strings.Repeat("ee", 256) + "03" + fourAVC + "00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"ModEx longer than the body", false, nil, "97 10 00", nil, ErrMalformed},
		{"ModEx without what follows it", false, nil, "97 00 ff", nil, ErrMalformed},
		{"ModEx long size breaks off", false, nil, "97 ff 00", nil, ErrMalformed},
		{"ModEx alone", false, nil, "97", nil, ErrMalformed},

		{"one track, id 0", false, []string{"96 00" + fourAVC + "00" + avcRecord}, "96 03" + fourAVC + "00 00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"one track, id 1, before its header", false, []string{"90" + fourAVC + avcRecord}, "96 03" + fourAVC + "01 00000002 6588", nil, ErrNoHeader},
		{"one track, id 1", false, []string{"96 00" + fourAVC + "01" + avcRecord}, "96 03" + fourAVC + "01 00000002 6588", &result{media.CodecH264, "", false, false, 0}, nil},
		{"one track, id 1, of a codec without header", false, nil, "96 01" + fourVP9 + "01 86", &result{media.CodecVP9, "", false, false, 0}, nil},
		{"one track, id 1, has an empty frame", false, nil, "96 01" + fourVP9 + "01", &result{media.CodecVP9, "", false, false, 0}, nil},
		{"audio, one track, id 3", true, []string{"95 00" + fourOpus + "03" + opusHead}, "95 01" + fourOpus + "03 f872", &result{media.CodecOpus, "", false, false, 0}, nil},
		{"many tracks: 0 behind 1", false, []string{"90" + fourAVC + avcRecord}, "96 13" + fourAVC + "01 000002 aabb 00 000006 00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"many tracks: 0 before 1", false, []string{"90" + fourAVC + avcRecord}, "96 13" + fourAVC + "00 000006 00000002 6588 01 000002 aabb", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"many codecs", false, []string{"90" + fourAVC + avcRecord}, "96 23" + fourAV1 + "01 000002 aabb" + fourAVC + "00 000006 00000002 6588", &result{media.CodecH264, "000000026588", true, false, 0}, nil},
		{"track 0 twice", false, []string{"90" + fourAVC + avcRecord}, "96 13" + fourAVC + "00 000001 aa 00 000001 bb", nil, ErrMalformed},
		{"track longer than the body", false, []string{"90" + fourAVC + avcRecord}, "96 13" + fourAVC + "00 000006 00000002 6588 01 0000ff aabb", nil, ErrMalformed},
		{"track size breaks off", false, nil, "96 13" + fourAVC + "01 0000", nil, ErrMalformed},
		{"multitrack without tracks", false, nil, "96 13" + fourAVC, nil, ErrMalformed},
		{"multitrack within multitrack", false, nil, "96 06" + fourAVC + "00", nil, ErrMalformed},
		{"multitrack type 3", false, nil, "96 33" + fourAVC + "00", nil, ErrUnsupported},
		{"multitrack alone", false, nil, "96", nil, ErrMalformed},

		{"Opus", true, []string{"90" + fourOpus + opusHead}, "91" + fourOpus + "f872", &result{media.CodecOpus, "f872", false, false, 0}, nil},
		{"Opus comments are no header", true, []string{"90" + fourOpus + opusHead, "90" + fourOpus + "4f70757354616773 00"}, "91" + fourOpus + "f872", &result{media.CodecOpus, "f872", false, false, 0}, nil},
		{"Opus before its header", true, nil, "91" + fourOpus + "f872", &result{media.CodecOpus, "f872", false, false, 0}, nil},
		{"AAC by FourCC", true, []string{"90" + fourAAC + "1210"}, "91" + fourAAC + "2100", &result{media.CodecAAC, "2100", false, false, 0}, nil},
		{"MP3 by FourCC", true, []string{"90" + fourMP3}, "91" + fourMP3 + "fffb9064", &result{media.CodecMP3, "fffb9064", false, false, 0}, nil},
		{"AC-3 by FourCC", true, nil, "91" + fourAC3 + "0b7738900c4043e106f0010c", &result{media.CodecAC3, "0b7738900c4043e106f0010c", false, false, 0}, nil},
		{"unknown audio FourCC passes untouched", true, []string{"90" + fourX + "01"}, "91" + fourX + "aabb", &result{media.CodecOther, "aabb", false, false, 0}, nil},
		{"audio frame without bytes", true, nil, "91" + fourMP3, nil, nil},
		{"multichannel config, native", true, nil, "94" + fourOpus + "01 02 00000003", nil, nil},
		{"multichannel config, custom", true, nil, "94" + fourOpus + "02 02 0001", nil, nil},
		{"multichannel config breaks off", true, nil, "94" + fourOpus + "01 02 0000", nil, ErrMalformed},
		{"audio sequence end", true, nil, "92" + fourOpus, nil, nil},
		{"audio packet type 3 is reserved", true, nil, "93" + fourOpus, nil, ErrUnsupported},
		{"audio multitrack: 0 of two", true, []string{"95 10" + fourAAC + "00 000002 1210 01 000002 1188"}, "95 11" + fourAAC + "00 000002 2100 01 000001 aa", &result{media.CodecAAC, "2100", false, false, 0}, nil},
		{"audio ModEx", true, []string{"90" + fourAAC + "1210"}, "97 00 aa 01" + fourAAC + "2100", &result{media.CodecAAC, "2100", false, false, 0}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := NewDemuxer(0, 0)
			take := d.Video
			if c.audio {
				take = d.Audio
			}
			for _, b := range c.before {
				if p, err := take(0, unhex(b)); p != nil || err != nil {
					t.Fatalf("header %s: got %v, %v", b, p, err)
				}
			}
			body := unhex(c.in)
			p, err := take(0, body)
			if !errors.Is(err, c.err) || c.err == nil && err != nil {
				t.Fatalf("%s: got error %v, want %v", c.in, err, c.err)
			}
			var got *result
			if p != nil {
				checkPacket(t, p, body)
				got = &result{p.Track.Codec, hex.EncodeToString(p.Data), p.Keyframe, p.Disposable, p.CTS}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.in, diff)
			}
		})
	}
}
