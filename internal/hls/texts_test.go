package hls

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// LAST-PART is counted from 0, and is there if the last segment has parts (rfc8216bis
// §4.4.5.4).
func TestReportsSayWhereAPlaylistEnds(t *testing.T) {
	for part, want := range map[int]string{
		-1: "#EXT-X-RENDITION-REPORT:URI=\"a.m3u8\",LAST-MSN=7\n",
		0:  "#EXT-X-RENDITION-REPORT:URI=\"a.m3u8\",LAST-MSN=7,LAST-PART=0\n",
		3:  "#EXT-X-RENDITION-REPORT:URI=\"a.m3u8\",LAST-MSN=7,LAST-PART=3\n",
	} {
		r := report{"a.m3u8", listEnd{seq: 7, part: part}}
		if got := string(r.append(nil)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A rendition whose bit rate is not known has no AVERAGE-BANDWIDTH, which must not be 0.
func TestAnUnknownAverageIsNotSaid(t *testing.T) {
	r := rendition{uris: [2]string{media.Video: "a.m3u8"}}
	r.files[media.Video].peak = 1000
	if got := string(r.appendStream(nil, &r)); !strings.HasPrefix(got, "#EXT-X-STREAM-INF:BANDWIDTH=1000") || strings.Contains(got, "AVERAGE") {
		t.Error(got)
	}
	r.files[media.Video].average = 1
	if got := string(r.appendStream(nil, &r)); !strings.Contains(got, ",AVERAGE-BANDWIDTH=1\n") && !strings.Contains(got, ",AVERAGE-BANDWIDTH=1,") {
		t.Error(got)
	}
}

// All segments may have left a playlist whose next one has parts already.
func TestAPlaylistOfPartsAlone(t *testing.T) {
	l := lowPlaylist{
		playlist: playlist{kind: media.Video, fragmented: true, target: 2, Window: packager.Window{Seq: 5}},
		part:     time.Second, hold: 3 * time.Second,
		open: openSegment{File: packager.File{Name: "a-5.m4s", Parts: []packager.Part{{Duration: time.Second}}}, seq: 5},
	}
	e := l.edition(new(segstore.Gzipper))
	if text := string(e.Body()); e.Next != 5 || e.Parts != 1 || e.Last != 0 || e.Delta() != nil ||
		!strings.Contains(text, "#EXT-X-MEDIA-SEQUENCE:5\n") || strings.Contains(text, "#EXTINF") || !strings.HasSuffix(text, "#EXT-X-PART:DURATION=1.000000,URI=\"a-5.0.m4s\"\n") {
		t.Errorf("%+v:\n%s", e, text)
	}
}

// A multivariant playlist waits for all renditions of a publisher, for two target durations.
// Renditions that have not been written for three are out, if they have not ended.
func TestAMultivariantPlaylistWaitsForItsRenditions(t *testing.T) {
	begun := time.Unix(1000, 0)
	for _, c := range []struct {
		name   string
		after  time.Duration
		all    int
		text   string
		a      rendition // beside another one that is new
		wait   bool
		remain int
	}{
		{"all are there", 0, 2, "", rendition{at: begun}, false, 2},
		{"one lacks", 0, 3, "", rendition{at: begun}, true, 2},
		{"one lacks, just before the end of the wait", 4*time.Second - 1, 3, "", rendition{at: begun}, true, 2},
		{"one lacks, for too long", 4 * time.Second, 3, "", rendition{at: begun}, false, 2},
		{"it is written", 0, 3, "text", rendition{at: begun}, false, 2},
		{"one is old", 6 * time.Second, 1, "text", rendition{at: begun}, false, 2},
		{"one is too old", 6*time.Second + 1, 1, "text", rendition{at: begun}, false, 1},
		{"one has ended", time.Minute, 1, "text", rendition{at: begun, ended: true}, false, 2},
	} {
		now := begun.Add(c.after)
		m := master{target: 2 * time.Second, since: begun, renditions: map[string]rendition{"a": c.a, "b": {at: now}}}
		if c.text != "" {
			m.text.plain = []byte(c.text)
		}
		if wait := m.tidy(now, c.all); wait != c.wait || len(m.renditions) != c.remain {
			t.Errorf("%s: it waits: %t, with %d renditions; want %t, %d", c.name, wait, len(m.renditions), c.wait, c.remain)
		}
	}
}

// A playlist of fragmented MP4 that is not ours can't be named again: its sections are parts
// of files, or elsewhere.
func TestForeignInitialisationSections(t *testing.T) {
	for _, tag := range []string{
		`#EXT-X-MAP:URI="cam-init-0.mp4",BYTERANGE="100@0"`,
		`#EXT-X-MAP:URI="../init-0.mp4"`,
	} {
		text := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:40\n" + tag + "\n#EXTINF:2.000,\ncam-0.m4s\n#EXTINF:2.000,\ncam-1.m4s\n"
		l, err := parsePlaylist([]byte(text), found{prefix: "cam-"})
		if !errors.Is(err, packager.ErrForeign) || l.Next() != 42 {
			t.Errorf("%s: %v, the next is %d", tag, err, l.Next())
		}
	}
	l, err := parsePlaylist([]byte("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"cam-init-0.mp4\"\n#EXTINF:2.000,\ncam-0.m4s\n"), found{prefix: "cam-"})
	if err != nil || len(l.Segments) != 1 || l.Segments[0].Files[media.Video].Init.Name != "cam-init-0.mp4" {
		t.Errorf("%+v, %v", l, err)
	}
}

// Where a playlist of another format is found, its numbers go on, and its segments are not
// named.
func TestAPlaylistOfAnotherFormat(t *testing.T) {
	b := newBench(t)
	text := "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:40\n#EXT-X-MAP:URI=\"show-init-0.mp4\"\n#EXTINF:2.000,\nshow-0.m4s\n#EXTINF:2.000,\nshow-1.m4s\n"
	for name, data := range map[string]string{"show.m3u8": text, "show-init-0.mp4": "i", "show-0.m4s": "m", "show-1.m4s": "m"} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.run(b.packager("show", testConfig(b.dir)), pictures(t, 4), eof)
	if got := string(b.read("show.m3u8")); !strings.Contains(got, "#EXT-X-MEDIA-SEQUENCE:42\n") || strings.Contains(got, "m4s") {
		t.Error(got)
	}
}

// CHANNELS is a count of at least 1 (RFC 8216 §4.3.4.1).
func TestChannelsThatAreNotKnownAreNotSaid(t *testing.T) {
	for channels, want := range map[int]string{-1: "", 0: "", 1: `,CHANNELS="1"`, 6: `,CHANNELS="6"`} {
		r := rendition{uris: [2]string{media.Audio: "a.m3u8"}}
		if channels >= 0 {
			r.sound = &media.Track{Channels: channels}
		}
		if got := string(r.appendSound(nil)); got != `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES`+want+",URI=\"a.m3u8\"\n" {
			t.Error(got)
		}
	}
}
