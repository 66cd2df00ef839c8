package hls

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

func entries(durations ...float64) []entry {
	var l []entry
	for _, d := range durations {
		l = append(l, entry{uri: "x.ts", duration: time.Duration(d * float64(time.Second))})
	}
	return l
}

func TestWindow(t *testing.T) {
	tests := []struct {
		name      string
		durations []float64
		target    int
		length    time.Duration
		gone      int
	}{
		{"as many as fill playlist_length", []float64{3, 3, 3, 3, 3, 3}, 3, 12 * time.Second, 2},
		{"none goes while what is left would be too short", []float64{3, 3, 3, 3}, 3, 10 * time.Second, 0},
		{"three target durations at least", []float64{2, 2, 2, 2, 2, 2}, 4, time.Second, 0},
		{"three target durations exactly", []float64{4, 4, 4, 4}, 4, time.Second, 1},
		{"three entries at least", []float64{9, 9, 9}, 3, time.Second, 0},
		{"a playlist shorter than a fragment", []float64{5, 5, 5, 5}, 5, time.Second, 1},
		{"two entries", []float64{5, 5}, 5, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := playlist{seq: 7, target: tt.target, entries: entries(tt.durations...)}
			l.entries[0].discontinuity = true
			if got := len(l.trim(tt.length)); got != tt.gone {
				t.Errorf("%d entries went, want %d", got, tt.gone)
			}
			wantDisc := uint64(0)
			if tt.gone > 0 {
				wantDisc = 1
			}
			if l.seq != 7+uint64(tt.gone) || l.disc != wantDisc || len(l.entries) != len(tt.durations)-tt.gone {
				t.Errorf("%+v", l)
			}
		})
	}
	event := playlist{event: true, target: 1, entries: entries(1, 1, 1, 1, 1, 1, 1, 1)}
	if len(event.trim(time.Second)) != 0 {
		t.Error("an event playlist lost entries")
	}
}

func TestTargetDuration(t *testing.T) {
	for _, tt := range []struct {
		fragment, first time.Duration
		want            int
	}{
		{2 * time.Second, 2 * time.Second, 2},
		{2500 * time.Millisecond, 0, 3},
		{2 * time.Second, 2499 * time.Millisecond, 2},
		{2 * time.Second, 2500 * time.Millisecond, 3},
		{100 * time.Millisecond, 100 * time.Millisecond, 1},
		{5 * time.Second, 8340 * time.Millisecond, 8},
	} {
		got := targetFor(tt.fragment, tt.first)
		if got != tt.want {
			t.Errorf("fragment %v, first %v: got %d, want %d", tt.fragment, tt.first, got, tt.want)
		}
		if r := int(limitFor(got).Seconds() + 0.5); r != got {
			t.Errorf("the limit of %d rounds to %d", got, r)
		}
	}
}

func TestLocalName(t *testing.T) {
	for _, tt := range []struct{ playlist, uri, want string }{
		{"test.m3u8", "test-5.ts", "test-5.ts"},
		{"test.m3u8", "https://cdn/x/test-5.ts?token=1", "test-5.ts"},
		{"test.m3u8", "../../etc/test-5.ts", "test-5.ts"},
		{"test.m3u8", "test-5x.ts", ""},
		{"test.m3u8", "other-5.ts", ""},
		{"test.m3u8", "test-.ts", ""},
		{"test.m3u8", "%zz", ""},
		{"ütest.m3u8", "%C3%BCtest-5.ts", "ütest-5.ts"},
		{"test/index.m3u8", "5.ts", "test/5.ts"},
		{"test/index.m3u8", "/base/test/5.ts", "test/5.ts"},
		{"test/index.m3u8", "%2e%2e%2f5.ts", ""},
		{"test/index.m3u8", "..", ""},
	} {
		if got := localName(tt.playlist, tt.uri); got != tt.want {
			t.Errorf("%s in %s: got %q, want %q", tt.uri, tt.playlist, got, tt.want)
		}
	}
}

// FuzzResume feeds the resumer whatever may be found on disk: it must not
// panic, and a playlist that it goes on with must be one that can be read.
func FuzzResume(f *testing.F) {
	files, err := filepath.Glob("testdata/*.m3u8")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, s := range []string{
		"", "#EXTM3U\n", "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:NaN,\nx.ts\n",
		"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:1e300,\nx.ts\n",
		"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:2147483646\n#EXTINF:1,\nx.ts\n#EXTINF:1,\nx.ts\n",
		"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-KEY:METHOD=AES-128,URI=\"a,b\",IV=0x00000000000000000000000000000001\n#EXTINF:1,\ntest-1.ts\n",
		"#EXTM3U\r\n#EXT-X-TARGETDURATION:4\r\n#EXTINF:1,\r\ntest-1.ts\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		l, err := parsePlaylist(b)
		if err != nil {
			return
		}
		text := l.text()
		var m m3u8.Media
		if err := m.Unmarshal(text); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		again, err := parsePlaylist(text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !bytes.Equal(again.text(), text) {
			t.Errorf("%s\nbecame\n%s", text, again.text())
		}
		for _, e := range l.entries {
			if name := localName("test.m3u8", e.uri); name != "" && !segstore.CleanName(name) {
				t.Errorf("%q is called %q", e.uri, name)
			}
		}
	})
}
