package clip

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/fuzztime"
)

type memory struct{ *strings.Reader }

func (memory) Close() error { return nil }

// Whatever a playlist and its files say, a clip is made or an error is returned.
func FuzzClip(f *testing.F) {
	const head = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n"
	f.Add(head+"#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:2.000,\na.m4s\n#EXT-X-DISCONTINUITY\n#EXTINF:2.000,\nb.m4s\n", "\x00\x00\x00\x08ftyp\x00\x00\x00\x08moov")
	f.Add(head+"#EXT-X-PROGRAM-DATE-TIME:2026-11-30T12:00:00.000Z\n#EXTINF:2.000,\na.ts\n", "G@\x00\x10")
	f.Add(head+"#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-GAP\n#EXTINF:9e9,\n%zz\n", "")
	f.Fuzz(func(t *testing.T, playlist, file string) {
		fuzztime.Bound(t)
		open := func(name string) (File, int64, error) {
			if name == "" {
				return nil, 0, fs.ErrNotExist
			}
			return memory{strings.NewReader(file)}, int64(len(file)), nil
		}
		all := Read([]byte(playlist), 0)
		for i := range all {
			if all[i].Duration <= 0 || all[i].Files[0] == "" {
				t.Fatalf("%+v", all[i])
			}
		}
		Playlists([]byte(playlist))
		c, err := New(Last(Beside(all, all), 10*time.Second), open)
		if err != nil {
			return
		}
		_ = c.Write(io.Discard)
		if c.Duration() <= 0 {
			t.Error("no duration")
		}
	})
}

func TestWhatIsPicked(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	list.WriteString("#EXTM3U\n#EXT-X-TARGETDURATION:2\n")
	for _, name := range []string{"0", "1", "2", "3"} {
		list.WriteString("#EXT-X-PROGRAM-DATE-TIME:2026-11-30T12:00:0" + string('0'+2*(name[0]-'0')) + ".000Z\n#EXTINF:2.000,\n" + name + ".ts\n")
	}
	all := Read([]byte(list.String()), 0)
	names := func(all []Segment) (s string) {
		for i := range all {
			s += strings.TrimSuffix(all[i].Files[0], ".ts")
		}
		return s
	}
	at := func(s string) time.Time {
		d, err := time.Parse(time.RFC3339, "2026-11-30T12:00:"+s+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for got, want := range map[string]string{
		names(all): "0123", names(Last(all, time.Second)): "3", names(Last(all, 2*time.Second)): "3", names(Last(all, 3*time.Second)): "23", names(Last(all, time.Hour)): "0123",
		names(Between(all, at("02"), at("04"))): "1", names(Between(all, at("03"), at("05"))): "12", names(Between(all, at("08"), at("09"))): "",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if _, err := New(nil, nil); !errors.Is(err, ErrNothing) {
		t.Error(err)
	}
	if _, err := New([]Segment{{Files: [2]string{"a.ts"}, Encrypted: true}}, nil); !errors.Is(err, ErrCoded) {
		t.Error(err)
	}
}
