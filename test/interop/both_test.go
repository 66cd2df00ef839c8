package interop

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// startBoth runs nginx-rtmp and rtmpd, each with an open application "live" and
// otherwise as they come.
func startBoth(t *testing.T) (nginx, rtmpd *side) {
	t.Helper()
	return startNginx(t, "application live { live on; }", nil), startHooked(t, `application "live" {}`, nil)
}

// onBoth does the same with either server at the same time, so that a busy
// machine is as slow for one as for the other, and returns what came of it.
func onBoth[T any](nginx, rtmpd *side, do func(*side) T) (theirs, ours T) {
	var wg sync.WaitGroup
	wg.Go(func() { theirs = do(nginx) })
	ours = do(rtmpd)
	wg.Wait()
	return theirs, ours
}

func (s *side) rtmpURL(stream string) string { return "rtmp://" + s.address + "/live/" + stream }

// encodeClip makes 10 s of picture and tone: H.264 and AAC, a keyframe each 2 s.
func encodeClip(t *testing.T, size, samplerate string) []flvTag {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.flv")
	succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error",
		"-f", "lavfi", "-i", "testsrc2=size="+size+":rate=25:duration=10",
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate="+samplerate+":duration=10",
		"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p",
		"-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-c:a", "aac", "-f", "flv", file))
	return flvTags(t, file)
}

// describeAgain has the clip's metadata come once more with each second, and with
// its time, as some encoders send them.
func describeAgain(clip []flvTag) (out []flvTag) {
	described := clip[0]
	for _, tag := range clip {
		if tag.kind != tagScript && tag.timestamp >= described.timestamp+1000 {
			described.timestamp = tag.timestamp
			out = append(out, described)
		}
		out = append(out, tag)
	}
	return out
}

// A broadcast publishes clips in real time, one after the other and over and
// over, as an encoder does that never stops.
type broadcast struct {
	c    *rtmp.Client
	stop chan struct{}
	next chan []flvTag
	over sync.WaitGroup
}

// broadcast publishes clip until the test is over, or it is cut.
func (s *side) broadcast(stream string, clip []flvTag) *broadcast {
	s.t.Helper()
	c, outcome := s.publish("live", stream)
	if outcome != "publishing" {
		s.t.Errorf("%s: %s is %s", s.name(), stream, outcome)
		return nil
	}
	b := &broadcast{c: c, stop: make(chan struct{}), next: make(chan []flvTag, 1)}
	b.over.Go(func() { b.run(clip) })
	b.over.Go(func() {
		for { // what the server says: acknowledgements, that it was taken over
			if _, err := c.ReadMessage(); err != nil {
				return
			}
		}
	})
	s.t.Cleanup(b.cut)
	return b
}

func (b *broadcast) run(clip []flvTag) {
	const frame = 40 // ms
	for base, opened := uint32(0), time.Now(); ; {
		for i, tag := range clip {
			select {
			case <-b.stop:
				return
			case next := <-b.next:
				base, clip = base+tag.timestamp+frame, next
				i = -1
			case <-time.After(time.Until(opened.Add(time.Duration(base+tag.timestamp) * time.Millisecond))):
			}
			if i < 0 {
				break
			}
			kind := rtmp.MessageType(tag.kind)
			body := tag.body
			if tag.kind == tagScript {
				body = append([]byte("\x02\x00\x0d@setDataFrame"), body...)
			}
			m := rtmp.Message{Type: kind, ChunkStreamID: 6, StreamID: b.c.StreamID, Timestamp: base + tag.timestamp, Payload: body}
			if b.c.WriteMessage(m) != nil || b.c.Flush() != nil {
				return // taken over
			}
			if i == len(clip)-1 {
				base += tag.timestamp + frame
			}
		}
	}
}

// change goes on with another clip, as an encoder does whose settings change:
// with its metadata and its headers, while time goes on.
func (b *broadcast) change(clip []flvTag) { b.next <- clip }

// cut is a lost connection, without a word.
func (b *broadcast) cut() {
	select {
	case <-b.stop:
	default:
		close(b.stop)
		_ = b.c.Close()
		b.over.Wait()
	}
}

// waitMedia waits until a player of stream gets pictures for so long.
func (s *side) waitMedia(stream string, length time.Duration) {
	s.t.Helper()
	c, outcome := s.play("live", stream)
	if outcome != "playing" {
		s.t.Errorf("%s: %s is %s", s.name(), stream, outcome)
		return
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), length+20*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	for first := (time.Time{}); ; {
		m, err := c.ReadMessage()
		if err != nil {
			s.t.Errorf("%s: %s: %v", s.name(), stream, err)
			return
		}
		if m.Type == rtmp.TypeVideo && first.IsZero() {
			first = time.Now()
		}
		if !first.IsZero() && time.Since(first) > length {
			_ = c.Close()
			return
		}
	}
}
