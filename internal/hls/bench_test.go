package hls

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/mediatest"
	"github.com/rtmpd/rtmpd/internal/packager"
)

// BenchmarkCut is a fragment's end: mux, write, playlist, on tmpfs. A fragment
// is 2 s of 2.5 Mb/s.
func BenchmarkCut(b *testing.B) {
	dir, err := os.MkdirTemp("/dev/shm", "hls")
	if err != nil {
		dir = b.TempDir()
	}
	defer os.RemoveAll(dir)
	d, err := openDirectory(filepath.Join(dir, "hls"), packager.DirectoryOptions{Log: zap.NewNop()})
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
	s := mediatest.NewScript(b)
	s.Size = 12500
	s.Play(2 * time.Second)
	var bytes int64
	for _, pkt := range s.Packets {
		bytes += int64(len(pkt.Data))
	}
	g := &gops{b: b, clean: d.Clean}
	for i := range g.gop {
		for _, pkt := range s.Packets {
			q := *pkt
			q.DTS += time.Duration(i) * 2 * time.Second
			g.gop[i] = append(g.gop[i], q)
		}
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	if err := p.Run(b.Context(), g); err != nil {
		b.Fatal(err)
	}
}

// gops are two GOPs, in turn: each time 4 s on.
type gops struct {
	b     *testing.B
	gop   [2][]media.Packet
	clean func(context.Context) (time.Time, error)
	n, i  int // the next packet
}

func (g *gops) Next(ctx context.Context, buf []*media.Packet) (n int, skipped uint64, err error) {
	gop := g.gop[g.n%2]
	if g.i == 0 {
		if !g.b.Loop() {
			return 0, 0, io.EOF
		}
		if _, err := g.clean(ctx); err != nil {
			return 0, 0, err
		}
	}
	for ; n < len(buf) && g.i < len(gop); n, g.i = n+1, g.i+1 {
		buf[n] = &gop[g.i]
	}
	if g.i == len(gop) {
		g.i, g.n = 0, g.n+1
		next := g.gop[g.n%2] // of the segment before: it is written
		for i := range next {
			if g.n > 1 {
				next[i].DTS += 4 * time.Second
			}
		}
	}
	return n, 0, nil
}

func (g *gops) TryNext([]*media.Packet) (int, uint64, error) { return 0, 0, nil }
