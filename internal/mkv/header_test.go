package mkv

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// Elements as RFC 9559 §5.1 and RFC 8794 §11.2 name them: m is a master element, u an
// unsigned integer, f a float, s a string, d a date, b is binary.
var named = map[uint32]struct{ name, typ string }{
	0x1a45dfa3: {"EBML", "m"},
	0x4286:     {"EBMLVersion", "u"},
	0x42f7:     {"EBMLReadVersion", "u"},
	0x42f2:     {"EBMLMaxIDLength", "u"},
	0x42f3:     {"EBMLMaxSizeLength", "u"},
	0x4282:     {"DocType", "s"},
	0x4287:     {"DocTypeVersion", "u"},
	0x4285:     {"DocTypeReadVersion", "u"},
	0xec:       {"Void", "v"},
	0x18538067: {"Segment", "m"},
	0x1549a966: {"Info", "m"},
	0x2ad7b1:   {"TimestampScale", "u"},
	0x4489:     {"Duration", "f"},
	0x4d80:     {"MuxingApp", "s"},
	0x5741:     {"WritingApp", "s"},
	0x4461:     {"DateUTC", "d"},
	0x1654ae6b: {"Tracks", "m"},
	0xae:       {"TrackEntry", "m"},
	0xd7:       {"TrackNumber", "u"},
	0x73c5:     {"TrackUID", "u"},
	0x83:       {"TrackType", "u"},
	0x9c:       {"FlagLacing", "u"},
	0x86:       {"CodecID", "s"},
	0x63a2:     {"CodecPrivate", "b"},
	0x56aa:     {"CodecDelay", "u"},
	0x56bb:     {"SeekPreRoll", "u"},
	0x23e383:   {"DefaultDuration", "u"},
	0xe0:       {"Video", "m"},
	0xb0:       {"PixelWidth", "u"},
	0xba:       {"PixelHeight", "u"},
	0xe1:       {"Audio", "m"},
	0xb5:       {"SamplingFrequency", "f"},
	0x78b5:     {"OutputSamplingFrequency", "f"},
	0x9f:       {"Channels", "u"},
	0x1f43b675: {"Cluster", "m"},
	0xe7:       {"Timestamp", "u"},
	0xa3:       {"SimpleBlock", "k"},
	0x1c53bb6b: {"Cues", "m"},
	0xbb:       {"CuePoint", "m"},
	0xb3:       {"CueTime", "u"},
	0xb7:       {"CueTrackPositions", "m"},
	0xf7:       {"CueTrack", "u"},
	0xf1:       {"CueClusterPosition", "p"},
	0x114d9b74: {"SeekHead", "m"},
	0x4dbb:     {"Seek", "m"},
	0x53ab:     {"SeekID", "b"},
	0x53ac:     {"SeekPosition", "p"},
}

// outline writes down what is in a file, without what is padding and where things are.
func outline(b []byte) string {
	var out []string
	for _, e := range elements(b, 0) {
		n, known := named[e.id]
		text := fmt.Sprintf("%x?", e.id)
		if known {
			text = n.name
		}
		switch n.typ {
		case "m":
			text += "{" + outline(e.body) + "}"
		case "u":
			text += fmt.Sprint("=", number(&e))
		case "f":
			text += fmt.Sprint("=", math.Float64frombits(number(&e)))
		case "s":
			text += "=" + string(e.body)
		case "b":
			text += fmt.Sprintf("=%x", e.body)
		case "d": // nanoseconds since the beginning of 2001
			text += "=" + time.Date(2001, 1, 1, 0, 0, 0, int(number(&e)), time.UTC).Format(time.RFC3339Nano)
		case "k":
			text += fmt.Sprintf("=%d@%d/%x:%s", e.body[0]&0x7f, int16(be.Uint16(e.body[1:])), e.body[3], e.body[4:])
		case "v":
			continue
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestWhatAFileSaysOfItself(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 30, 20, 15, 0, 5, time.UTC)
	const (
		head = "EBML{EBMLVersion=1 EBMLReadVersion=1 EBMLMaxIDLength=4 EBMLMaxSizeLength=8 DocType=matroska DocTypeVersion=4 DocTypeReadVersion=2} " +
			"Segment{Info{TimestampScale=1000000 MuxingApp=rtmpd WritingApp=rtmpd DateUTC=2026-11-30T20:15:00.000000005Z} Tracks{"
		flac = "1000100000000000000000bb80f000000000000000000000000000000000000000ff" // STREAMINFO
	)
	video := func(c media.Codec, config string) *media.Track {
		return &media.Track{Kind: media.Video, Codec: c, Config: []byte(config), Width: 640, Height: 360, NALULength: 4}
	}
	audio := func(c media.Codec, config string, samples int) *media.Track {
		return &media.Track{Kind: media.Audio, Codec: c, Config: []byte(config), SampleRate: 48000, Channels: 2, FrameSamples: samples}
	}
	unhex := func(s string) string {
		var b []byte
		if _, err := fmt.Sscanf(s, "%x", &b); err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	opus := "OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00" // pre-skip 312
	upsampled := audio(media.CodecAAC, "\x2b\x92\x08", 1024)
	upsampled.SampleRate, upsampled.OutputRate, upsampled.Channels = 24000, 48000, 0
	equal := audio(media.CodecAAC, "\x11\x90", 1024)
	equal.OutputRate = 48000
	for _, c := range []struct {
		name         string
		video, audio *media.Track
		frame        string
		want         string
	}{
		{
			"H.264 and AAC", video(media.CodecH264, "avcC"), equal, "",
			"TrackEntry{TrackNumber=1 TrackUID=1 TrackType=1 FlagLacing=0 CodecID=V_MPEG4/ISO/AVC CodecPrivate=61766343 Video{PixelWidth=640 PixelHeight=360}} " +
				"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_AAC CodecPrivate=1190 DefaultDuration=21333333 Audio{SamplingFrequency=48000 Channels=2}}",
		},
		{
			"HEVC and AAC with SBR", video(media.CodecHEVC, "hvcC"), upsampled, "",
			"TrackEntry{TrackNumber=1 TrackUID=1 TrackType=1 FlagLacing=0 CodecID=V_MPEGH/ISO/HEVC CodecPrivate=68766343 Video{PixelWidth=640 PixelHeight=360}} " +
				"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_AAC CodecPrivate=2b9208 DefaultDuration=42666666 Audio{SamplingFrequency=24000 OutputSamplingFrequency=48000 Channels=1}}",
		},
		{
			"AV1 and Opus", video(media.CodecAV1, "av1C"), audio(media.CodecOpus, opus, 960), "",
			"TrackEntry{TrackNumber=1 TrackUID=1 TrackType=1 FlagLacing=0 CodecID=V_AV1 CodecPrivate=61763143 Video{PixelWidth=640 PixelHeight=360}} " +
				"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_OPUS CodecPrivate=4f70757348656164010238018" +
				"0bb0000000000 CodecDelay=6500000 SeekPreRoll=80000000 DefaultDuration=20000000 Audio{SamplingFrequency=48000 Channels=2}}",
		},
		{
			"VP9 alone", video(media.CodecVP9, "vpcC"), nil, "",
			"TrackEntry{TrackNumber=1 TrackUID=1 TrackType=1 FlagLacing=0 CodecID=V_VP9 Video{PixelWidth=640 PixelHeight=360}}",
		},
		{
			"FLAC with the box's head", nil, audio(media.CodecFLAC, unhex("80000022"+flac), 4096), "",
			"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_FLAC CodecPrivate=664c614380000022" + flac +
				" DefaultDuration=85333333 Audio{SamplingFrequency=48000 Channels=2}}",
		},
		{
			"FLAC with its marker", nil, audio(media.CodecFLAC, "fLaC"+unhex("00000022"+flac), 0), "",
			"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_FLAC CodecPrivate=664c614380000022" + flac + " Audio{SamplingFrequency=48000 Channels=2}}",
		},
		{
			"FLAC's STREAMINFO", nil, audio(media.CodecFLAC, unhex(flac), 0), "",
			"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_FLAC CodecPrivate=664c614380000022" + flac + " Audio{SamplingFrequency=48000 Channels=2}}",
		},
		{
			"VP8, whose keyframe says the size", &media.Track{Kind: media.Video, Codec: media.CodecVP8}, audio(media.CodecAC3, "", 1536), "\x10\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00",
			"TrackEntry{TrackNumber=1 TrackUID=1 TrackType=1 FlagLacing=0 CodecID=V_VP8 Video{PixelWidth=320 PixelHeight=180}} " +
				"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_AC3 DefaultDuration=32000000 Audio{SamplingFrequency=48000 Channels=2}}",
		},
		{
			"of unknown size", &media.Track{Kind: media.Video, Codec: media.CodecVP8}, audio(media.CodecMP3, "", 1152), "",
			"TrackEntry{TrackNumber=1 TrackUID=1 TrackType=1 FlagLacing=0 CodecID=V_VP8 Video{PixelWidth=1 PixelHeight=1}} " +
				"TrackEntry{TrackNumber=2 TrackUID=2 TrackType=2 FlagLacing=0 CodecID=A_MPEG/L3 DefaultDuration=24000000 Audio{SamplingFrequency=48000 Channels=2}}",
		},
	} {
		file := new(mediatest.MemFile)
		r := NewRecording(file, created, c.video, c.audio, []byte(c.frame))
		p := &media.Packet{Track: c.video, Keyframe: true, Data: []byte("x")}
		track, seek, block := 1, "", "1@0/80:x"
		if c.video == nil {
			p.Track, track, block = c.audio, 2, "2@0/80:x"
		}
		if err := errors.Join(r.Write(p, 0), r.flush()); err != nil {
			t.Fatal(err)
		}
		want := head + c.want + "} Cluster{Timestamp=0 SimpleBlock=" + block + "}}"
		if got := outline(file.B); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, want)
		}
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		seek = "SeekHead{Seek{SeekID=1549a966 SeekPosition} Seek{SeekID=1654ae6b SeekPosition} Seek{SeekID=1c53bb6b SeekPosition}} "
		duration := fmt.Sprintf(" Duration=%v ", float64(p.Track.FrameDuration())/float64(time.Millisecond))
		want = strings.Replace(strings.Replace(want, "Info{", seek+"Info{", 1), "=1000000 ", "=1000000"+duration, 1)
		want = strings.TrimSuffix(want, "}") + fmt.Sprintf(" Cues{CuePoint{CueTime=0 CueTrackPositions{CueTrack=%d CueClusterPosition}}}}", track)
		if got := outline(file.B); got != want {
			t.Errorf("%s, finished:\ngot  %s\nwant %s", c.name, got, want)
		}
		read(t, file.B, true)
	}
}

func TestWhatMatroskaCanHold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		t    *media.Track
		want bool
	}{
		{nil, false},
		{&media.Track{Kind: media.Video, Codec: media.CodecH264}, false}, // without a header
		{&media.Track{Kind: media.Video, Codec: media.CodecVP8}, true},
		{&media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 44100}, true},
		{&media.Track{Kind: media.Audio, Codec: media.CodecMP3}, false},
		{&media.Track{Kind: media.Audio, Codec: media.CodecSpeex, SampleRate: 16000}, false},
	} {
		if got := Supports(c.t); got != c.want {
			t.Errorf("%+v: %v", c.t, got)
		}
	}
}

// Where clusters begin: each has its first block's time, and the others count from there.
func TestWhereClustersBegin(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sent, want string }{
		{"after a second", "k0 v500 v999 v1000 v1999", "0:0,500,999 1000:0,999"},
		{"with a keyframe, from half a second on", "k0 k499 k500 v1499 v1500", "0:0,499 500:0,999 1500:0"},
		{"not before sound", "k0 a999 a1000 a1999 v2000", "0:0,999,1000,1999 2000:0"},
		{"unless the picture stands still", "k0 a1999 a2000", "0:0,1999 2000:0"},
		{"sound alone", "a0 a499 a500 a999", "0:0,499 500:0,499"},
		{"pictures that are shown before the first", "k100 v60 v140", "100:0,-40,40"},
		{"times between milliseconds", "k10.4 v20.6 v30.5", "10:0,11,21"},
		{"a time that can't be counted from there", "k40000 v7233 v7232", "40000:0,-32767 7232:0"},
	} {
		sound, picture := &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 48000}, &media.Track{Kind: media.Video, Codec: media.CodecVP8}
		video := picture
		if !strings.Contains(c.sent, "k0") && !strings.Contains(c.sent, "k1") && !strings.Contains(c.sent, "k4") {
			video = nil
		}
		file := new(mediatest.MemFile)
		r := NewRecording(file, time.Now(), video, sound, nil)
		for word := range strings.FieldsSeq(c.sent) {
			var ms float64
			if _, err := fmt.Sscan(word[1:], &ms); err != nil {
				t.Fatal(err)
			}
			p := &media.Packet{Track: picture, Keyframe: word[0] == 'k', Data: []byte("x")}
			if word[0] == 'a' {
				p.Track, p.Keyframe = sound, video == nil
			}
			if err := r.Write(p, time.Duration(ms*1e6)); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range elements(elements(file.B, 0)[1].body, 0) {
			if e.id != idCluster {
				continue
			}
			var times []string
			es := elements(e.body, 0)
			for _, b := range es[1:] {
				times = append(times, fmt.Sprint(int16(be.Uint16(b.body[1:]))))
			}
			got = append(got, fmt.Sprint(number(&es[0]), ":", strings.Join(times, ",")))
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// How long a file is: until the end of its last frame, which is as long as the one before,
// or as its codec says.
func TestHowLongARecordingIs(t *testing.T) {
	t.Parallel()
	picture, sound := &media.Track{Kind: media.Video, Codec: media.CodecVP8}, &media.Track{Kind: media.Audio, Codec: media.CodecMP3, SampleRate: 48000, FrameSamples: 1152}
	opus := &media.Track{Kind: media.Audio, Codec: media.CodecOpus, SampleRate: 48000, FrameSamples: 960, Config: []byte("OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00")}
	for _, c := range []struct {
		name  string
		track *media.Track
		at    []int
		want  float64
	}{
		{"pictures", picture, []int{0, 40, 80}, 120},
		{"one picture", picture, []int{0}, 0},
		{"after a gap of a second", picture, []int{0, 40, 1040}, 1080},
		{"after less", picture, []int{0, 40, 1039}, 2038},
		{"out of order", picture, []int{0, 80, 40, 120}, 160},
		{"sound", sound, []int{0, 24, 70}, 94},
		{"Opus, whose beginning is not heard", opus, []int{0, 20}, 40},
		{"before the file", picture, []int{-500, 40}, 80},
	} {
		file := new(mediatest.MemFile)
		r := NewRecording(file, time.Now(), map[bool]*media.Track{true: c.track}[c.track.Kind == media.Video], map[bool]*media.Track{true: c.track}[c.track.Kind == media.Audio], nil)
		for i, at := range c.at {
			if err := r.Write(&media.Packet{Track: c.track, Keyframe: i == 0, Data: []byte("x")}, time.Duration(at)*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Finish(); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf(" Duration=%v ", c.want); !strings.Contains(outline(file.B), want) {
			t.Errorf("%s: want%sin %s", c.name, want, outline(file.B))
		}
	}
}

// A file that can't be finished is what it was before, and says what it could not write.
func TestARecordingThatCannotBeFinished(t *testing.T) {
	t.Parallel()
	picture := &media.Track{Kind: media.Video, Codec: media.CodecVP8}
	whole := new(mediatest.MemFile)
	write := func(file *mediatest.MemFile) (*Recording, error) {
		r := NewRecording(file, time.Now(), picture, nil, nil)
		for i := range 40 {
			if err := r.Write(&media.Packet{Track: picture, Keyframe: i%20 == 0, Data: make([]byte, 100)}, time.Duration(i)*50*time.Millisecond); err != nil {
				return r, err
			}
		}
		return r, r.flush()
	}
	r, err := write(whole)
	if err != nil || r.Size() != r.Written() || r.Written() != int64(len(whole.B)) {
		t.Fatalf("%v: %d of %d bytes are written", err, r.Written(), r.Size())
	}
	full := &mediatest.MemFile{Room: len(whole.B) + 5} // for a part of the cues
	r, err = write(full)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Finish(); !errors.Is(err, mediatest.ErrFull) || !strings.Contains(err.Error(), "mkv: write the cues") || len(full.B) != len(whole.B) {
		t.Errorf("%v, %d bytes of %d", err, len(full.B), len(whole.B))
	}
	short := &mediatest.MemFile{Room: len(whole.B) - 5} // for a part of the last cluster
	r, err = write(short)
	if !errors.Is(err, mediatest.ErrFull) || !strings.Contains(err.Error(), "mkv: write: ") || int64(len(short.B)) != r.Written() || len(read(t, short.B, false)) != 20 {
		t.Errorf("%v, %d bytes, %d blocks", err, len(short.B), len(read(t, short.B, false)))
	}
	if err := r.Write(&media.Packet{Track: picture}, time.Hour); err == nil || r.End() != nil {
		t.Errorf("it goes on: %v", err)
	}
	short.Room = 0
	if err := r.Finish(); err != nil || len(read(t, short.B, true)) != 20 {
		t.Errorf("%v, %d blocks", err, len(read(t, short.B, true)))
	}
	if err := NewRecording(new(mediatest.MemFile), time.Now(), picture, nil, nil).Finish(); err != nil {
		t.Errorf("nothing was written: %v", err)
	}
}
