package interop

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortmplib"
	"github.com/bluenviron/gortmplib/pkg/codecs"
	"github.com/bluenviron/gortmplib/pkg/message"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// TestGortmplibPlaysEnhancedRTMP has the implementation behind MediaMTX watch
// what is published: it announces no codecs, and gets track 0 whatever it is.
// It gives up a stream of which it is told a track twice.
func TestGortmplibPlaysEnhancedRTMP(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct{ file, video, audio string }{
		{"hevc", "H265", "MPEG4Audio"},
		{"av1", "AV1", "MPEG4Audio"},
		{"av1opus", "AV1", "Opus"},
		{"h264opus", "H264", "Opus"},
		{"multi", "H264", "MPEG4Audio"},
	} {
		beside.Run(c.file, func(t *testing.T) {
			w := watchGortmplib(t, s, c.file)
			tags := flvTags(t, filepath.Join("../../internal/flv/testdata", c.file+".flv"))
			sent := publishTags(t, s, c.file, tags)
			w.expect(t, sent, soundBeforePicture(tags), c.video, c.audio)
		})
	}
}

// soundBeforePicture is how many frames of sound come before the first picture. A
// player begins at a keyframe if it is there when the player is served first, and does
// not get them then. Multitrack bodies hold the tracks beyond the first.
func soundBeforePicture(tags []flvTag) (n int) {
	for _, tag := range tags {
		first := tag.body[0]
		enhanced := tag.kind == tagVideo && first&0x80 != 0 || tag.kind == tagAudio && first>>4 == 9
		frame := tag.kind != tagScript && tag.body[1] == 1
		if enhanced { // Enhanced RTMP v2: CodedFrames, CodedFramesX
			frame = first&0x0f == 1 || tag.kind == tagVideo && first&0x0f == 3
		}
		switch {
		case frame && tag.kind == tagVideo:
			return n
		case frame:
			n++
		}
	}
	return n
}

// TestGortmplibPublishesTwoOfEach sends two video and two audio tracks, the
// second of each as Multitrack. One that can take them gets all, MediaMTX's side
// of it the first.
func TestGortmplibPublishesTwoOfEach(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	w := watchGortmplib(t, s, "two")

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := rtmp.Dial(ctx, "rtmp://"+s.rtmp+"/live", rtmp.ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Play(ctx, "two"); err != nil {
		t.Fatal(err)
	}
	var plain, others atomic.Int64
	done := make(chan struct{})
	defer func() { _ = c.Close(); <-done }()
	go func() {
		defer close(done)
		for {
			m, err := c.ReadMessage()
			if err != nil {
				return
			}
			multitrack := m.Type == rtmp.TypeVideo && m.Payload[0]&0x8f == 0x86 || m.Type == rtmp.TypeAudio && m.Payload[0] == 0x95
			switch {
			case multitrack && m.Payload[1]&0xf != 0 && m.Payload[6] == 1:
				others.Add(1)
			case (m.Type == rtmp.TypeVideo || m.Type == rtmp.TypeAudio) && !multitrack && m.Payload[1] != 0:
				plain.Add(1)
			}
		}
	}()

	sent := publishTwoOfEach(t, s, "two")
	w.expect(t, sent, 0, "H264", "MPEG4Audio")
	eventually(t, 90*time.Second, "all frames of both tracks", func() bool {
		n := int64(sent.video + sent.audio)
		return plain.Load() == n && others.Load() == n
	})
}

// A gortmplibPlayer counts what gortmplib makes of a stream.
type gortmplibPlayer struct {
	client       *gortmplib.Client
	tracks       chan []*gortmplib.Track
	err          error // after done
	done         chan struct{}
	video, audio atomic.Int64
}

// watchGortmplib plays a stream that is to come.
func watchGortmplib(t *testing.T, s *server, stream string) *gortmplibPlayer {
	t.Helper()
	u, err := url.Parse("rtmp://" + s.rtmp + "/live#" + stream)
	if err != nil {
		t.Fatal(err)
	}
	p := &gortmplibPlayer{client: &gortmplib.Client{URL: u}, tracks: make(chan []*gortmplib.Track, 1), done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := p.client.Initialize(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.client.Close(); <-p.done })
	go func() {
		defer close(p.done)
		p.err = p.play()
	}()
	return p
}

func (p *gortmplibPlayer) play() error {
	r := &gortmplib.Reader{Conn: p.client}
	if err := r.Initialize(); err != nil {
		return err
	}
	for _, track := range r.Tracks() {
		switch track.Codec.(type) {
		case *codecs.H264:
			r.OnDataH264(track, func(_, _ time.Duration, au [][]byte) {
				if au[0][0]&0x1f != 7 || len(au) > 2 { // not the sequence header, which it hands out as well
					p.video.Add(1)
				}
			})
		case *codecs.H265:
			r.OnDataH265(track, func(_, _ time.Duration, _ [][]byte) { p.video.Add(1) })
		case *codecs.AV1:
			r.OnDataAV1(track, func(time.Duration, [][]byte) { p.video.Add(1) })
		case *codecs.Opus:
			r.OnDataOpus(track, func(time.Duration, []byte) { p.audio.Add(1) })
		case *codecs.MPEG4Audio:
			r.OnDataMPEG4Audio(track, func(time.Duration, []byte) { p.audio.Add(1) })
		}
	}
	p.tracks <- r.Tracks()
	for {
		if err := r.Read(); err != nil {
			return err
		}
	}
}

// expect waits for all frames of one video and one audio track, but for early ones of
// the latter.
func (p *gortmplibPlayer) expect(t *testing.T, sent frames, early int, video, audio string) {
	t.Helper()
	select {
	case tracks := <-p.tracks:
		var got []string
		for _, track := range tracks {
			got = append(got, codecName(track.Codec))
		}
		if !slices.Equal(got, []string{video, audio}) {
			t.Errorf("gortmplib finds %v, want %s and %s", got, video, audio)
		}
	case <-p.done:
		t.Fatalf("gortmplib: %v", p.err)
	case <-time.After(time.Minute):
		t.Fatal("gortmplib finds no tracks")
	}
	defer func() {
		if t.Failed() {
			t.Logf("%d pictures of %d, %d frames of sound of %d, %d of them early", p.video.Load(), sent.video, p.audio.Load(), sent.audio, early)
		}
	}()
	eventually(t, 90*time.Second, "every frame at gortmplib", func() bool {
		n := p.audio.Load()
		return p.video.Load() == int64(sent.video) && n >= int64(sent.audio-early) && n <= int64(sent.audio)
	})
}

func codecName(c codecs.Codec) string {
	switch c.(type) {
	case *codecs.H264:
		return "H264"
	case *codecs.H265:
		return "H265"
	case *codecs.AV1:
		return "AV1"
	case *codecs.Opus:
		return "Opus"
	case *codecs.MPEG4Audio:
		return "MPEG4Audio"
	}
	return "?"
}

// publishTwoOfEach sends four seconds of the test card as both video and both
// audio tracks, at twice the speed of time, and returns the frames of a track.
func publishTwoOfEach(t *testing.T, s *server, stream string) (sent frames) {
	t.Helper()
	u, err := url.Parse("rtmp://" + s.rtmp + "/live#" + stream)
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
	h264, aac := new(codecs.H264), &codecs.MPEG4Audio{Config: &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: 48000, ChannelCount: 2}}
	video := []*gortmplib.Track{{Codec: h264}, {Codec: h264}}
	audio := []*gortmplib.Track{{Codec: aac}, {Codec: aac}}
	w := &gortmplib.Writer{Conn: client, Tracks: slices.Concat(video, audio)}
	begun, opened := false, time.Now()
	for _, tag := range flvTags(t, testcard) {
		at := time.Duration(tag.timestamp) * time.Millisecond
		switch {
		case at > 4*time.Second:
			return sent
		case tag.kind == tagVideo && tag.body[1] == 0:
			h264.SPS, h264.PPS = parameterSets(tag.body[5:])
			continue
		case tag.kind == tagAudio && tag.body[1] == 0, tag.kind == tagScript:
			continue
		}
		if !begun {
			if err := w.Initialize(); err != nil {
				t.Fatal(err)
			}
			// Text, as encoders with captions send it, between the frames.
			text := &message.DataAMF0{ChunkStreamID: 4, MessageStreamID: 0x1000000, Payload: []any{"onTextData", "hello"}}
			if err := client.Write(text); err != nil {
				t.Fatal(err)
			}
			begun = true
		}
		time.Sleep(time.Until(opened.Add(at / 2)))
		for i := range 2 {
			if tag.kind == tagVideo {
				err = w.WriteH264(video[i], at, at, nalUnits(tag.body[5:]))
			} else {
				err = w.WriteMPEG4Audio(audio[i], at, tag.body[2:])
			}
			if err != nil {
				t.Fatalf("gortmplib at %s: %v", at, err)
			}
		}
		if tag.kind == tagVideo {
			sent.video++
		} else {
			sent.audio++
		}
	}
	return sent
}
