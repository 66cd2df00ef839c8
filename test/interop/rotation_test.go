package interop

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// inTime gives tags the time at which they are sent, twice as fast as they play.
func inTime(tags []flvTag) (out []sentTag) {
	for _, tag := range tags {
		out = append(out, sentTag{tag, tag.timestamp / 2})
	}
	return out
}

// pictures are the checksums of those in all files, one after the other.
func pictures(t *testing.T, files []string) (all []string) {
	t.Helper()
	for _, f := range files {
		all = append(all, decodedOf(t, f)...)
	}
	return all
}

// sounds counts the packets of sound in all files.
func sounds(t *testing.T, files []string) (n int) {
	t.Helper()
	for _, f := range files {
		p := probeRecording(t, f)
		n += p.packets("audio")
	}
	return n
}

// compareRecording demands the pictures and sounds of the source in the files.
func compareRecording(t *testing.T, format string, files []string, wantPictures []string, wantSounds int) {
	t.Helper()
	if got := pictures(t, files); !slices.Equal(got, wantPictures) {
		i := 0
		for i < min(len(got), len(wantPictures)) && got[i] == wantPictures[i] {
			i++
		}
		t.Errorf("%s: %d pictures in %d files, want %d; the first other one is %d", format, len(got), len(files), len(wantPictures), i)
	}
	if n := sounds(t, files); n != wantSounds {
		t.Errorf("%s: %d packets of sound in %d files, want %d", format, n, len(files), wantSounds)
	}
}

// Files that follow one another ten times a second have every frame once, and each
// begins with a keyframe.
func TestRotationsLoseNothing(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, recorders(s.dir, "      max_frames = 3"))
	source, tags := clip(t, 10, "-g", "6")
	want := probeRecording(t, source)
	publishTags(t, s, "cam", tags)
	for _, format := range formats {
		var files []string
		eventually(t, 90*time.Second, "all files are finished", func() bool {
			files = s.recorded(t, "cam", format)
			return len(files) >= 50
		})
		if len(files) != 50 {
			t.Errorf("%s: %d files", format, len(files))
		}
		for i, f := range files {
			name := "cam." + format
			if i > 0 {
				name = fmt.Sprintf("cam+%d.%s", i, format)
			}
			if filepath.Base(f) != name {
				t.Errorf("file %d is %s", i, f)
			}
		}
		compareRecording(t, format, files, sums(t, source, "v"), want.packets("audio"))
	}
}

// Another size of the picture and another rate of the sound, in the middle of a
// connection: the recording goes on in another file, and nothing is lost.
func TestACodecChangeBeginsAFile(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, recorders(s.dir, ""))
	first, tags := clip(t, 4)
	second, more := clip(t, 4, "-vf", "scale=480:270", "-ar", "48000")
	for _, tag := range more {
		tag.timestamp += 4100
		tags = append(tags, tag)
	}
	publishTags(t, s, "cam", tags)
	a, b := probeRecording(t, first), probeRecording(t, second)
	want := append(sums(t, first, "v"), sums(t, second, "v")...)
	for _, format := range formats {
		files := s.recorded(t, "cam", format)
		if n := map[string]int{"flv": 1}[format]; n == 0 && len(files) != 2 || n == 1 && len(files) != 1 {
			t.Errorf("%s: %v", format, files)
		}
		if format == "flv" {
			continue // ffmpeg reads no more than one size of an FLV file
		}
		compareRecording(t, format, files, want, a.packets("audio")+b.packets("audio"))
	}
}

// A publisher that loses its connection and comes back within reconnect_grace has
// one recording.
func TestAReconnectIsOneRecording(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, strings.ReplaceAll(recorders(s.dir, ""), `reconnect_grace = "2s"`, `reconnect_grace = "20s"`))
	source, tags := clip(t, 6)
	half := 0
	for i, tag := range tags { // at the keyframe of 3 s
		if tag.kind == tagVideo && tag.body[0]>>4 == 1 && tag.body[1] == 1 && tag.timestamp > 2900 && half == 0 {
			half = i
		}
	}
	ctx, lost := context.WithCancel(t.Context())
	before := append(inTime(tags[:half]), sentTag{tags[half-1], 600_000})
	gone := make(chan error, 1)
	go func() { gone <- sendInTime(ctx, s, "cam", before, time.Now()) }()
	time.Sleep(time.Duration(tags[half-1].timestamp)*time.Millisecond/2 + time.Second) // how long it lasts, and a second
	lost()
	if err := <-gone; err != nil {
		t.Fatal(err)
	}
	after := inTime(tags[half:])
	var headers []sentTag // an encoder begins with them
	for _, tag := range tags[:4] {
		if tag.body[1] == 0 {
			tag.timestamp = after[0].timestamp
			headers = append(headers, sentTag{tag, after[0].at})
		}
	}
	if err := sendInTime(t.Context(), s, "cam", append(headers, after...), time.Now().Add(-1500*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	want := probeRecording(t, source)
	for _, format := range formats {
		files := s.recorded(t, "cam", format)
		if len(files) != 1 {
			t.Errorf("%s: %v", format, files)
		}
		compareRecording(t, format, files, sums(t, source, "v"), want.packets("audio"))
	}
}

// Streams of Enhanced RTMP: what a format has a place for is all there; of several
// tracks it is the first.
func TestRecordingsOfOtherCodecs(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, recorders(s.dir, ""))
	beside := together(t)
	defer beside.Wait()
	for name, codecs := range map[string][2]string{"hevc": {"hevc", "aac"}, "multi": {"h264", "aac"}, "av1": {"av1", "aac"}, "h264opus": {"h264", "opus"}, "av1opus": {"av1", "opus"}} {
		beside.Run(name, func(t *testing.T) {
			sent := publishTags(t, s, name, flvTags(t, filepath.Join("../../internal/flv/testdata", name+".flv")))
			for _, format := range []string{"mp4", "mkv"} {
				files := s.recorded(t, name, format)
				if len(files) != 1 {
					t.Errorf("%s: %v", format, files)
				}
				p := probeRecording(t, files[0])
				if v, a := p.packets("video"), p.packets("audio"); v != sent.video || a != sent.audio {
					t.Errorf("%s: %d pictures and %d sounds, want %+v", format, v, a, sent)
				}
				var found [2]string
				for _, st := range p.Streams {
					if st.CodecType == "video" {
						found[0] = st.CodecName
					} else {
						found[1] = st.CodecName
					}
				}
				if found != codecs || len(p.Streams) != 2 {
					t.Errorf("%s: %v, want %v", format, found, codecs)
				}
				if n := len(decodedOf(t, files[0])); n < sent.video-2 {
					t.Errorf("%s: %d pictures decode, of %d", format, n, sent.video)
				}
			}
		})
	}
}

// A publisher that begins in the middle of a GOP: sound from the beginning, pictures
// from the first keyframe on, and both at their time.
func TestRecordingsThatBeginInTheMiddle(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, recorders(s.dir, ""))
	source, tags := clip(t, 4)
	tags = slices.DeleteFunc(tags, func(tag flvTag) bool { return tag.kind == tagVideo && tag.body[1] == 1 && tag.timestamp < 500 })
	publishTags(t, s, "cam", tags)
	first := func(file, kind string) (at float64) {
		t.Helper()
		out := succeed(t, command(t, time.Minute, "ffprobe", "-v", "error", "-select_streams", kind, "-show_entries", "packet=pts_time", "-of", "csv=p=0", file))
		at = 1e9
		for line := range strings.Lines(out) {
			if v, err := strconv.ParseFloat(strings.Trim(strings.TrimSpace(line), ","), 64); err == nil {
				at = min(at, v)
			}
		}
		return at
	}
	want := first(source, "v") + 1 - first(source, "a")
	for _, format := range formats {
		files := s.recorded(t, "cam", format)
		if len(files) != 1 {
			t.Errorf("%s: %v", format, files)
		}
		if d := first(files[0], "v") - first(files[0], "a"); math.Abs(d-want) > 0.03 {
			t.Errorf("%s: the first picture is %.3f s behind the first sound, want %.3f", format, d, want)
		}
		if n := len(decodedOf(t, files[0])); n != 90 {
			t.Errorf("%s: %d pictures, want 90", format, n)
		}
	}
}
