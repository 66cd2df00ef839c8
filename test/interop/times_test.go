package interop

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestTimestampsPast24And32Bits publishes a stream with B-frames whose timestamps
// pass 2^24 ms (4 h 40 min: extended timestamps) or go round at 2^32 ms (50 days)
// in mid-fragment. HLS goes on as if nothing had happened.
func TestTimestampsPast24And32Bits(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	beside := together(t)
	defer beside.Wait()
	for stream, begin := range map[string]uint32{
		"from-0":       0,
		"past-24-bits": 1<<24 - 1500,
		"past-31-bits": 1<<31 - 1500,
		"past-32-bits": 1<<32 - 1500,
	} {
		beside.Run(stream, func(t *testing.T) {
			tags := flvTags(t, testcard)
			for i := range tags {
				tags[i].timestamp += begin
			}
			sent := publishTags(t, s, stream, tags)
			if first, last := tags[0].timestamp, tags[len(tags)-1].timestamp; last-first < 3000 {
				t.Fatalf("timestamps from %d to %d do not pass what is to be passed", first, last)
			}
			playlist, fragments := s.ended(t, stream)
			checkTS(t, playlist, fragments, sent) // counts, no discontinuity, no EXTINF above TARGETDURATION
			decode(t, fragments)
			sum := 0.0
			for _, m := range regexp.MustCompile(`#EXTINF:([0-9.]+)`).FindAllStringSubmatch(playlist, -1) {
				d, _ := strconv.ParseFloat(m[1], 64)
				sum += d
			}
			length := float64(tags[len(tags)-1].timestamp-tags[0].timestamp) / 1000
			if sum < length-0.5 || sum > length+0.5 {
				t.Errorf("EXTINFs add up to %.3f s, %.3f s were sent:\n%s", sum, length, playlist)
			}
		})
	}
}

// TestOtherAudio has MP3 (from ffmpeg, as old encoders send it) and AC-3 and
// E-AC-3 (Enhanced RTMP, from our own publisher) go into HLS, to the last frame.
func TestOtherAudio(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		codec   string
		publish func(t *testing.T, s *server, stream string) frames
	}{
		{"mp3", ffmpegFile("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-c:v", "libx264", "-preset", "ultrafast", "-g", "30", "-c:a", "libmp3lame", "-ar", "44100")},
		{"ac3", enhancedAudio("ac-3", "tone.ac3")},
		{"eac3", enhancedAudio("ec-3", "tone.eac3")},
	} {
		beside.Run(c.codec, func(t *testing.T) {
			sent := c.publish(t, s, c.codec)
			playlist, fragments := s.ended(t, c.codec)
			checkPlaylist(t, playlist)
			whole := bytes.Join(fragments, nil)
			keep(t, "whole.ts", whole)
			checkPackets(t, whole)
			if got := probe(t, whole); got != sent {
				t.Errorf("ffprobe: got %+v, want %+v", got, sent)
			}
			decode(t, fragments)
			path := filepath.Join(t.TempDir(), "x.ts")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := codecsOf(t, path); got[len(got)-1] != c.codec {
				t.Errorf("ffprobe reads codecs %q, want %s last", got, c.codec)
			}
		})
	}
}

// enhancedAudio publishes a file of frames that begin with AC-3's sync word, 32 ms
// each, as Enhanced RTMP's ExAudioTagHeader has them: 9 (ExHeader), 1 (CodedFrames),
// FourCC, frame.
func enhancedAudio(fourCC, file string) func(*testing.T, *server, string) frames {
	return func(t *testing.T, s *server, stream string) frames {
		b, err := os.ReadFile(filepath.Join("../../internal/mpegts/testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		size := 2 + bytes.Index(b[2:], []byte{0x0b, 0x77}) // all are of one length
		var one []flvTag
		for i := 0; i+size <= len(b); i += size {
			one = append(one, flvTag{kind: tagAudio, body: append([]byte("\x91"+fourCC), b[i:i+size]...)})
		}
		var tags []flvTag // the file is short: several times over
		for len(tags) < 6*1000/32 {
			for _, tag := range one {
				tag.timestamp = uint32(len(tags) * 32)
				tags = append(tags, tag)
			}
		}
		return publishTags(t, s, stream, tags)
	}
}

func codecsOf(t *testing.T, path string) []string {
	t.Helper()
	out, err := command(t, time.Minute, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`[a-z0-9]+`).FindAllString(string(out), -1)
}
