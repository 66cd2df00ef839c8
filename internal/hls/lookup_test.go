package hls

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

func TestLookupTellsWhatIsOnDisk(t *testing.T) {
	b := newBench(t)
	b.foreign("other.ts")
	cfg := testConfig(b.dir)
	b.run(b.packager("test", cfg), mediatest.NewScript(t).Play(12*time.Second).Packets, nil)

	f, ok := b.d.Lookup("test.m3u8")
	if !ok || f.App != "show" || f.Stream != "test" || f.Kind != segstore.Playlist || f.MaxAge != time.Second {
		t.Fatalf("%+v %t", f, ok)
	}
	if disk := b.read("test.m3u8"); !bytes.Equal(f.Body, disk) || f.Size != int64(len(disk)) {
		t.Errorf("body %s", f.Body)
	}
	z, err := gzip.NewReader(bytes.NewReader(f.Gzip()))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := io.ReadAll(z); err != nil || !bytes.Equal(plain, f.Body) {
		t.Errorf("gzip %s %v", plain, err)
	}
	g, ok := b.d.Lookup("test-3.ts")
	if !ok || g.Kind != segstore.Segment || g.Body != nil || g.Size != int64(len(b.read("test-3.ts"))) || g.MaxAge != 20*time.Second {
		t.Errorf("%+v %t", g, ok)
	}
	if g.ETag == "" || g.ETag == f.ETag || g.ETag[0] != '"' {
		t.Errorf("ETags %s %s", f.ETag, g.ETag)
	}
	for _, name := range []string{"other.ts", "nothing.m3u8", "", "..", segstore.LedgerName, "/test.m3u8"} {
		if f, ok := b.d.Lookup(name); ok {
			t.Errorf("%q is %+v", name, f)
		}
	}
	if got := b.d.Streams(); !slices.Equal(got, []string{"test.m3u8"}) {
		t.Errorf("streams %v", got)
	}
	if n := testing.AllocsPerRun(100, func() { b.d.Lookup("test-3.ts"); b.d.Lookup("nothing") }); n != 0 {
		t.Errorf("%v allocations", n)
	}

	// What an earlier process left is known too.
	b.reopen()
	if g, ok := b.d.Lookup("test.m3u8"); !ok || !bytes.Equal(g.Body, f.Body) || g.Stream != "test" || g.ETag != f.ETag {
		t.Errorf("after a restart %+v %t", g, ok)
	}
	if _, ok := b.d.Lookup("test-3.ts"); !ok {
		t.Error("a fragment is not known after a restart")
	}
}

func TestOneWriterForAPlaylist(t *testing.T) {
	b := newBench(t)
	cfg := testConfig(b.dir)
	s := mediatest.NewScript(t).Play(4 * time.Second)
	p, second := b.packager("test", cfg), b.packager("test", cfg)
	b.runFeed(p, &feed{packets: s.Packets, each: func(int) {
		if err := second.Run(t.Context(), &feed{stop: eof}); err == nil {
			t.Error("two packagers write one playlist")
		}
	}})
	if _, err := b.d.NewPackager("show", "../x", cfg, nil); err == nil {
		t.Error("a name with a slash")
	}
	cfg.Format = "mkv"
	if _, err := b.d.NewPackager("show", "x", cfg, nil); err == nil {
		t.Error("a format that is not built")
	}
}

func TestAReaderInATightLoopNeverSeesALie(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hls")
	d, err := openDirectory(dir, packager.DirectoryOptions{Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cfg := testConfig(dir)
	cfg.PlaylistLength = 6 * time.Second
	p, err := d.NewPackager("show", "test", cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := mediatest.NewScript(t)
	s.Size = 20000
	s.Play(240 * time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() {
		done <- p.Run(ctx, &feed{packets: s.Packets, stop: eof})
		cancel()
	}()
	go func() { done <- d.Run(ctx) }()
	v := newViewer(t, dir, "test.m3u8")
	polls := 0
	for ; ctx.Err() == nil; polls++ {
		v.poll()
		if f, ok := d.Lookup("test.m3u8"); ok && (len(f.Body) == 0 || !bytes.HasPrefix(f.Body, []byte("#EXTM3U\n"))) {
			t.Fatalf("torn body %q", f.Body)
		}
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	v.poll()
	if v.seq+6 < 120 || polls < 100 {
		t.Errorf("%d polls saw %d versions, the last from %d on", polls, v.versions, v.seq)
	}
}

func TestFirstPlaylistIsThereWhenTheFirstGOPEnds(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hls")
	synctest.Test(t, func(t *testing.T) {
		d, err := openDirectory(dir, packager.DirectoryOptions{Log: zap.NewNop()})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		ctx, cancel := context.WithCancel(t.Context())
		stream := live.NewStream("show", "test", live.Options{})
		p, err := d.NewPackager("show", "test", testConfig(dir), nil)
		if err != nil {
			t.Fatal(err)
		}
		cur := stream.Cursor(live.FromKeyframe, true)
		done := make(chan error, 2)
		go func() { done <- p.Run(ctx, cur) }()
		go func() { done <- d.Run(ctx) }()

		start := time.Now()
		s := mediatest.NewScript(t).Play(5 * time.Second)
		for _, pkt := range s.Packets {
			time.Sleep(pkt.DTS - time.Since(start))
			stream.Write(pkt)
			synctest.Wait()
			_, err := os.Stat(filepath.Join(dir, "test.m3u8"))
			if there := err == nil; pkt.DTS != 2*time.Second && there != (pkt.DTS > 2*time.Second) {
				t.Fatalf("at %v a playlist is there: %t", pkt.DTS, there)
			}
		}
		stream.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		cur.Close()
		body, err := os.ReadFile(filepath.Join(dir, "test.m3u8"))
		if err != nil || !bytes.HasSuffix(body, []byte("#EXT-X-ENDLIST\n")) {
			t.Errorf("%s %v", body, err)
		}
		// The cleaner takes it all away 2 × playlist_length later, not before.
		time.Sleep(19 * time.Second)
		synctest.Wait()
		if _, err := os.Stat(filepath.Join(dir, "test.m3u8")); err != nil {
			t.Error("removed too early")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if left, _ := filepath.Glob(filepath.Join(dir, "test*")); len(left) != 0 {
			t.Errorf("left %v", left)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
