package interop

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// recordedConfig is serverConfig with a recording of each stream.
var recordedConfig = strings.Replace(serverConfig, "    hls {", `    record "all" {
      path = "%[1]s/records"
    }

    hls {`, 1)

// sums are the checksums of what ffmpeg decodes of a file, a line a frame.
func sums(t *testing.T, file, kind string) (frames []string) {
	t.Helper()
	out := succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-i", file, "-map", "0:"+kind,
		"-vsync", "passthrough", "-enc_time_base", "-1", "-f", "framemd5", "-"))
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") {
			f := strings.Split(line, ",")
			frames = append(frames, strings.TrimSpace(f[len(f)-1]))
		}
	}
	return frames
}

// packetTimes are the times of a file's packets of one kind, in order, in seconds.
func packetTimes(t *testing.T, file, kind string) (times []float64) {
	t.Helper()
	out := succeed(t, command(t, time.Minute, "ffprobe", "-v", "error", "-select_streams", kind, "-show_entries", "packet=dts_time", "-of", "csv=p=0", file))
	for line := range strings.Lines(out) {
		at, err := strconv.ParseFloat(strings.Trim(strings.TrimSpace(line), ","), 64)
		if err != nil {
			t.Fatalf("ffprobe %s: %q", file, line)
		}
		times = append(times, at)
	}
	return times
}

// What a publisher sends is seen and heard alike by RTMP players, in HLS and in
// recordings: slices, channel layouts, and what had to be mended.
func TestAllOutputsHaveTheSameFrames(t *testing.T) {
	t.Parallel()
	s := &server{dir: t.TempDir()}
	s.run(t, fmt.Sprintf(recordedConfig, s.dir))
	// Without noise that the decoder makes up: it depends on where the decoder began.
	x264 := func(more ...string) []string {
		return append([]string{"-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=8", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-c:a", "aac", "-aac_pns", "0"}, more...)
	}
	stereo := []string{"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=8"}
	beside := together(t)
	defer beside.Wait()
	for _, c := range []struct {
		name   string
		encode []string // ffmpeg's arguments
		spoil  func([]sentTag) []sentTag
		asSent []string // what RTMP players and recordings get as it was sent, and can't decode
	}{
		{"slices", append(stereo, x264("-slices", "4")...), nil, nil},
		{"slices-apart", append(stereo, x264("-slices", "4")...), slicesApart, []string{"v", "a"}},
		{"five-one-side", append([]string{"-f", "lavfi", "-i", "aevalsrc=sin(2800*t)|sin(3500*t)|sin(4200*t)|sin(4900*t)|sin(5600*t)|sin(6300*t):c=5.1(side):s=44100:d=8"}, x264()...), nil, nil},
		{"outliers", append(stereo, x264()...), farOff, nil},
		{"adts", append(stereo, x264()...), func(tags []sentTag) []sentTag { return intoADTS(tags, 1) }, []string{"a"}},
		{"adts-by-three", append(stereo, x264()...), func(tags []sentTag) []sentTag { return intoADTS(tags, 3) }, []string{"a"}},
	} {
		beside.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			source, played, ts := filepath.Join(dir, "in.flv"), filepath.Join(dir, "played.flv"), filepath.Join(dir, "out.ts")
			succeed(t, command(t, time.Minute, "ffmpeg", append(append([]string{"-nostdin", "-v", "error"}, c.encode...), "-f", "flv", source)...))
			var tags []sentTag
			for _, tag := range flvTags(t, source) {
				if tag.kind != tagScript {
					tags = append(tags, sentTag{tag, tag.timestamp})
				}
			}
			if c.spoil != nil {
				tags = c.spoil(tags)
			}
			player := command(t, time.Minute, "ffmpeg", "-nostdin", "-v", "error", "-rw_timeout", "30000000", "-i", s.rtmpURL(c.name), "-map", "0:v", "-map", "0:a", "-c", "copy", "-t", "6", "-f", "flv", played)
			publishing := make(chan error, 1)
			go func() { publishing <- sendInTime(t.Context(), s, c.name, tags, time.Now().Add(time.Second)) }()
			out := succeed(t, player)
			if err := <-publishing; err != nil {
				t.Fatal(err)
			}
			_, fragments := s.ended(t, c.name)
			if err := os.WriteFile(ts, bytes.Join(fragments, nil), 0o600); err != nil {
				t.Fatal(err)
			}
			recorded := filepath.Join(s.dir, "records", c.name+".flv")

			for _, kind := range []string{"v", "a"} {
				want := sums(t, source, kind)
				if got := sums(t, ts, kind); !slices.Equal(got, want) {
					t.Errorf("HLS, %s: %d frames, or others, want %d", kind, len(got), len(want))
				}
				if slices.Contains(c.asSent, kind) {
					continue
				}
				if got := sums(t, recorded, kind); !slices.Equal(got, want) {
					t.Errorf("recording, %s: %d frames, or others, want %d", kind, len(got), len(want))
				}
				// A player joins when it can: from then on it has all, for 6 s.
				got := sums(t, played, kind)
				if kind == "a" && len(got) > 0 {
					got = got[1:] // AAC decodes to something else without the frame before it
				}
				from := -1
				if len(got) > 0 {
					from = slices.Index(want, got[0])
				}
				if from < 0 || len(got) < len(want)/2 || !slices.Equal(got, want[from:min(from+len(got), len(want))]) {
					t.Errorf("RTMP player, %s: %d frames from the frame %d of %d on\n%s", kind, len(got), from, len(want), out)
				}
			}
			if level := loudness(t, ts); level < -40 {
				t.Errorf("HLS is silent: %.1f dB", level)
			}
			for _, kind := range []string{"v", "a"} {
				if len(c.asSent) < 2 {
					checkTimes(t, recorded, kind)
				}
			}
		})
	}
}

// checkTimes demands that time goes on evenly in a recording.
func checkTimes(t *testing.T, file, kind string) {
	t.Helper()
	times := packetTimes(t, file, kind)
	for i := range times {
		if i > 0 && (times[i] < times[i-1] || times[i] > times[i-1]+0.25) {
			t.Errorf("recording, %s: %.3f after %.3f", kind, times[i], times[i-1])
		}
	}
	if n := len(times); n == 0 || times[n-1]-times[0] < 7.5 || times[n-1]-times[0] > 8.5 {
		t.Errorf("recording, %s: %d packets of %v", kind, n, times)
	}
}

var meanVolume = regexp.MustCompile(`mean_volume: (-?[0-9.]+) dB`)

// loudness is the mean of a file's sound, in dB.
func loudness(t *testing.T, file string) float64 {
	t.Helper()
	out := succeed(t, command(t, time.Minute, "ffmpeg", "-nostdin", "-i", file, "-map", "0:a", "-af", "volumedetect", "-f", "null", "-"))
	m := meanVolume.FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("ffmpeg finds no volume:\n%s", tail(out, 10))
	}
	level, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return level
}

// slicesApart sends each NAL unit of a picture in a message of its own.
func slicesApart(tags []sentTag) (out []sentTag) {
	for _, tag := range tags {
		if tag.kind != tagVideo || tag.body[1] != 1 {
			out = append(out, tag)
			continue
		}
		for b := tag.body[5:]; len(b) >= 4; {
			size := 4 + int(b[0])<<24 + int(b[1])<<16 + int(b[2])<<8 + int(b[3])
			part := tag
			part.body = append(tag.body[:5:5], b[:size]...)
			out = append(out, part)
			b = b[size:]
		}
	}
	return out
}

// farOff puts a timestamp of each kind an hour off now and then.
func farOff(tags []sentTag) []sentTag {
	for i := range tags {
		if i%61 == 60 && tags[i].body[1] != 0 {
			tags[i].timestamp += 3600000
		}
	}
	return tags
}

// intoADTS puts n AAC frames of 44.1 kHz, mono, into each message, with ADTS headers.
func intoADTS(tags []sentTag, n int) (out []sentTag) {
	at, have := -1, n
	for _, tag := range tags {
		if tag.kind != tagAudio || tag.body[1] == 0 {
			out = append(out, tag)
			continue
		}
		raw := tag.body[2:]
		size := len(raw) + 7
		frame := append([]byte{0xff, 0xf1, 1<<6 | 4<<2, 1<<6 | byte(size>>11), byte(size >> 3), byte(size<<5) | 0x1f, 0xfc}, raw...)
		if have == n {
			at, have = len(out), 0
			tag.body = tag.body[:2:2]
			out = append(out, tag)
		}
		out[at].body = append(out[at].body, frame...)
		have++
	}
	return out
}
