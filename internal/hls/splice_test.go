package hls

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
)

// pictureSums are the checksums of the pictures that ffmpeg decodes of a file, as they are
// shown, and what it says meanwhile.
func pictureSums(t *testing.T, file string) (sums []string, said string) {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.Command("ffmpeg", "-v", "error", "-i", file, "-map", "0:v", "-vsync", "passthrough", "-enc_time_base", "1:90000", "-f", "framemd5", "-")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ffmpeg -i %s: %v\n%s", file, err, stderr.String())
	}
	for line := range strings.Lines(string(out)) {
		if line[0] != '#' {
			f := strings.Split(line, ",")
			sums = append(sums, strings.TrimSpace(f[len(f)-1]))
		}
	}
	return sums, stderr.String()
}

// stand has the picture stand for ms, where at least n were decoded and none of them
// is shown after the next.
func stand(tags []tag, n int, ms uint32) {
	shown := func(x tag) int64 {
		if x.Type != flv.TagVideo || x.Body[0]&0x80 == 0 && x.Body[1] == 0 {
			return -1
		}
		at := int64(x.Timestamp)
		if x.Body[0]&0x80 == 0 {
			at += int64(x.Body[2])<<16 | int64(x.Body[3])<<8 | int64(x.Body[4])
		}
		return at
	}
	most := int64(-1)
	for i := range tags {
		first := shown(tags[i])
		for _, x := range tags[i:] {
			if at := shown(x); at >= 0 {
				first = min(first, at)
			}
		}
		if n--; n < 0 && first > most {
			for k := i; k < len(tags); k++ {
				tags[k].Timestamp += ms
			}
			return
		}
		most = max(most, shown(tags[i]))
	}
}

// A decoder that meets a GOP again, in the middle of it and with what follows,
// decodes the pictures of the source and no others, and complains of nothing:
// with B pictures, several slices, and open GOPs of HEVC.
func TestDecodersMeetAGOPAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		encode []string
	}{
		{"H.264", []string{"-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "50"}},
		{"H.264, B pictures", []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "50"}},
		{"H.264, B pictures and slices", []string{"-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "50", "-x264-params", "slices=4:b-pyramid=normal"}},
		{"HEVC", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "bframes=0:keyint=50:min-keyint=50:scenecut=0:open-gop=0:log-level=none"}},
		{"HEVC, open GOPs", []string{"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "bframes=0:keyint=50:min-keyint=50:scenecut=0:open-gop=1:log-level=none"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			hevc := strings.HasPrefix(c.name, "HEVC")
			dir := t.TempDir()
			source, ts := filepath.Join(dir, "in.flv"), filepath.Join(dir, "out.ts")
			format := "flv"
			if hevc {
				source, format = filepath.Join(dir, "in.h265"), "hevc"
			}
			args := append([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=8", "-pix_fmt", "yuv420p"}, c.encode...)
			if out, err := exec.Command("ffmpeg", append(args, "-f", format, source)...).CombinedOutput(); err != nil {
				t.Fatalf("ffmpeg does not encode it: %v: %s", err, out)
			}
			var tags []tag
			if hevc {
				tags = hevcFileTags(t, source, false)
			} else {
				tags = flvTags(t, source)
			}
			stand(tags, 60, 5000)
			stand(tags, 120, 7000)
			packets := demuxed(t, tags)
			open := false
			for _, p := range packets {
				for u, err := range media.NALUs(p.Data, p.Track.NALULength) {
					open = open || err == nil && hevc && u[0]>>1&0x3f == 21 /* CRA_NUT, H.265 table 7-1 */
				}
			}
			if open != strings.Contains(c.name, "open") {
				t.Fatalf("open GOPs: %t", open)
			}
			b := newBench(t)
			cfg := testConfig(b.dir)
			cfg.PlaylistLength = 60 * sec
			b.run(b.packager("test", cfg), packets, eof)
			var whole []byte
			for _, s := range b.playlist("test.m3u8").Segments {
				whole = append(whole, b.read(s.URI)...)
			}
			if err := os.WriteFile(ts, whole, 0o600); err != nil {
				t.Fatal(err)
			}
			want, _ := pictureSums(t, source)
			got, said := pictureSums(t, ts)
			if said != "" {
				t.Errorf("ffmpeg says:\n%s", said)
			}
			if len(want) != 200 || len(got) < len(want)+20 {
				t.Fatalf("%d pictures of %d", len(got), len(want))
			}
			// What is new comes in the order of the source; all else was there before.
			next := 0
			for i, sum := range got {
				switch at := slices.Index(want, sum); {
				case at == next:
					next++
				case at < 0 || at > next:
					t.Fatalf("picture %d of the HLS is picture %d of the source, not one of the first %d", i, at, next+1)
				}
			}
			if next != len(want) {
				t.Errorf("%d of %d pictures of the source", next, len(want))
			}
		})
	}
}
