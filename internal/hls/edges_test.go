package hls

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// What an earlier run, nginx-rtmp or somebody else has left decides how a
// playlist goes on: with its entries, with its numbers alone, or beyond all that
// is there.
func TestHowAPlaylistThatIsFoundGoesOn(t *testing.T) {
	const head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:7\n"
	two := func(between string) string {
		return "#EXTINF:2.000,\ntest-7.ts\n" + between + "#EXTINF:2.000,\ntest-8.ts\n"
	}
	key := func(attributes string) string { return head + "#EXT-X-KEY:" + attributes + "\n" + two("") }
	const iv = "0x000000000000000000000000000000aF"
	for _, c := range []struct {
		name, found  string
		seq, entries int // of the next playlist, which has two fragments more
		disc         int
	}{
		{"with its entries", head + two(""), 7, 4, 0},
		{"with lines that end with CR LF", strings.ReplaceAll(head+two(""), "\n", "\r\n"), 7, 4, 0},
		{"a discontinuity within", head + two("#EXT-X-DISCONTINUITY\n"), 7, 4, 0},
		{"a discontinuity sequence", head + "#EXT-X-DISCONTINUITY-SEQUENCE:5\n" + two(""), 7, 4, 5},
		{"a fragment that has gone", strings.Replace(head+two(""), "test-8", "test-6", 1), 9, 2, 0},
		{"fragments of another name", strings.Replace(head+two(""), "test-8", "other-8", 1), 9, 2, 0},
		{"a query behind a fragment's name", strings.Replace(head+two(""), "test-8.ts", "test-8.ts?t=1", 1), 7, 4, 0},
		{"a key", key("METHOD=AES-128,URI=\"test-7.key\",IV=" + iv), 7, 4, 0},
		{"the end of a key", key("METHOD=NONE"), 7, 4, 0},
		{"a key without IV", key(`METHOD=AES-128,URI="test-7.key"`), 9, 2, 0},
		{"an IV of 31 digits", key("METHOD=AES-128,URI=\"test-7.key\",IV=" + iv[:33]), 9, 2, 0},
		{"an IV of 33 digits", key("METHOD=AES-128,URI=\"test-7.key\",IV=" + iv + "0"), 9, 2, 0},
		{"an IV that is no number", key("METHOD=AES-128,URI=\"test-7.key\",IV=" + iv[:33] + "g"), 9, 2, 0},
		{"a key of another method", key("METHOD=SAMPLE-AES,URI=\"test-7.key\",IV=" + iv), 9, 2, 0},
		{"a key of another format", key("METHOD=AES-128,URI=\"test-7.key\",IV=" + iv + `,KEYFORMAT="com.apple"`), 9, 2, 0},
		{"byte ranges", head + "#EXTINF:2.000,\n#EXT-X-BYTERANGE:10@0\ntest-7.ts\n#EXTINF:2.000,\n#EXT-X-BYTERANGE:10@10\ntest-7.ts\n", 9, 2, 0},
		{"fragmented MP4", head + "#EXT-X-MAP:URI=\"init.mp4\"\n" + two(""), 9, 2, 0},
		{"a gap", head + two("#EXT-X-GAP\n"), 9, 2, 0},

		// Nothing of these can be believed: the numbers are beyond the files'.
		{"no playlist", "what is this", 42, 2, 42},
		{"no target duration", strings.Replace(head, "#EXT-X-TARGETDURATION:4\n", "", 1) + two(""), 42, 2, 42},
		{"a target of a day and a second", strings.Replace(head, "DURATION:4", "DURATION:86401", 1) + two(""), 42, 2, 42},
		{"a fragment without length", head + strings.Replace(two(""), "2.000", "0", 1), 42, 2, 42},
		{"a fragment of a day and a second", head + strings.Replace(two(""), "2.000", "86401", 1), 42, 2, 42},
		{"a name with a quotation mark", strings.Replace(head+two(""), "test-8", "test\"-8", 1), 42, 2, 42},
		{"a number that players can't hold", strings.Replace(head, "SEQUENCE:7", "SEQUENCE:2147483646", 1) + two(""), 42, 2, 42},
		{"a negative number", strings.Replace(head, "SEQUENCE:7", "SEQUENCE:-7", 1) + two(""), 42, 2, 42},
		{"a multivariant playlist", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ntest-7.ts\n", 42, 2, 42},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			for _, name := range []string{"test-7.ts", "test-8.ts", "test-41.ts", "other-99.ts", "test-x.ts"} {
				b.foreign(name)
			}
			if err := os.WriteFile(filepath.Join(b.dir, "test.m3u8"), []byte(c.found), 0o600); err != nil {
				t.Fatal(err)
			}
			b.run(b.packager("test", testConfig(b.dir)), mediatest.NewScript(t).Play(4*time.Second).Packets, nil)
			m := b.playlist("test.m3u8")
			disc := 0
			if m.DiscontinuitySequence != nil {
				disc = *m.DiscontinuitySequence
			}
			if m.MediaSequence != c.seq || len(m.Segments) != c.entries || disc != c.disc {
				t.Fatalf("sequence %d with %d entries, discontinuity sequence %d; want %d with %d, %d:\n%s", m.MediaSequence, len(m.Segments), disc, c.seq, c.entries, c.disc, b.read("test.m3u8"))
			}
			first := m.Segments[c.entries-2]
			if want := fmt.Sprintf("test-%d.ts", c.seq+c.entries-2); first.URI != want || !first.Discontinuity {
				t.Errorf("our first fragment is %s, discontinuity %t, want %s and one", first.URI, first.Discontinuity, want)
			}
		})
	}
	// A day, and the last number, are still good.
	for name, found := range map[string]string{
		"target":   strings.Replace(head, "DURATION:4", "DURATION:86400", 1) + two(""),
		"fragment": head + strings.Replace(two(""), "2.000", "86400", 1),
	} {
		b := newBench(t)
		b.foreign("test-41.ts")
		if err := os.WriteFile(filepath.Join(b.dir, "test.m3u8"), []byte(found), 0o600); err != nil {
			t.Fatal(err)
		}
		b.run(b.packager("test", testConfig(b.dir)), mediatest.NewScript(t).Play(4*time.Second).Packets, nil)
		if m := b.playlist("test.m3u8"); m.MediaSequence != 9 {
			t.Errorf("a %s of a day: goes on with %d", name, m.MediaSequence)
		}
	}
}

func file(uri string, d time.Duration, date time.Time) [2]packager.File {
	return [2]packager.File{{URI: uri, Lasts: d, Date: date}}
}

// RFC 8216 §4.3 line by line.
func TestAPlaylistLineByLine(t *testing.T) {
	k := &packager.Key{URI: "a.key", IV: "0x00000000000000000000000000000001"}
	date := time.Date(2026, 5, 1, 14, 0, 0, 7_900_000, time.FixedZone("", 7200))
	l := playlist{target: 4, datetime: true, Window: packager.Window{
		Seq: 12, Disc: 3,
		Segments: []packager.Segment{
			{Files: file("a.ts", 2*time.Second, time.Time{}), Duration: 2 * time.Second, Independent: true},
			{Files: file("b.ts", 3999*time.Millisecond, date), Duration: 3999 * time.Millisecond, Independent: true, Discontinuity: true, Date: date, Key: k},
			{Files: file("c.ts", 70*time.Millisecond, time.Time{}), Duration: 70 * time.Millisecond, Independent: true, Key: &packager.Key{URI: k.URI, IV: k.IV}},
			{Files: file("d.ts", 12345678*time.Microsecond, time.Time{}), Duration: 12345678 * time.Microsecond, Independent: true},
		},
	}}
	const want = `#EXTM3U
#EXT-X-VERSION:3
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:12
#EXT-X-DISCONTINUITY-SEQUENCE:3
#EXT-X-INDEPENDENT-SEGMENTS
#EXTINF:2.000,
a.ts
#EXT-X-DISCONTINUITY
#EXT-X-KEY:METHOD=AES-128,URI="a.key",IV=0x00000000000000000000000000000001
#EXT-X-PROGRAM-DATE-TIME:2026-05-01T12:00:00.007Z
#EXTINF:3.999,
b.ts
#EXTINF:0.070,
c.ts
#EXT-X-KEY:METHOD=NONE
#EXTINF:12.345,
d.ts
`
	if got := string(l.text()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	l.Segments[2].Independent, l.Event, l.Ended = false, true, true
	changed := strings.Replace(want, "#EXT-X-INDEPENDENT-SEGMENTS\n", "#EXT-X-PLAYLIST-TYPE:VOD\n", 1) + "#EXT-X-ENDLIST\n"
	if got := string(l.text()); got != changed {
		t.Errorf("an event that has ended:\n%s\nwant\n%s", got, changed)
	}
	if l.Next() != 16 || l.NextDisc() != 4 || l.Duration() != 18414678*time.Microsecond {
		t.Errorf("it goes on with %d and %d after %s", l.Next(), l.NextDisc(), l.Duration())
	}
}

// Whose files are ours: digits, at most as many as 64 bits have, and a suffix.
func TestWhichNamesAreNumbered(t *testing.T) {
	for id, want := range map[string]bool{
		"0.ts": true, "9.ts": true, "0.key": true, "18446744073709551615.ts": true, "184467440737095516150.ts": false,
		".ts": false, "/.ts": false, ":.ts": false, "1:.ts": false, "1/.ts": false, "a.ts": false, "1": false, "1.mp4": false, "1.ts.ts": false, "-1.ts": false,
	} {
		got := localName("test.m3u8", "test-"+strings.ReplaceAll(id, "/", "%2F"))
		if (got != "") != want {
			t.Errorf("test-%s is called %q", id, got)
		}
	}
}

// hls_fragment_naming_granularity rounds down (docs/nginx-rtmp.md).
func TestFragmentNames(t *testing.T) {
	for _, c := range []struct {
		naming      string
		granularity int
		want        []string
	}{
		{"sequential", 0, []string{"test-0.ts", "test-1.ts", "test-2.ts"}},
		{"sequential", 1, []string{"test-0.ts", "test-1.ts", "test-2.ts"}},
		{"sequential", 2, []string{"test-0.ts", "test-1.ts", "test-2.ts"}}, // 0 is taken: the next one
		{"timestamp", 0, []string{"test-90000.ts", "test-270000.ts", "test-450000.ts"}},
		{"timestamp", 100000, []string{"test-0.ts", "test-200000.ts", "test-400000.ts"}},
		{"system", 0, []string{"test-1777636801000.ts", "test-1777636803000.ts", "test-1777636805000.ts"}},
		{"system", 2000, []string{"test-1777636800000.ts", "test-1777636802000.ts", "test-1777636804000.ts"}},
	} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.FragmentNaming, cfg.FragmentNamingGranularity = c.naming, c.granularity
		s := mediatest.NewScript(t)
		s.At = time.Second
		b.run(b.packager("test", cfg), s.Play(6*time.Second).Packets, nil)
		var got []string
		for _, e := range b.playlist("test.m3u8").Segments {
			got = append(got, e.URI)
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s, granularity %d: %q, want %q", c.naming, c.granularity, got, c.want)
		}
	}
}

// FRAME-RATE is what the pictures are, as encoders call it.
func TestFrameRatesOfRenditions(t *testing.T) {
	for _, c := range []struct {
		frame time.Duration
		said  float64 // by the sequence header
		want  float64
	}{
		{40 * time.Millisecond, 25, 25},
		{40 * time.Millisecond, 0, 25},
		{40 * time.Millisecond, 50, 25}, // not true
		{40 * time.Millisecond, 25.4, 25.4},
		{40 * time.Millisecond, 25.6, 25}, // too far off to be
		{20 * time.Millisecond, 0, 50},
		{100 * time.Millisecond, 0, 10},
		{80 * time.Millisecond, 0, 12.5},
		{125 * time.Millisecond, 0, 8},
		{16 * time.Millisecond, 0, 62.5},
	} {
		b := newBench(t)
		s := mediatest.NewScript(t)
		v := *s.Video
		v.FrameRate = c.said
		s.Video, s.Frame = &v, c.frame
		b.run(b.packager("show_low", variants(b.dir)), s.Play(8*time.Second).Packets, nil)
		if got := b.master("show.m3u8").Variants[0].FrameRate; got == nil || off(*got, c.want) > 0.0005 {
			t.Errorf("a frame every %s, %v said: %v, want %v", c.frame, c.said, *got, c.want)
		}
	}
}

// What is not measured is not said.
func TestARenditionOfAudioAlone(t *testing.T) {
	b := newBench(t)
	s := mediatest.NewScript(t)
	s.Video = nil
	b.run(b.packager("show_low", variants(b.dir)), s.Play(8*time.Second).Packets, nil)
	text := string(b.read("show.m3u8"))
	if strings.Contains(text, "RESOLUTION") || strings.Contains(text, "FRAME-RATE") || !strings.Contains(text, `CODECS="mp4a.40.2",CLOSED-CAPTIONS=NONE`) {
		t.Errorf("%s", text)
	}
	// Then it has a picture.
	s = mediatest.NewScript(t)
	s.Epoch = 1
	b.run(b.packager("show_low", variants(b.dir)), s.Play(8*time.Second).Packets, nil)
	if text := string(b.read("show.m3u8")); !strings.Contains(text, `CODECS="avc1.640028,mp4a.40.2",RESOLUTION=1920x1080,FRAME-RATE=25.000`) {
		t.Errorf("%s", text)
	}
}

func TestStreamNamesThatAreNoFileNames(t *testing.T) {
	b := newBench(t)
	for name, ok := range map[string]bool{
		"a": true, "a.b": true, "ä": true, "a-1": true, "!": true, "~": true,
		"": false, ".a": false, "a..b": false, "a/b": false, `a\b`: false, "a b": false, "a\x1f": false, "a\x7f": false, "a\n": false,
	} {
		for _, nested := range []bool{false, true} {
			cfg := testConfig(b.dir)
			cfg.Nested = nested
			p, err := b.d.NewPackager("show", name, cfg, b.log)
			if (err == nil) != ok {
				t.Errorf("%q, nested %t: %v", name, nested, err)
			}
			if err == nil {
				b.run(p, []*media.Packet{}, eof)
			}
		}
	}
}

// As it stands in a URI: letters beyond ASCII and signs are escaped.
func TestURIsOfFragmentsAndKeys(t *testing.T) {
	for _, c := range []struct {
		nested        bool
		base, keys    string
		fragment, key string
	}{
		{false, "", "", "%C3%BC-0.ts", "%C3%BC-0.key"},
		{false, "http://cdn/x/", "http://keys/", "http://cdn/x/%C3%BC-0.ts", "http://keys/%C3%BC-0.key"},
		{true, "", "", "0.ts", "0.key"},
		{true, "http://cdn/x/", "http://keys/", "http://cdn/x/%C3%BC/0.ts", "http://keys/%C3%BC/0.key"},
	} {
		b := newBench(t)
		cfg := testConfig(b.dir)
		cfg.Nested, cfg.BaseURL = c.nested, value.Base(c.base)
		cfg.Keys = &config.Keys{Path: value.Path(filepath.Join(b.dir, "keys")), URL: value.Base(c.keys)}
		b.run(b.packager("ü", cfg), mediatest.NewScript(t).Play(2*time.Second).Packets, eof)
		got := b.playlist(PlaylistName("ü", &cfg)).Segments[0]
		if got.URI != c.fragment {
			t.Errorf("nested %t, base %q: %s, want %s", c.nested, c.base, got.URI, c.fragment)
		}
		if got.Key == nil || got.Key.URI != c.key {
			t.Errorf("nested %t, keys %q: %+v, want %s", c.nested, c.keys, got.Key, c.key)
		}
	}
}
