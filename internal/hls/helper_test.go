package hls

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
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
)

// Decoder configurations as encoders send them.
const (
	avcHigh1080 = "01640028ffe1001967640028acd940780227e5c04400000fa40003a9803c60c65801000668ebe3cb22c0fdf8f800"
	avcBaseline = "0142c00dffe100176742c00dda05067e7c0440000003004000000f03c50aa801000468ce3c80"
	aacLC44     = "1210"
	aacLC48     = "1190"
)

func track(t testing.TB, c media.Codec, config string) *media.Track {
	t.Helper()
	b, err := hex.DecodeString(config)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := media.ParseConfig(c, b)
	if err != nil {
		t.Fatal(err)
	}
	return &tr
}

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
	d, err := OpenDirectory(b.dir, DirectoryOptions{
		Log: b.log, Now: b.clock.Now,
		fault: func(op, name string) error {
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

// reopen is a restart of the process.
func (b *bench) reopen() {
	b.Helper()
	b.d.Close()
	b.open()
}

// clean does what Run does when everything due has come.
func (b *bench) clean() {
	b.Helper()
	if _, err := b.d.clean(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) files() []string {
	b.Helper()
	var names []string
	err := filepath.WalkDir(b.dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ledgerPrefix) {
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

func (b *bench) packager(name string, cfg config.HLS) *Packager {
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
func (b *bench) run(p *Packager, packets []*media.Packet, stop error) {
	b.Helper()
	b.runFeed(p, &feed{packets: packets, clock: b.clock, stop: stop})
}

func (b *bench) runFeed(p *Packager, f *feed) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.end = cancel
	if err := p.run(ctx, f); err != nil {
		b.Fatal(err)
	}
}

// A script makes a stream's packets, each with a marker in its payload by which
// it is found again in a fragment.
type script struct {
	video, audio *media.Track
	frame        time.Duration // 40 ms
	gop          time.Duration
	epoch        uint32
	size         int // payload of a video frame, at least a marker

	at      time.Duration // where the next packets begin
	serial  int
	packets []*media.Packet
}

func newScript(t testing.TB) *script {
	return &script{
		video: track(t, media.CodecH264, avcHigh1080), audio: track(t, media.CodecAAC, aacLC44),
		frame: 40 * time.Millisecond, gop: 2 * time.Second,
	}
}

func (s *script) payload(kind media.Kind, key bool) []byte {
	mark := fmt.Sprintf("<%c%07d>", "VA"[kind], s.serial)
	s.serial++
	if kind == media.Audio {
		return []byte(mark + "aac")
	}
	nal := append([]byte{0x41}, mark...)
	if key {
		nal[0] = 0x65
	}
	nal = append(nal, bytes.Repeat([]byte{0x5a}, max(s.size-len(nal), 0))...)
	return append([]byte{0, 0, byte(len(nal) >> 8), byte(len(nal))}, nal...)
}

func (s *script) put(tr *media.Track, dts time.Duration, key bool) {
	data := s.payload(tr.Kind, key)
	s.packets = append(s.packets, &media.Packet{
		Track: tr, DTS: dts, Epoch: s.epoch, Timestamp: uint32(dts.Milliseconds()), Keyframe: key, Tag: data, Data: data,
	})
}

// play adds d of both tracks (those that are set), interleaved by time, with a
// keyframe at its start and every gop.
func (s *script) play(d time.Duration) *script {
	end := s.at + d
	key := s.at
	v, a := s.at, s.at
	for n := int64(0); v < end || a < end && s.audio != nil; {
		switch {
		case s.audio != nil && a < end && (a < v || s.video == nil || v >= end):
			s.put(s.audio, a, false)
			n++
			a = s.at + (time.Duration(n*1024) * time.Second / 44100).Truncate(time.Millisecond)
		case s.video != nil && v < end:
			s.put(s.video, v, v >= key)
			if v >= key {
				key += s.gop
			}
			v += s.frame
		default:
			v = end
		}
	}
	s.at = end
	return s
}

var marker = regexp.MustCompile(`<[VA](\d{7})>`)

// markers are the serial numbers of the packets in a fragment, per kind.
func markers(t testing.TB, ts []byte) (video, audio []int) {
	t.Helper()
	if len(ts)%188 != 0 || len(ts) == 0 {
		t.Fatalf("fragment of %d bytes is no whole number of TS packets", len(ts))
	}
	streams := make(map[int][]byte)
	for ; len(ts) > 0; ts = ts[188:] {
		if ts[0] != 0x47 {
			t.Fatalf("no sync byte")
		}
		pid := int(ts[1]&0x1f)<<8 | int(ts[2])
		payload := ts[4:188]
		if ts[3]&0x20 != 0 {
			payload = payload[1+int(payload[0]):]
		}
		streams[pid] = append(streams[pid], payload...)
	}
	for _, m := range marker.FindAllSubmatch(slices.Concat(streams[0x100], streams[0x101]), -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		if m[0][1] == 'V' {
			video = append(video, n)
		} else {
			audio = append(audio, n)
		}
	}
	return video, audio
}

// decodeTimes are the DTS of a fragment's PES packets (PTS where that is all
// there is) in order, by PID.
func decodeTimes(ts []byte) map[int][]time.Duration {
	times := make(map[int][]time.Duration)
	for ; len(ts) >= 188; ts = ts[188:] {
		pid := int(ts[1]&0x1f)<<8 | int(ts[2])
		if ts[1]&0x40 == 0 || pid < 0x100 || pid > 0x101 {
			continue
		}
		b := ts[4:188]
		if ts[3]&0x20 != 0 {
			b = b[1+int(b[0]):]
		}
		at := b[9:]
		if b[7]&0x40 != 0 {
			at = b[14:]
		}
		v := int64(at[0]>>1&7)<<30 | int64(at[1])<<22 | int64(at[2]>>1)<<15 | int64(at[3])<<7 | int64(at[4]>>1)
		times[pid] = append(times[pid], time.Duration(v)*time.Second/90000)
	}
	return times
}

func (b *bench) logged(message string) int { return b.logs.FilterMessageSnippet(message).Len() }

var eof = io.EOF
