package interop

import (
	"context"
	"encoding/binary"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/codecs"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

const testcard = "../../internal/demo/testcard.flv"

// TestPublishers has everybody publish at once, each a stream of its own, and
// reads every fragment with two readers that are not ours: what was sent is
// there, whole and in order.
func TestPublishers(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	beside := together(t)
	defer beside.Wait()
	for stream, c := range map[string]struct {
		publish func(t *testing.T, s *server, stream string) frames // returns what it sent
	}{
		"ffmpeg-av":         {ffmpegFile("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "30", "-c:a", "aac")},
		"ffmpeg-bframes":    {ffmpegFile("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-b_strategy", "0", "-g", "30", "-c:a", "aac")},
		"ffmpeg-audio-only": {ffmpegFile("-f", "lavfi", "-i", tone, "-c:a", "aac")},
		"ffmpeg-video-only": {ffmpegFile("-f", "lavfi", "-i", picture, "-c:v", "libx264", "-preset", "ultrafast", "-g", "30")},
		// 2^24 ms are over 2.2 s after its start: extended timestamps from there on.
		"ffmpeg-after-4h40m": {ffmpegFileAt("16775", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "30", "-c:a", "aac")},
		"gstreamer-rtmpsink": {gstreamer("rtmpsink", " live=1")},
		"gstreamer-rtmp2":    {gstreamer("rtmp2sink", "")},
		"gortmplib":          {publishGortmplib},
	} {
		beside.Run(stream, func(t *testing.T) {
			sent := c.publish(t, s, stream)
			playlist, fragments := s.ended(t, stream)
			checkTS(t, playlist, fragments, sent)
			decode(t, fragments)
		})
	}
}

const (
	picture = "testsrc2=size=320x180:rate=30:duration=6"
	tone    = "sine=frequency=440:beep_factor=4:sample_rate=48000:duration=6"
)

// ffmpegFile encodes to a file, counts it, and publishes the file in real time.
func ffmpegFile(args ...string) func(*testing.T, *server, string) frames {
	return ffmpegFileAt("0", args...)
}

// ffmpegFileAt is ffmpegFile with timestamps that begin at offset seconds.
func ffmpegFileAt(offset string, args ...string) func(*testing.T, *server, string) frames {
	return func(t *testing.T, s *server, stream string) frames {
		file := filepath.Join(t.TempDir(), "in.flv")
		args := append([]string{"-nostdin", "-v", "error"}, args...)
		succeed(t, command(t, time.Minute, "ffmpeg", append(args, "-pix_fmt", "yuv420p", "-f", "flv", file)...))
		succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-re", "-i", file, "-c", "copy", "-output_ts_offset", offset, "-f", "flv", s.rtmpURL(stream)))
		return probeFile(t, file)
	}
}

// gstreamer publishes 6 s of picture and sound through the sink named: rtmpsink
// is librtmp, rtmp2sink GStreamer's own. The sources are
// not live, for then flvmux gives timestamps that depend on how busy the machine
// is; the sink keeps the pace. The encoder may give a frame of sound more or less
// than asked for, so that is not counted.
func gstreamer(sink, options string) func(*testing.T, *server, string) frames {
	return func(t *testing.T, s *server, stream string) frames {
		succeed(t, command(t, time.Minute, "gst-launch-1.0", "-e", "-q",
			"flvmux", "name=m", "streamable=true", "!", sink, "location="+s.rtmpURL(stream)+options, "sync=true",
			"videotestsrc", "num-buffers=180", "!", "video/x-raw,width=320,height=180,framerate=30/1", "!",
			"x264enc", "tune=zerolatency", "speed-preset=ultrafast", "bitrate=500", "key-int-max=30", "!",
			"video/x-h264,profile=main", "!", "h264parse", "!", "m.",
			"audiotestsrc", "num-buffers=280", "!", "audio/x-raw,rate=48000", "!", "avenc_aac", "!", "aacparse", "!", "m."))
		return frames{video: 180, audio: -1}
	}
}

// publishGortmplib sends the test card with an RTMP implementation that shares
// nothing with ours, four times as fast as real time.
func publishGortmplib(t *testing.T, s *server, stream string) (sent frames) {
	u, err := url.Parse("rtmp://" + s.rtmp + "/live#" + stream) // its way to tell the name from the application
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := &gortmplib.Client{URL: u, Publish: true}
	if err := client.Initialize(ctx); err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	var (
		video  = &gortmplib.Track{Codec: &codecs.H264{}}
		audio  = &gortmplib.Track{Codec: &codecs.MPEG4Audio{Config: &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelCount: 2}}}
		w      = &gortmplib.Writer{Conn: client, Tracks: []*gortmplib.Track{video, audio}}
		begun  bool
		opened = time.Now()
	)
	for _, tag := range flvTags(t, testcard) {
		at := time.Duration(tag.timestamp) * time.Millisecond
		switch {
		case tag.kind == tagVideo && tag.body[1] == 0: // AVCDecoderConfigurationRecord
			h := video.Codec.(*codecs.H264)
			h.SPS, h.PPS = parameterSets(tag.body[5:])
			continue
		case tag.kind == tagAudio && tag.body[1] == 0, tag.kind == tagScript:
			continue
		}
		if !begun {
			if err := w.Initialize(); err != nil {
				t.Fatal(err)
			}
			begun = true
		}
		time.Sleep(time.Until(opened.Add(at / 4)))
		if tag.kind == tagVideo {
			err = w.WriteH264(video, at, at, nalUnits(tag.body[5:]))
			sent.video++
		} else {
			err = w.WriteMPEG4Audio(audio, at, tag.body[2:])
			sent.audio++
		}
		if err != nil {
			t.Fatalf("gortmplib at %s: %v", at, err)
		}
	}
	return sent
}

// decode has ffmpeg decode the fragments as one stream without a complaint.
func decode(t *testing.T, fragments [][]byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "whole.ts")
	var whole []byte
	for _, f := range fragments {
		whole = append(whole, f...)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if out := succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "warning", "-i", path,
		"-enc_time_base:v", "1:90000", // else frames a millisecond apart fall on one tick of its own
		"-f", "null", "-")); out != "" {
		t.Errorf("ffmpeg says while it decodes:\n%s", tail(out, 20))
	}
}

// FLV tag types (FLV 10.1 §E.4.1).
const (
	tagAudio  = 8
	tagVideo  = 9
	tagScript = 18
)

type flvTag struct {
	kind      byte
	timestamp uint32 // ms
	body      []byte
}

// flvTags reads an FLV file whole. It is not internal/flv: that is under test.
func flvTags(t *testing.T, path string) (tags []flvTag) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for b = b[9+4:]; len(b) >= 11; {
		size := int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		at := uint32(b[7])<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
		tags = append(tags, flvTag{b[0], at, b[11 : 11+size]})
		b = b[11+size+4:]
	}
	return tags
}

// parameterSets takes the first SPS and PPS of an avcC (ISO 14496-15 §5.3.3.1).
func parameterSets(avcc []byte) (sps, pps []byte) {
	n := int(binary.BigEndian.Uint16(avcc[6:]))
	sps = avcc[8 : 8+n]
	rest := avcc[8+n+1:]
	return sps, rest[2 : 2+binary.BigEndian.Uint16(rest)]
}

// nalUnits splits a frame with 4-byte lengths.
func nalUnits(b []byte) (units [][]byte) {
	for len(b) > 4 {
		n := binary.BigEndian.Uint32(b)
		units = append(units, b[4:4+n])
		b = b[4+n:]
	}
	return units
}
