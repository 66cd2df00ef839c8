package dash

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	parser "github.com/Eyevinn/dash-mpd/mpd"
	"github.com/bluenviron/mediacommon/v2/pkg/formats/fmp4"
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
var testStart = time.Date(2026, 5, 1, 12, 0, 0, 300e6, time.UTC)

// A bench is one directory with everything around it. Its clock is that of the publisher
// unless a test says otherwise.
type bench struct {
	testing.TB
	dir  string
	now  time.Time
	d    *Directory
	logs *observer.ObservedLogs
	log  *zap.Logger

	seen []*presentation // every MPD that was written
}

func newBench(t testing.TB) *bench {
	core, logs := observer.New(zap.DebugLevel)
	b := &bench{TB: t, dir: filepath.Join(t.TempDir(), "dash"), now: testStart, log: zap.New(core), logs: logs}
	b.open()
	t.Cleanup(func() { b.d.Close() })
	return b
}

// open opens the directory, as a new process would.
func (b *bench) open() {
	b.Helper()
	d := NewDirectory()
	_, err := packager.OpenDirectory(b.dir, packager.DirectoryOptions{Log: b.log, Now: func() time.Time { return b.now }, Formats: []packager.Format{d}})
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
	if _, err := b.d.Clean(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) files() (names []string) {
	b.Helper()
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

func testConfig(dir string) config.DASH {
	return config.DASH{Path: value.Path(dir), Fragment: 2 * sec, PlaylistLength: 10 * sec, Cleanup: true, Clock: "off"}
}

// packager makes the packager of a stream, which keeps what every MPD says.
func (b *bench) packager(name string, cfg config.DASH) *packager.Packager {
	b.Helper()
	p, err := b.d.NewPackager("show", name, cfg, b.log)
	if err != nil {
		b.Fatal(err)
	}
	p.OnManifest = func(path string) {
		rel, err := filepath.Rel(b.dir, path)
		if err != nil {
			b.Fatal(err)
		}
		b.seen = append(b.seen, b.present(rel))
	}
	return p
}

// A feed delivers packets one at a time.
type feed struct {
	b       *bench
	packets []*media.Packet
	// wall is the time of day at which a packet arrives.
	wall func(i int, p *media.Packet) time.Time
	each func(i int)
	stop error // at the end: io.EOF, or nil to cancel
	i    int
	end  context.CancelFunc
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
	if f.each != nil {
		f.each(f.i)
	}
	f.b.now = f.wall(f.i, p)
	buf[0] = p
	f.i++
	return 1, 0, nil
}

func (f *feed) TryNext([]*media.Packet) (int, uint64, error) { return 0, 0, nil }

// run has p write packets that come from now on as their timestamps say, to the end of the
// stream (io.EOF) or, with a nil stop, until it is cancelled.
func (b *bench) run(p *packager.Packager, packets []*media.Packet, stop error) {
	b.Helper()
	from, first := b.now, packets[0].DTS
	b.runFeed(p, &feed{packets: packets, stop: stop, wall: func(_ int, p *media.Packet) time.Time { return from.Add(p.DTS - first) }})
}

func (b *bench) runFeed(p *packager.Packager, f *feed) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	f.b, f.end = b, cancel
	if err := p.Run(ctx, f); err != nil {
		b.Fatal(err)
	}
}

// A presentation is an MPD and what it names, as other libraries read them.
type presentation struct {
	*parser.MPD
	at      time.Time // when it was read
	start   time.Time // availabilityStartTime
	periods []onePeriod
}

// A onePeriod has its tracks by contentType.
type onePeriod struct {
	id     string
	start  time.Duration
	tracks map[string]*oneTrack
}

type oneTrack struct {
	init     string
	codecs   string
	scale    time.Duration
	offset   time.Duration
	segments []oneSegment
}

// A oneSegment is when the media of a file is, in the presentation.
type oneSegment struct {
	file     string
	from, to time.Duration
	key      bool
}

// present reads an MPD. Whatever it says of its files is so.
func (b *bench) present(file string) *presentation {
	b.Helper()
	text := b.read(file)
	m, err := parser.MPDFromBytes(text)
	if err != nil {
		b.Fatalf("%s: %v\n%s", file, err, text)
	}
	fail := func(format string, args ...any) {
		b.Helper()
		b.Errorf("%s: "+format+"\n%s", append([]any{file}, append(args, text)...)...)
	}
	p := &presentation{MPD: m, at: b.now, start: instantOf(b.TB.(*testing.T), string(m.AvailabilityStartTime))}
	dir := file[:strings.LastIndexByte(file, '/')+1]
	for _, x := range m.Periods {
		start, err := x.GetStart()
		if err != nil {
			fail("period: %v", err)
		}
		one := onePeriod{id: x.Id, start: time.Duration(start), tracks: make(map[string]*oneTrack)}
		if n := len(p.periods); n > 0 && (p.periods[n-1].id == one.id || p.periods[n-1].start >= one.start) {
			fail("period %s follows %s", one.id, p.periods[n-1].id)
		}
		for _, a := range x.AdaptationSets {
			st, r := a.SegmentTemplate, a.Representations[0]
			t := &oneTrack{init: dir + unescape(st.Initialization), codecs: r.Codecs, scale: sec / 1, offset: 0}
			scale := int64(*st.Timescale)
			var init fmp4.Init
			if err := init.Unmarshal(bytes.NewReader(b.read(t.init))); err != nil || len(init.Tracks) != 1 || int64(init.Tracks[0].TimeScale) != scale {
				fail("%s: %v, timescale %d", t.init, err, scale)
			}
			next := uint64(0)
			for _, s := range st.SegmentTimeline.S {
				if s.T != nil {
					next = *s.T
				}
				for range s.R + 1 {
					name := dir + unescape(strings.Replace(st.Media, "$Time$", strconv.FormatUint(next, 10), 1))
					data := b.read(name)
					var parts fmp4.Parts
					if err := parts.Unmarshal(data); err != nil || len(parts) == 0 {
						b.Fatalf("%s: %v, %d parts", name, err, len(parts))
					}
					tr, d := parts[0].Tracks[0], uint64(0)
					for i, part := range parts {
						if len(part.Tracks) != 1 || part.Tracks[0].BaseTime != next+d {
							fail("%s: part %d begins at %d, want %d", name, i, part.Tracks[0].BaseTime, next+d)
						}
						for _, sample := range part.Tracks[0].Samples {
							d += uint64(sample.Duration)
						}
					}
					if tr.BaseTime != next || d != s.D {
						fail("%s begins at %d and lasts %d, not %d and %d", name, tr.BaseTime, d, next, s.D)
					}
					key := !tr.Samples[0].IsNonSyncSample
					if a.StartWithSAP == 1 && !key {
						fail("%s does not begin with a keyframe", name)
					}
					if rate := float64(len(data)*8) * float64(scale) / float64(d); rate > float64(r.Bandwidth) {
						fail("%s has %.0f bit/s, more than %d", name, rate, r.Bandwidth)
					}
					place := func(tick uint64) time.Duration {
						rel := int64(tick) - int64(*st.PresentationTimeOffset)
						return one.start + time.Duration(rel/scale)*sec + time.Duration(rel%scale)*sec/time.Duration(scale)
					}
					t.segments = append(t.segments, oneSegment{file: name, from: place(next), to: place(next + d), key: key})
					next += d
				}
			}
			one.tracks[string(a.ContentType)] = t
		}
		p.periods = append(p.periods, one)
	}
	p.check(fail)
	return p
}

// check looks at what the MPD says about all of it.
func (p *presentation) check(fail func(format string, args ...any)) {
	if len(p.periods) == 0 {
		fail("no period")
		return
	}
	first, last := p.periods[0], p.periods[len(p.periods)-1]
	from, _ := first.span()
	_, end := last.span()
	if p.Type != nil && *p.Type == "static" {
		if got := time.Duration(*p.MediaPresentationDuration); (got - end).Abs() > time.Millisecond {
			fail("it lasts %v, and its media ends at %v", got, end)
		}
		return
	}
	depth, delay := time.Duration(*p.TimeShiftBufferDepth), time.Duration(*p.SuggestedPresentationDelay)
	if late := p.at.Sub(p.start) - end; depth < end-from-time.Millisecond || depth > end-from+max(late, 0)+time.Millisecond {
		fail("timeShiftBufferDepth is %v, and there is %v, %v late", depth, end-from, late)
	}
	if len(p.periods) == 1 && len(first.all()) > 8 && delay > depth {
		fail("players are to be %v behind, and there is %v", delay, depth)
	}
}

func (o *onePeriod) all() (all []oneSegment) {
	for _, t := range o.tracks {
		all = append(all, t.segments...)
	}
	return all
}

// span is from when to when its media is.
func (o *onePeriod) span() (from, to time.Duration) {
	all := o.all()
	from, to = all[0].from, all[0].to
	for _, s := range all {
		from, to = min(from, s.from), max(to, s.to)
	}
	return max(from, o.start), to
}

// edge is the time of day at which the newest media was, by the MPD.
func (p *presentation) edge() time.Time {
	_, to := p.periods[len(p.periods)-1].span()
	return p.start.Add(to)
}

func (p *presentation) static() bool { return p.Type != nil && *p.Type == "static" }

func (p *presentation) ids() (ids []string) {
	for _, o := range p.periods {
		ids = append(ids, o.id)
	}
	return ids
}

func (b *bench) last() *presentation {
	b.Helper()
	if len(b.seen) == 0 {
		b.Fatal("there is no MPD")
	}
	return b.seen[len(b.seen)-1]
}

var eof = io.EOF
