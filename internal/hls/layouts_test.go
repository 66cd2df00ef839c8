package hls

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/media"
)

// decoded are the checksums of the sound that ffmpeg decodes, a line a frame,
// and the number of its channels.
func decoded(t *testing.T, file string) (frames []string, channels string) {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", file, "-map", "0:a", "-f", "framemd5", "-").Output()
	if err != nil {
		t.Fatalf("ffmpeg -i %s: %v", file, err)
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Split(line, ","); line[0] != '#' {
			frames = append(frames, strings.TrimSpace(f[len(f)-1]))
		}
	}
	ch, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "a", "-show_entries", "stream=channels", "-of", "csv=p=0", file).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", file, err)
	}
	channels, _, _ = strings.Cut(strings.TrimSpace(string(ch)), "\n")
	return frames, channels
}

// Every channel layout is heard in HLS as in FLV,
// sample by sample: ADTS has no configuration for most of them.
func TestAACChannelLayouts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		layout   string
		channels int
		config   uint8
	}{
		{"stereo", 2, 2},
		{"5.1", 6, 6},
		// With a program config of ffmpeg's own: elements in an order that no
		// configuration has.
		{"5.1(side)", 6, 0},
		{"quad", 4, 0},
		{"2.1", 3, 0},
		{"6.1", 7, 0},
		{"7.1(wide)", 8, 0},
	} {
		t.Run(c.layout, func(t *testing.T) {
			t.Parallel()
			var tones []string
			for i := range c.channels {
				tones = append(tones, fmt.Sprintf("sin(%d*t)", 1000+700*i))
			}
			flvFile, tsFile := filepath.Join(t.TempDir(), "in.flv"), filepath.Join(t.TempDir(), "out.ts")
			source := fmt.Sprintf("aevalsrc=%s:c=%s:s=44100:d=1", strings.Join(tones, "|"), c.layout)
			if out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-c:a", "aac", "-strict", "-2", "-f", "flv", flvFile).CombinedOutput(); err != nil {
				t.Fatalf("ffmpeg does not encode it: %v: %s", err, out)
			}
			tags := flvTags(t, flvFile)
			_, ts := published(t, tags)
			if err := os.WriteFile(tsFile, ts, 0o600); err != nil {
				t.Fatal(err)
			}
			want, wantChannels := decoded(t, flvFile)
			got, gotChannels := decoded(t, tsFile)
			if gotChannels != wantChannels || gotChannels != fmt.Sprint(c.channels) {
				t.Errorf("got %s channels, %s in FLV", gotChannels, wantChannels)
			}
			if len(want) < 40 || !slices.Equal(got, want) {
				t.Errorf("other sound: %d frames, want %d", len(got), len(want))
			}
			for _, p := range demuxed(t, tags) {
				if p.Track.Kind == media.Audio && p.Track.ChannelConfig != c.config {
					t.Fatalf("channel configuration %d, want %d; header %x", p.Track.ChannelConfig, c.config, p.Track.Config)
				}
			}
		})
	}
}
