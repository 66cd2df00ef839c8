package interop

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// TestEnhancedRTMP pushes recordings that Debian 12's ffmpeg can neither write
// nor read, with our own publisher: HEVC goes into HLS; of what MPEG-TS can't
// carry the log says so in one line, and the rest of the stream is there.
func TestEnhancedRTMP(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		file           string
		rendition      string // with several video tracks, that of the first
		noVideo, noAAC bool
		complaint      string // "can't carry" lines
	}{
		{file: "hevc"},
		{file: "multi", rendition: "_180p"}, // two video tracks of that size and two audio tracks
		{file: "av1", noVideo: true, complaint: "AV1"},
		{file: "h264opus", noAAC: true, complaint: "Opus"},
		{file: "av1opus", noVideo: true, noAAC: true, complaint: "AV1 Opus"},
	} {
		beside.Run(c.file, func(t *testing.T) {
			sent := publishTags(t, s, c.file, flvTags(t, filepath.Join("../../internal/flv/testdata", c.file+".flv")))
			for codec := range strings.FieldsSeq(c.complaint) {
				lines := 0
				for line := range strings.Lines(s.log.String()) {
					if strings.Contains(line, "can't carry "+codec) && strings.Contains(line, `"`+c.file+`"`) {
						lines++
					}
				}
				if lines != 1 {
					t.Errorf("%d lines of the log say that %s can't go into MPEG-TS, want 1", lines, codec)
				}
			}
			if c.noVideo {
				sent.video = 0
			}
			if c.noAAC {
				sent.audio = 0
			}
			if sent == (frames{}) {
				if body, err := get(s.hlsURL(c.file)); err == nil {
					t.Errorf("a playlist with nothing to play:\n%s", body)
				}
				return
			}
			playlist, fragments := s.ended(t, c.file+c.rendition)
			checkTS(t, playlist, fragments, sent)
			decode(t, fragments)
		})
	}
}

// publishTags sends an FLV file's tags with rtmpd's own client, twice as fast as
// real time, and returns the frames of track 0.
func publishTags(t *testing.T, s *server, stream string, tags []flvTag) (sent frames) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := rtmp.Dial(ctx, "rtmp://"+s.rtmp+"/live", rtmp.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	defer func() {
		_ = c.Close() // ends the reader
		<-read
	}()
	err = c.Publish(ctx, stream)
	go func() {
		defer close(read)
		for {
			if _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	}()
	if err != nil {
		t.Fatal(err)
	}
	opened := time.Now()
	for _, tag := range tags {
		since := tag.timestamp - tags[0].timestamp // wraps as timestamps do
		time.Sleep(time.Until(opened.Add(time.Duration(since) * time.Millisecond / 2)))
		m := rtmp.Message{Type: rtmp.MessageType(tag.kind), ChunkStreamID: 6, StreamID: c.StreamID, Timestamp: tag.timestamp, Payload: tag.body}
		if err := c.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		switch first := tag.body[0]; {
		case tag.kind == tagVideo && first&0x80 == 0, tag.kind == tagAudio && first>>4 == 10:
			// FLV 10.1 §E.4.2.1, §E.4.3.1: AACPacketType, AVCPacketType 1 is a frame.
			if tag.body[1] == 1 {
				count(&sent, tag.kind)
			}
		case tag.kind == tagAudio && first>>4 == 2: // MP3 has no header apart
			count(&sent, tag.kind)
		// Enhanced RTMP v2 ExVideoTagHeader and ExAudioTagHeader: CodedFrames,
		// CodedFramesX. Multitrack bodies hold the tracks beyond the first.
		case tag.kind == tagVideo && (first&0x0f == 1 || first&0x0f == 3), tag.kind == tagAudio && first&0x0f == 1:
			count(&sent, tag.kind)
		}
	}
	if err := c.Unpublish(); err != nil {
		t.Fatal(err)
	}
	return sent
}

func count(f *frames, kind byte) {
	if kind == tagVideo {
		f.video++
	} else {
		f.audio++
	}
}
