package mp4

import (
	"bytes"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/mp4/codecs"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Another implementation reads what the initialisation segment says of each codec.
func TestInitialisationSegmentsOfAllCodecs(t *testing.T) {
	t.Parallel()
	read := func(name string) []byte {
		b, err := os.ReadFile("../mpegts/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	parsed := func(tr media.Track, err error) *media.Track {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return &tr
	}
	ac3, eac3 := read("tone.ac3"), read("tone.eac3")
	mp3 := []byte{0xff, 0xfb, 0x90, 0x64, 0, 0, 0, 0}
	stream := "664c6143" + "80000022" + "10001000" + "000000" + "000000" + "0ac442f0" + "00000000" + "00000000000000000000000000000000"
	for _, c := range []struct {
		name  string
		track *media.Track
		frame []byte
		check func(codecs.Codec) bool
	}{
		{"H.264", mediatest.Track(t, media.CodecH264, mediatest.AVCHigh1080), nil, func(c codecs.Codec) bool {
			x, ok := c.(*codecs.H264)
			return ok && len(x.SPS) == 25 && len(x.PPS) == 6
		}},
		{"AAC", mediatest.Track(t, media.CodecAAC, mediatest.AACLC44), nil, func(c codecs.Codec) bool {
			x, ok := c.(*codecs.MPEG4Audio)
			return ok && x.Config.SampleRate == 44100 && x.Config.ChannelConfig == 2
		}},
		{"Opus", mediatest.Track(t, media.CodecOpus, "4f70757348656164"+"0102380180bb0000000000"), nil, func(c codecs.Codec) bool {
			x, ok := c.(*codecs.Opus)
			return ok && x.ChannelCount == 2
		}},
		{"FLAC", mediatest.Track(t, media.CodecFLAC, stream), nil, func(c codecs.Codec) bool {
			x, ok := c.(*codecs.FLAC)
			return ok && x.StreamInfo.SampleRate == 44100
		}},
		{"AC-3", parsed(media.ParseAC3(ac3)), ac3, func(c codecs.Codec) bool {
			x, ok := c.(*codecs.AC3)
			return ok && x.SampleRate > 0 && x.ChannelCount > 0
		}},
		{"E-AC-3", parsed(media.ParseEAC3(eac3)), eac3[:len(eac3)/2], func(c codecs.Codec) bool {
			x, ok := c.(*codecs.EAC3)
			return ok && x.SampleRate > 0 && x.ChannelCount > 0
		}},
		{"MP3", parsed(media.ParseMP3(mp3)), mp3, func(c codecs.Codec) bool {
			x, ok := c.(*codecs.MPEG1Audio)
			return ok && x.SampleRate == 44100
		}},
	} {
		if !Supports(c.track) {
			t.Errorf("%s is not supported", c.name)
			continue
		}
		b, err := AppendInit(AppendFileType(nil, "iso6"), time.Now(), Track{ID: 1, Media: c.track, Frame: c.frame})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var init fmp4.Init
		if err := init.Unmarshal(bytes.NewReader(b)); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if len(init.Tracks) != 1 || init.Tracks[0].TimeScale != Timescale(c.track) || !c.check(init.Tracks[0].Codec) {
			t.Errorf("%s: %+v", c.name, init.Tracks[0])
		}
	}
}

// What MP4 has no place for is refused before it is tried.
func TestWhatMP4CannotHold(t *testing.T) {
	t.Parallel()
	for _, tr := range []*media.Track{
		nil,
		{Kind: media.Audio, Codec: media.CodecSpeex, SampleRate: 16000},
		{Kind: media.Video, Codec: media.CodecOther, LegacyID: 4},
		{Kind: media.Video, Codec: media.CodecH264}, // no header yet
		{Kind: media.Audio, Codec: media.CodecFLAC, Config: []byte{1, 2}, SampleRate: 44100},
		{Kind: media.Audio, Codec: media.CodecMP3}, // no frame could be read
	} {
		if Supports(tr) {
			t.Errorf("%+v is supported", tr)
		}
	}
}

func TestSamplesOfFLACFrames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header string
		want   int64
	}{
		{"fff8c91800", 4096},
		{"fff9191800", 192},
		{"fff8291800", 576},
		{"fff8591800", 4608},
		{"fff8891800", 256},
		{"fff8f91800", 32768},
		{"fff8691800ff", 256},
		{"fff879180010ff", 4352},
		{"fff86918e4bda00f", 16},
		{"fff869187f0e", 15},
		{"fff8091800", 0},
		{"fff8691800", 0},
		{"fff879180010", 0},
		{"fff869", 0},
		{"00f8c91800", 0},
		{"", 0},
		{"fff86918ff", 0},
	} {
		b, err := hex.DecodeString(c.header)
		if err != nil {
			t.Fatal(err)
		}
		if got := FrameSamples(&media.Track{Codec: media.CodecFLAC}, b); got != c.want {
			t.Errorf("%s: %d samples, want %d", c.header, got, c.want)
		}
	}
}
