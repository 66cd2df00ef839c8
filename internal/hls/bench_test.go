package hls

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
)

// BenchmarkCut is a fragment's end: mux, write, playlist, on tmpfs. A fragment
// is 2 s of 2.5 Mb/s.
func BenchmarkCut(b *testing.B) {
	dir, err := os.MkdirTemp("/dev/shm", "hls")
	if err != nil {
		dir = b.TempDir()
	}
	defer os.RemoveAll(dir)
	d, err := OpenDirectory(filepath.Join(dir, "hls"), DirectoryOptions{Log: zap.NewNop()})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	cfg := testConfig(dir)
	cfg.PlaylistLength = 12 * time.Second
	p, err := d.NewPackager("show", "test", cfg, nil)
	if err != nil {
		b.Fatal(err)
	}
	if p.out, err = openPlaylistWriter(p, d, cfg); err != nil {
		b.Fatal(err)
	}
	p.begin()
	s := mediatest.NewScript(b)
	s.Size = 12500
	s.Play(2 * time.Second)
	var bytes int64
	for _, pkt := range s.Packets {
		bytes += int64(len(pkt.Data))
	}
	gop := make([]media.Packet, len(s.Packets))
	for i, pkt := range s.Packets {
		gop[i] = *pkt
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	now := time.Now()
	for b.Loop() {
		for i := range gop {
			p.seg.Push(&gop[i], now, 0)
		}
		for i := range gop { // the same packets again, 2 s on
			gop[i].DTS += 2 * time.Second
		}
		if _, err := d.clean(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
