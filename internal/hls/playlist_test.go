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
	test := found{prefix: "test-", keys: "test-"}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzztime.Bound(t)
		l, err := parsePlaylist(b, test)
		if err != nil {
			return
		}
		text := l.text()
		var m m3u8.Media
		if err := m.Unmarshal(text); err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		again, err := parsePlaylist(text, test)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !bytes.Equal(again.text(), text) {
			t.Errorf("%s\nbecame\n%s", text, again.text())
		}
		for _, e := range l.Segments {
			if name := localName("test.m3u8", e.Files[0].URI); name != "" && !segstore.CleanName(name) {
				t.Errorf("%q is called %q", e.Files[0].URI, name)
			}
		}
	})
}
