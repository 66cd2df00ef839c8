package vod

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rtmpd/rtmpd/internal/flv"
)

// openTest opens a file of testdata.
func openTest(t testing.TB, name string) File {
	t.Helper()
	l := Library{Sources: []string{"testdata"}}
	f, _, err := l.Open(context.Background(), Request{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// frames are the frames of a medium that Next returns.
func frames(t testing.TB, f File, typ uint8) (out []flv.FileTag) {
	t.Helper()
	for {
		tag, err := f.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if tag.Type == typ && kindOf(tag.Type, tag.Body) != isHeader && len(tag.Body) > 5 {
			tag.Body = append([]byte(nil), tag.Body...)
			out = append(out, tag)
		}
	}
}

// An MP4 file is played as the FLV file that ffmpeg makes of it.
func TestMP4IsPlayedAsFLV(t *testing.T) {
	for _, name := range []string{"h264.mp4", "front.mp4", "fragmented.mp4"} {
		for _, typ := range []uint8{flv.TagVideo, flv.TagAudio} {
			got, want := frames(t, openTest(t, name), typ), frames(t, openTest(t, "h264.flv"), typ)
			if len(got) != len(want) {
				t.Errorf("%s: %d frames of type %d, want %d", name, len(got), typ, len(want))
				continue
			}
			for i := range want {
				d := int(got[i].Timestamp) - int(want[i].Timestamp)
				if d < -1 || d > 1 || string(got[i].Body) != string(want[i].Body) {
					t.Errorf("%s: frame %d of type %d at %d is %x…, want at %d %x…", name, i, typ, got[i].Timestamp, got[i].Body[:6], want[i].Timestamp, want[i].Body[:6])
					break
				}
			}
		}
		f, want := openTest(t, name), openTest(t, "h264.flv")
		if len(f.Headers()) != 2 || string(f.Headers()[0].Body) != string(want.Headers()[0].Body) || string(f.Headers()[1].Body[:4]) != string(want.Headers()[1].Body[:4]) {
			t.Errorf("%s: headers\n%x\nwant\n%x", name, f.Headers(), want.Headers())
		}
	}
}

func TestSeekInEveryFormat(t *testing.T) {
	for _, name := range []string{"h264.mp4", "front.mp4", "fragmented.mp4", "h264.flv", "hevc.mp4", "sound.m4a"} {
		f := openTest(t, name)
		typ := uint8(flv.TagVideo)
		if name == "sound.m4a" {
			typ = flv.TagAudio
		}
		all := frames(t, f, typ)
		for _, to := range []uint32{0, 1, 500, 1199, 1200, 1300, 2500, 2999, 1e9, 0, 2150, 700} {
			want := 0
			for i, tag := range all {
				if k := kindOf(typ, tag.Body); tag.Timestamp <= to && (k == isKeyframe || k == isSound) {
					want = i
				}
			}
			if err := f.Seek(context.Background(), to); err != nil {
				t.Fatalf("%s: seek to %d: %v", name, to, err)
			}
			got := frames(t, f, typ)
			if len(got) != len(all)-want || got[0].Timestamp != all[want].Timestamp || string(got[0].Body) != string(all[want].Body) {
				t.Errorf("%s: seek to %d: %d frames from %d on, want %d from %d on", name, to, len(got), got[0].Timestamp, len(all)-want, all[want].Timestamp)
			}
		}
	}
}

func TestHEVCAndMP3InMP4(t *testing.T) {
	f := openTest(t, "hevc.mp4")
	h := f.Headers()
	if len(h) != 1 || string(h[0].Body[:5]) != "\x90hvc1" {
		t.Fatalf("headers %x", h)
	}
	v := frames(t, f, flv.TagVideo)
	if len(v) != 30 || string(v[0].Body[:5]) != "\x91hvc1" {
		t.Errorf("%d frames, the first %x", len(v), v[0].Body[:8])
	}
	a := frames(t, openTest(t, "hevc.mp4"), flv.TagAudio)
	if len(a) < 100 || a[0].Body[0]>>4 != 2 || a[0].Body[1] != 0xff {
		t.Errorf("%d frames, the first %x", len(a), a[0].Body[:8])
	}
}

func TestFilesThatCantBePlayed(t *testing.T) {
	l := Library{Sources: []string{"testdata"}}
	if _, _, err := l.Open(context.Background(), Request{Name: "mpeg4.mp4"}); err == nil || errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	} else {
		t.Log(err)
	}
	whole, err := os.ReadFile("testdata/front.mp4")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for n := 0; n < len(whole); n += 97 { // cut off anywhere
		if err := os.WriteFile(filepath.Join(dir, "x.mp4"), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		f, _, err := (&Library{Sources: []string{dir}}).Open(context.Background(), Request{Name: "x"})
		if err != nil {
			continue
		}
		for err == nil {
			_, err = f.Next()
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("a file cut off at %d of %d bytes ends as if it was whole", n, len(whole))
		}
		f.Close()
	}
}
