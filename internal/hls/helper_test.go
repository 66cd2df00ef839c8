package hls

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	m3u8 "github.com/bluenviron/gohlslib/v2/pkg/playlist"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/packager"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

const sec = time.Second

// testStart is when every test begins.
var testStart = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// A testClock is time under a test's control.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (c *testClock) advance(d time.Duration) { c.set(c.Now().Add(d)) }

// A bench is one directory with everything around it.
type bench struct {
	testing.TB
	dir   string
	clock *testClock
	d     *Directory
	count *packager.Metrics
	log   *zap.Logger
	logs  *observer.ObservedLogs
	fault func(op, name string) error
}

func newBench(t testing.TB) *bench {
	core, logs := observer.New(zap.DebugLevel)
	b := &bench{
		TB: t, dir: filepath.Join(t.TempDir(), "hls"),
		clock: &testClock{now: testStart}, log: zap.New(core), logs: logs,
	}
	b.open()
	t.Cleanup(func() { b.d.Close() })
	return b
}

// open opens the directory, as a new process would.
func (b *bench) open() {
	b.Helper()
	b.count = packager.NewMetrics()
	d, err := openDirectory(b.dir, packager.DirectoryOptions{
		Log: b.log, Now: b.clock.Now, Metrics: b.count,
		Fault: func(op, name string) error {
			if b.fault == nil {
				return nil
			}
			return b.fault(op, name)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.d = d
}

func openDirectory(path string, o packager.DirectoryOptions) (*Directory, error) {
	d := NewDirectory()
	o.Formats = []packager.Format{d}
	_, err := packager.OpenDirectory(path, o)
	return d, err
}

// reopen is a restart of the process.
func (b *bench) reopen() {
	b.Helper()
	b.d.Close()
	b.open()
}

// clean does what Run does when everything due has come.
func (b *bench) clean() {
	b.Helper()
	if _, err := b.d.Clean(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) files() []string {
	b.Helper()
	var names []string
	err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), segstore.LedgerName) {
			rel, _ := filepath.Rel(b.dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func (b *bench) read(name string) []byte {
	b.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// playlist parses a playlist on disk with a library that is not ours.
func (b *bench) playlist(name string) m3u8.Media {
	b.Helper()
	var m m3u8.Media
	if err := m.Unmarshal(b.read(name)); err != nil {
		b.Fatalf("%s: %v\n%s", name, err, b.read(name))
	}
	return m
}

func testConfig(dir string) config.HLS {
	return config.HLS{
		Path: value.Path(dir), Fragment: 2 * time.Second, MaxFragment: 6 * time.Second, PlaylistLength: 10 * time.Second,
		Format: "mpegts", FragmentNaming: "sequential", FragmentSlicing: "plain", Type: "live",
		Continuous: true, Cleanup: true, Sync: 2 * time.Millisecond, MaxAudioDelay: 300 * time.Millisecond,
		Datetime: true, Endlist: true,
	}
}

func (b *bench) packager(name string, cfg config.HLS) *packager.Packager {
	b.Helper()
	p, err := b.d.NewPackager("show", name, cfg, b.log)
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// A feed delivers packets one at a time, the clock showing when each was sent.
type feed struct {
	packets []*media.Packet
	clock   *testClock
	// each, if set, is called before a packet is delivered.
	each func(i int)
	stop error // at the end: io.EOF, or nil to cancel
	i    int
	end  context.CancelFunc
	skip map[int]uint64 // packets lost before that one
}

func (f *feed) Next(ctx context.Context, buf []*media.Packet) (int, uint64, error) {
	if f.i == len(f.packets) {
		if f.stop != nil {
			return 0, 0, f.stop
		}
		f.end()
		return 0, 0, ctx.Err()
	}
	p := f.packets[f.i]
	if f.clock != nil && p.DTS >= 0 && p.DTS < 24*time.Hour {
		f.clock.set(testStart.Add(p.DTS))
	}
	if f.each != nil {
		f.each(f.i)
	}
	buf[0] = p
	skipped := f.skip[f.i]
	f.i++
	return 1, skipped, nil
}

func (f *feed) TryNext([]*media.Packet) (int, uint64, error) { return 0, 0, nil }

// run runs a packager over packets to the end of the stream (io.EOF) or, with a
// nil stop, until it is cancelled.
func (b *bench) run(p *packager.Packager, packets []*media.Packet, stop error) {
	b.Helper()
	b.runFeed(p, &feed{packets: packets, clock: b.clock, stop: stop})
}

func (b *bench) runFeed(p *packager.Packager, f *feed) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.end = cancel
	if err := p.Run(ctx, f); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) logged(message string) int { return b.logs.FilterMessageSnippet(message).Len() }

var eof = io.EOF
