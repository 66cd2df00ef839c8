package record

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
)

// samples counts those of a finished MP4: of its video, of its audio.
func samples(t *testing.T, path string) (counts [2]int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	moov := bytes.LastIndex(b, []byte("moov"))
	if moov < 0 {
		t.Fatalf("%s has no moov", path)
	}
	for _, trak := range bytes.Split(b[moov:], []byte("trak"))[1:] {
		kind := media.Audio
		if bytes.Contains(trak, []byte("vide")) {
			kind = media.Video
		}
		at := bytes.Index(trak, []byte("stsz"))
		counts[kind] += int(binary.BigEndian.Uint32(trak[at+12:]))
	}
	return counts
}

// What is fed is in MP4 files: which, and how many pictures and sounds each has.
func TestWhatIsInWholeFrameFiles(t *testing.T) {
	t.Parallel()
	second := strings.Repeat("a", 30) // and a bit
	for _, c := range []struct {
		name string
		cfg  config.Record
		feed string
		want string
	}{
		{"pictures and sounds", config.Record{}, "kapapkapa", "cam.mp4 [5 4]"},
		{"slices in messages of their own", config.Record{}, "kccapcapckcc", "cam.mp4 [4 2]"},
		{"sound before the first keyframe waits for it", config.Record{}, "papakap", "cam.mp4 [2 3]"},
		{"no keyframe ever: the sound is recorded", config.Record{}, "papapa", "cam.mp4 [0 3]"},
		{"rotation", config.Record{MaxFrames: 3}, "kapakapakap", "cam+1.mp4 [2 2] cam+2.mp4 [2 1] cam.mp4 [2 2]"},
		{"another size", config.Record{}, "kapaVkapa", "cam+1.mp4 [2 2] cam.mp4 [2 2]"},
		{"a header that counts from the next keyframe on", config.Record{}, "kapVapakap", "cam+1.mp4 [2 1] cam.mp4 [3 3]"},
		{"sound with another rate waits for a keyframe", config.Record{}, "kapapAaapakap", "cam+1.mp4 [2 4] cam.mp4 [4 2]"},
		{"both change", config.Record{}, "kapaVAakapa", "cam+1.mp4 [2 3] cam.mp4 [2 2]"},
		{"sound alone with another rate", config.Record{}, "aaaAaa", "cam+1.mp4 [0 2] cam.mp4 [0 3]"},
		{"pictures that come late", config.Record{}, second + "kapa", "cam+1.mp4 [2 2] cam.mp4 [0 30]"},
		{"sound that comes late", config.Record{}, "k" + strings.Repeat("p", 40) + "aakap", "cam+1.mp4 [2 3] cam.mp4 [41 0]"},
		{"sound that the format has no place for", config.Record{}, "Skapapkapa", "cam.mp4 [5 0]"},
		{"pictures that the format has no place for", config.Record{MaxFrames: 3}, "Hkapapakapa", "cam+1.mp4 [0 2] cam.mp4 [0 3]"},
		{"video only", config.Record{Tracks: []string{"video"}}, "kapakapa", "cam.mp4 [4 0]"},
		{"audio only", config.Record{Tracks: []string{"audio"}}, "kapakapa", "cam.mp4 [0 4]"},
		{"keyframes only", config.Record{Tracks: []string{"keyframes"}}, "kpckcpap", "cam.mp4 [2 0]"},
		{"keyframes and sound", config.Record{Tracks: []string{"audio", "keyframes"}}, "kapakapa", "cam.mp4 [2 4]"},
		{"an interval", config.Record{Interval: 5 * time.Second}, "kapa6papakapa", "cam+1.mp4 [2 2] cam.mp4 [4 4]"},
		{"exactly so many, then a pause", config.Record{MaxFrames: 4, Interval: 9 * time.Second}, "kapapapa9kapapa", "cam+1.mp4 [2 2] cam.mp4 [2 2]"},
		{"nothing", config.Record{}, "", ""},
		{"no picture and no sound", config.Record{Tracks: []string{"video"}}, "aaaa", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.cfg.Path, c.cfg.Format = value.Path(dir), "mp4"
			b := newBench(t, c.cfg, nil)
			b.feed(c.feed)
			b.end()
			var got []string
			for _, f := range files(t, dir) {
				got = append(got, fmt.Sprint(f, " ", samples(t, filepath.Join(dir, f))))
			}
			if g := strings.Join(got, " "); g != c.want {
				t.Errorf("got  %s\nwant %s", g, c.want)
			}
			if len(b.started) != len(got) || len(b.closed) != len(got) {
				t.Errorf("told of %v and %v", b.started, b.closed)
			}
			if n := b.logs.FilterMessageSnippet("no place").Len(); n != strings.Count(c.feed, "S")+strings.Count(c.feed, "H") {
				t.Errorf("%d lines say that a track is left out", n)
			}
		})
	}
}

// A manual recorder begins with a keyframe and ends where it is told to.
func TestControlOfWholeFrameFiles(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"mp4", "mkv", "ts"} {
		dir := t.TempDir()
		b := newBench(t, config.Record{Path: value.Path(dir), Format: format, Manual: true}, nil)
		b.feed("kapa")
		if got := b.order(b.r.Start); got != "cam."+format {
			t.Errorf("started %s", got)
		}
		b.feed("papakapa")
		if got := b.order(b.r.Stop); got != "cam."+format {
			t.Errorf("stopped %s", got)
		}
		b.feed("pakapa")
		b.order(b.r.Start)
		b.feed("papa")
		if got := b.order(b.r.Stop); got != "" {
			t.Errorf("stopped %s, which has no picture", got)
		}
		b.end()
		if got := files(t, dir); len(got) != 1 {
			t.Errorf("there are %v", got)
		}
		if format == "mp4" {
			if got := samples(t, filepath.Join(dir, "cam.mp4")); got != [2]int{2, 2} {
				t.Errorf("the file has %v", got)
			}
		}
	}
}

// A reload that changes the format takes effect at a keyframe, without a gap or a
// repeat.
func TestAFormatThatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBench(t, config.Record{Path: value.Path(dir)}, nil)
	cfg := *b.r.cfg
	b.feed("kapa")
	cfg.Format = "mp4"
	b.r.Reconfigure(cfg)
	b.feed("pakcapca")
	cfg.Format = "flv"
	b.r.Reconfigure(cfg)
	b.feed("pakapa")
	b.end()
	if got := files(t, dir); fmt.Sprint(got) != "[cam+1.flv cam.flv cam.mp4]" {
		t.Fatalf("there are %v", got)
	}
	if got := samples(t, filepath.Join(dir, "cam.mp4")); got != [2]int{3, 3} {
		t.Errorf("the MP4 has %v", got)
	}
	if first, last := tags(t, filepath.Join(dir, "cam.flv")), tags(t, filepath.Join(dir, "cam+1.flv")); first != "HkSapapa 200" || last != "HkSapa 120" {
		t.Errorf("the FLV files have %s and %s", first, last)
	}
}

// What a recorder does is shown while it does it.
func TestASnapshotShowsTheFile(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"flv", "mp4", "mkv", "ts"} {
		b := newBench(t, config.Record{Path: value.Path(t.TempDir()), Format: format, MaxFrames: 60}, nil)
		begun := b.now
		b.feed("k" + strings.Repeat("pa", 40) + "ka" + strings.Repeat("pa", 10))
		s := b.r.Snapshot()
		if s.Files != 1 || s.Bytes < 50 || s.Duration < 500*time.Millisecond || s.Duration > time.Second || !s.Since.After(begun) || !strings.HasSuffix(s.Path, "cam+1."+format) {
			t.Errorf("%s: %+v", format, s)
		}
		b.end()
		if s := b.r.Snapshot(); s.Files != 2 || s.Path != "" {
			t.Errorf("%s, in the end: %+v", format, s)
		}
	}
}

// A second of a stream costs no allocation for each packet, in any format.
func TestRecordingAllocatesNothing(t *testing.T) {
	for _, format := range []string{"flv", "mp4", "mkv", "ts"} {
		store := new(Store)
		b := newBench(t, config.Record{Path: value.Path(t.TempDir()), Format: format}, store)
		b.end()
		r, err := New(config.Record{Path: value.Path(t.TempDir()), Format: format, Tracks: []string{"audio", "video"}}, Options{App: "live", Stream: "cam", Log: zap.NewNop(), Store: store})
		if err != nil {
			t.Fatal(err)
		}
		picture, sound := make([]byte, 8000), make([]byte, 300)
		binary.BigEndian.PutUint32(picture, uint32(len(picture)-4))
		picture[4] = 0x41
		var packets []*media.Packet
		for i := range 3000 {
			packets = append(packets,
				&media.Packet{Track: b.video, DTS: time.Duration(i) * 40 * time.Millisecond, Keyframe: i == 0, Data: picture, Tag: picture},
				&media.Packet{Track: b.audio, DTS: time.Duration(i) * 40 * time.Millisecond, Data: sound, Tag: sound})
		}
		at := 0
		take := func() {
			r.take(packets[at:at+50], 0)
			at += 50
		}
		for range 40 {
			take()
		}
		limit := 2.0 // growth now and then
		if format == "flv" {
			limit = 0
		}
		if n := testing.AllocsPerRun(70, take); n > limit {
			t.Errorf("%s: %v allocations for 50 packets", format, n)
		}
		r.close()
	}
}
