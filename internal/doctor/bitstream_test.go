package doctor

import (
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
)

func TestWhereACodecPlays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		track media.Track
		hls   time.Duration
		want  string // finding
		says  []string
	}{
		{"AV1", media.Track{Codec: media.CodecAV1, Config: []byte{0x81}}, 2 * s, "video_not_in_hls", []string{"HLS viewers see nothing", "carry AV1", "H.264"}},
		{"VP9", media.Track{Codec: media.CodecVP9}, 2 * s, "video_not_in_hls", []string{"VP9", "H.264"}},
		{"HEVC", media.Track{Codec: media.CodecHEVC, NALULength: 4}, 2 * s, "video_few_browsers", []string{"Safari", "Chrome", "H.264"}},
		{"H.264", media.Track{Codec: media.CodecH264, NALULength: 4}, 2 * s, "", nil},
		{"Opus", media.Track{Kind: media.Audio, Codec: media.CodecOpus, Config: []byte("OpusHead")}, 2 * s, "audio_not_in_hls", []string{"HLS viewers hear nothing", "Opus", "AAC"}},
		{"FLAC", media.Track{Kind: media.Audio, Codec: media.CodecFLAC, Config: []byte("fLaC")}, 2 * s, "audio_not_in_hls", []string{"FLAC", "AAC"}},
		{"Speex", media.Track{Kind: media.Audio, Codec: media.CodecSpeex}, 2 * s, "audio_not_in_hls", []string{"Speex"}},
		{"Nellymoser", media.Track{Kind: media.Audio, Codec: media.CodecOther, LegacyID: 6}, 2 * s, "audio_not_in_hls", []string{"FLV audio codec 6"}},
		{"AC-3", media.Track{Kind: media.Audio, Codec: media.CodecAC3}, 2 * s, "audio_few_browsers", []string{"AC-3", "Chrome"}},
		{"AAC of four corners", media.Track{Kind: media.Audio, Codec: media.CodecAAC, Config: []byte{0x11}, AudioObjectType: 2, FrameSamples: 1024, ProgramConfig: []byte{0xa0}}, 2 * s, "audio_few_browsers", []string{"channel layout"}},
		{"AV1 without HLS", media.Track{Codec: media.CodecAV1, Config: []byte{0x81}}, 0, "", nil},
		{"AAC without a header has a finding of its own", media.Track{Kind: media.Audio, Codec: media.CodecAAC}, 2 * s, "", nil},
	} {
		src := source{seconds: 4}.packets()
		for _, a := range src {
			if a.p.Track.Kind == c.track.Kind {
				a.p.Track = &c.track
			}
		}
		e := play(src, c.hls)
		got := e.Findings()
		if names(got) != c.want {
			t.Errorf("%s: got %q, want %q", c.name, names(got), c.want)
			continue
		}
		for _, say := range c.says {
			if !strings.Contains(got[0].Advice, say) {
				t.Errorf("%s: the advice does not say %q: %s", c.name, say, got[0].Advice)
			}
		}
		// The HLS output logs what it leaves out.
		if reported := len(e.reports) > 0; reported != strings.HasSuffix(c.want, "few_browsers") {
			t.Errorf("%s: reported %v", c.name, e.reports)
		}
	}
}

// A defect is a finding from its first message until it ends.
func TestBitstream(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, x := range defects {
		d := New(start)
		found := d.Bitstream(x.defect, start.Add(ms))
		if len(found) != 1 || found[0].Name != kinds[x.finding].name || found[0].Advice == "" {
			t.Errorf("%b: got %+v", x.defect, found)
			continue
		}
		for i := range 5 {
			now := start.Add(time.Duration(i+1) * s)
			if again := append(d.Bitstream(x.defect, now), d.Examine(now, 0, nil)...); len(again) != 0 {
				t.Errorf("%s is reported again: %+v", found[0].Name, again)
			}
		}
		if got := names(d.Findings()); got != found[0].Name {
			t.Errorf("got %q, want %q", got, found[0].Name)
		}
		for i := range 3 {
			now := start.Add(time.Duration(i+6) * s)
			d.Bitstream(0, now)
			d.Examine(now, 0, nil)
		}
		if got := d.Findings(); len(got) != 0 {
			t.Errorf("%+v stays", got)
		}
	}
	all := media.Defects(0)
	for _, x := range defects {
		all |= x.defect
	}
	if all != media.AllDefects {
		t.Errorf("findings for %b of %b", all, media.AllDefects)
	}
}
