package record

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/flv"
	"github.com/rtmpd/rtmpd/internal/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bench drives a recorder packet by packet: Next hands out what feed put in.
type bench struct {
	t       *testing.T
	r       *Recorder
	now     time.Time
	free    int64
	dts     time.Duration
	video   *media.Track
	audio   *media.Track
	in      chan []*media.Packet
	idle    chan struct{} // one for each time the recorder wants more
	done    chan error
	started []string
	closed  []string
	states  []State
	logs    *observer.ObservedLogs
}

func newBench(t *testing.T, cfg config.Record, store *Store) *bench {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	b := &bench{
		t: t, now: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), free: 1 << 40, logs: logs,
		video: &media.Track{Kind: media.Video, Codec: media.CodecH264, LegacyID: 7, Tag: []byte{0x17, 0, 0, 0, 0, 1}, Config: make([]byte, 40), NALULength: 4, Width: 640, Height: 360},
		audio: &media.Track{Kind: media.Audio, Codec: media.CodecAAC, LegacyID: 10, Tag: []byte{0xaf, 0, 0x12, 0x10}, Config: []byte{0x11, 0x90}, SampleRate: 48000, Channels: 2, ChannelConfig: 2, AudioObjectType: 2, FrameSamples: 1024},
		in:    make(chan []*media.Packet), idle: make(chan struct{}), done: make(chan error, 1),
	}
	if cfg.Tracks == nil {
		cfg.Tracks = []string{"audio", "video"}
	}
	if store == nil {
		store = new(Store)
	}
	cfg.Notify = true
	if cfg.Format == "" {
		cfg.Format = "flv"
	}
	name := func(p string) string { return strings.TrimPrefix(p, string(cfg.Path)+"/") }
	var err error
	b.r, err = New(cfg, Options{
		App: "live", Stream: "cam", Log: zap.New(core), Store: store, Since: time.Now().Add(time.Hour),
		Now: func() time.Time { return b.now }, Free: func(string) (int64, error) { return b.free, nil },
		Started: func(p string) { b.started = append(b.started, name(p)) },
		Done:    func(p string, _ bool) { b.closed = append(b.closed, name(p)) },
		Status:  func(s State) { b.states = append(b.states, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { b.done <- b.r.Run(context.WithoutCancel(t.Context()), b) }()
	<-b.idle
	return b
}

// Next is the source of the recorder.
func (b *bench) Next(ctx context.Context, buf []*media.Packet) (int, uint64, error) {
	select {
	case b.idle <- struct{}{}:
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
	select {
	case ps, ok := <-b.in:
		if !ok {
			return 0, 0, io.EOF
		}
		return copy(buf, ps), 0, nil
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

func (b *bench) TryNext([]*media.Packet) (int, uint64, error) { return 0, 0, io.EOF }

func (b *bench) Prompt() {}

// feed has the recorder take packets: k a keyframe, p another frame, a a sound,
// d data; a digit passes that many seconds.
func (b *bench) feed(what string) {
	b.t.Helper()
	for _, c := range what {
		p := &media.Packet{DTS: b.dts}
		switch c {
		case 'k':
			p.Track, p.Keyframe, p.Tag, p.Data = b.video, true, []byte{0x17, 1, 0, 0, 0, 9}, []byte{0, 0, 0, 2, 0x65, 0x88}
		case 'p':
			p.Track, p.Tag, p.Data = b.video, []byte{0x27, 1, 0, 0, 0, 9}, []byte{0, 0, 0, 2, 0x41, 0x88}
		case 'c': // one more slice
			p.DTS -= 40 * time.Millisecond
			p.Track, p.Tag, p.Data, p.Continues = b.video, []byte{0x27, 1, 0, 0, 0, 9}, []byte{0, 0, 0, 2, 0x41, 0x08}, true
		case 'a':
			p.Track, p.Tag, p.Data = b.audio, []byte{0xaf, 1, 9}, []byte{9}
		case 'V': // the picture has another size from now on
			next := *b.video
			next.Config, next.Tag = append([]byte{1}, next.Config...), append([]byte{}, next.Tag...)
			b.video = &next
			continue
		case 'A': // the sound has another rate from now on
			next := *b.audio
			next.SampleRate, next.Tag = next.SampleRate/2, append([]byte{}, next.Tag...)
			b.audio = &next
			continue
		case 'H': // the picture is H.263 from now on
			b.video = &media.Track{Kind: media.Video, Codec: media.CodecOther, LegacyID: 2}
			continue
		case 'S': // the sound is Speex from now on
			b.audio = &media.Track{Kind: media.Audio, Codec: media.CodecSpeex, LegacyID: 11, SampleRate: 16000}
			continue
		case 'd':
			p.Track, p.Tag = &media.Track{Kind: media.Data}, []byte{2, 0, 1, 'x'}
		default:
			b.now = b.now.Add(time.Duration(c-'0') * time.Second)
			continue
		}
		b.in <- []*media.Packet{p}
		<-b.idle
		b.dts += 40 * time.Millisecond
		b.now = b.now.Add(40 * time.Millisecond)
	}
}

// end ends the stream.
func (b *bench) end() {
	b.t.Helper()
	close(b.in)
	if err := <-b.done; err != nil {
		b.t.Error(err)
	}
}

// order is Start or Stop, while the recorder waits.
func (b *bench) order(do func(context.Context) (string, error)) string {
	b.t.Helper()
	type result struct {
		path string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		p, err := do(b.t.Context())
		got <- result{p, err}
	}()
	<-b.idle // it has obeyed and waits again
	r := <-got
	if r.err != nil {
		return r.err.Error()
	}
	if r.path == "" {
		return ""
	}
	return filepath.Base(r.path)
}

// tags reads a recording: H and S are the headers, k p a d what feed calls so;
// behind them the newest timestamp.
func tags(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	r, err := flv.NewReader(f)
	if err != nil {
		return err.Error()
	}
	var s strings.Builder
	var last uint32
	for i := 0; ; i++ {
		tag, err := r.Next()
		if err == io.EOF {
			return fmt.Sprint(s.String(), " ", last)
		}
		if err != nil {
			return err.Error()
		}
		if i == 0 {
			continue // onMetaData
		}
		last = tag.Timestamp
		switch b := tag.Body; {
		case tag.Type == flv.TagScript:
			s.WriteByte('d')
		case b[0] == 0x17 && b[1] == 0:
			s.WriteByte('H')
		case b[0] == 0xaf && b[1] == 0:
			s.WriteByte('S')
		case b[0] == 0x17:
			s.WriteByte('k')
		case b[0] == 0x27:
			s.WriteByte('p')
		default:
			s.WriteByte('a')
		}
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(p, dir+"/"))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return out
}

func TestWhatIsRecordedWhere(t *testing.T) {
	t.Parallel()
	all := []string{"audio", "video", "data"}
	for _, c := range []struct {
		name string
		cfg  config.Record
		feed string
		want map[string]string // file → tags and newest timestamp
	}{
		{"audio and video", config.Record{}, "kapd", map[string]string{"cam.flv": "HkSap 80"}},
		{"data too", config.Record{Tracks: all}, "kad", map[string]string{"cam.flv": "HkSad 80"}},
		{"audio only", config.Record{Tracks: all[:1]}, "kaapa", map[string]string{"cam.flv": "Saaa 120"}},
		{"video only", config.Record{Tracks: all[1:2]}, "kapa", map[string]string{"cam.flv": "Hkp 80"}},
		{"keyframes only", config.Record{Tracks: []string{"keyframes"}}, "kapapk", map[string]string{"cam.flv": "Hkk 200"}},
		{"sound before the first keyframe, but no picture", config.Record{}, "apkp", map[string]string{"cam.flv": "SaHkp 120"}},
		{"a stream without video", config.Record{}, "aaa", map[string]string{"cam.flv": "Saaa 80"}},
		{"an empty publish leaves no file", config.Record{}, "", map[string]string{}},
		{"nothing of what is recorded leaves no file", config.Record{Tracks: []string{"keyframes"}}, "pap", map[string]string{}},
		{"manual and never started", config.Record{Manual: true}, "kap", map[string]string{}},
		{"a suffix", config.Record{Suffix: "-x.flv"}, "k", map[string]string{"cam-x.flv": "Hk 0"}},
		{"a suffix with the time and a directory", config.Record{Suffix: "/%Y-%m-%d/%H%M%S%%.flv"}, "k", map[string]string{"cam/2026-03-04/050607%.flv": "Hk 0"}},
		{"unique", config.Record{Unique: true}, "k", map[string]string{"cam-1772600767.flv": "Hk 0"}},
		{"a name of one's own", config.Record{Name: "r", Filename: "$app/$recorder-$name-$year$month$day.flv"}, "k", map[string]string{"live/r-cam-20260304.flv": "Hk 0"}},
		{"an interval", config.Record{Interval: 5 * time.Second}, "ka6pak", map[string]string{"cam.flv": "HkSapa 120", "cam+1.flv": "Hk 0"}},
		{"an interval of a stream without video", config.Record{Interval: 5 * time.Second}, "aa6aa", map[string]string{"cam.flv": "Saa 40", "cam+1.flv": "Saa 40"}},
		{"max_frames: the next keyframe begins the next file", config.Record{MaxFrames: 2}, "kappkak", map[string]string{"cam.flv": "HkSapp 120", "cam+1.flv": "HkSa 40", "cam+2.flv": "Hk 0"}},
		{"max_frames and interval: exactly so many, then a pause", config.Record{MaxFrames: 2, Interval: 9 * time.Second}, "kappkak9kp", map[string]string{"cam.flv": "HkSa 40", "cam+1.flv": "Hkp 40"}},
		{"max_size", config.Record{MaxSize: 100}, "kpkp", map[string]string{"cam.flv": "Hkp 40", "cam+1.flv": "Hkp 40"}},
		{"min_free", config.Record{MinFree: 2 << 40}, "kapkap", map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new", "dir")
			c.cfg.Path = value.Path(dir)
			b := newBench(t, c.cfg, nil)
			b.feed(c.feed)
			b.end()
			got := make(map[string]string)
			for _, f := range files(t, dir) {
				got[f] = tags(t, filepath.Join(dir, f))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
			slices.Sort(b.started)
			slices.Sort(b.closed)
			if names := files(t, dir); !slices.Equal(b.started, names) || !slices.Equal(b.closed, names) {
				t.Errorf("started %v and done %v for %v", b.started, b.closed, names)
			}
		})
	}
}

func TestAFileOfTheName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  config.Record
		old  string
		want map[string]string
	}{
		{"stays: what comes next gets a number", config.Record{}, "recording", map[string]string{"cam.flv": "Hkp 40", "cam+1.flv": "HkSa 40"}},
		{"stays, whatever it is", config.Record{}, "#!/bin/sh\n", map[string]string{"cam.flv": "flv: not an FLV file: it starts with 23212f62", "cam+1.flv": "HkSa 40"}},
		{"is overwritten by another publish, as at nginx-rtmp", config.Record{Overwrite: true}, "recording", map[string]string{"cam.flv": "HkSa 40"}},
		{"is gone on with, not overwritten", config.Record{Overwrite: true, Append: true}, "recording", map[string]string{"cam.flv": "HkpHkSa 80"}},
		{"is gone on with", config.Record{Append: true}, "recording", map[string]string{"cam.flv": "HkpHkSa 80"}},
		{"is no FLV: it stays", config.Record{Append: true}, "#!/bin/sh\n", map[string]string{"cam.flv": "flv: not an FLV file: it starts with 23212f62", "cam+1.flv": "HkSa 40"}},
		{"is locked", config.Record{Lock: true, Overwrite: true}, "recording", map[string]string{"cam.flv": "HkSa 40"}},
		{"of a suffix with a minute stays", config.Record{Suffix: "%S.flv"}, "recording", map[string]string{"cam.flv": "Hkp 40", "cam07.flv": "HkSa 40"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c.cfg.Path = value.Path(dir)
			if c.old == "recording" {
				b := newBench(t, config.Record{Path: c.cfg.Path}, nil)
				b.feed("kp")
				b.end()
			} else if err := os.WriteFile(filepath.Join(dir, "cam.flv"), []byte(c.old+strings.Repeat("x", 40)), 0o644); err != nil {
				t.Fatal(err)
			}
			b := newBench(t, c.cfg, nil)
			b.feed("ka")
			b.end()
			got := make(map[string]string)
			for _, f := range files(t, dir) {
				got[f] = tags(t, filepath.Join(dir, f))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got  %v\nwant %v", got, c.want)
			}
		})
	}
}

func TestARecorderObeysControl(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBench(t, config.Record{Path: value.Path(dir), Manual: true}, nil)
	b.feed("kap")
	if got := b.order(b.r.Stop); got != "" {
		t.Errorf("a stop before the start says %q", got)
	}
	if got := b.order(b.r.Start); got != "cam.flv" {
		t.Errorf("start says %q", got)
	}
	if got := b.order(b.r.Start); got != "" {
		t.Errorf("a second start says %q", got)
	}
	b.feed("pakap")
	if got := b.order(b.r.Stop); got != "cam.flv" {
		t.Errorf("stop says %q", got)
	}
	b.feed("kap")
	if got := tags(t, filepath.Join(dir, "cam.flv")); got != "HkSap 80" {
		t.Errorf("recorded %s", got)
	}
	b.order(b.r.Start)
	if got := b.order(b.r.Stop); got != "" || len(files(t, dir)) != 1 {
		t.Errorf("stopping at once says %q and leaves %v", got, files(t, dir))
	}
	b.order(b.r.Start)
	b.feed("k")
	b.end()
	if got := tags(t, filepath.Join(dir, "cam+1.flv")); got != "Hk 0" {
		t.Errorf("the second file holds %s", got)
	}
	if _, err := b.r.Start(t.Context()); err != ErrEnded {
		t.Errorf("after the end: %v", err)
	}
	if want := []State{Start, Stop, Start, Start, Stop}; !slices.Equal(b.states, want) {
		t.Errorf("states %v, want %v", b.states, want)
	}
}

func TestTwoRecordersNeverShareAFile(t *testing.T) {
	t.Parallel()
	dir, store := t.TempDir(), new(Store)
	a := newBench(t, config.Record{Name: "a", Path: value.Path(dir)}, store)
	b := newBench(t, config.Record{Name: "b", Path: value.Path(dir), Append: true}, store)
	a.feed("kp")
	b.feed("kpp")
	a.end()
	b.end()
	for name, want := range map[string]string{"cam.flv": "Hkp 40", "cam+1.flv": "Hkpp 80"} {
		if got := tags(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s holds %s, want %s", name, got, want)
		}
	}
}

func TestAReloadLosesNoFrame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config.Record{Path: value.Path(dir), Format: "flv", Tracks: []string{"audio", "video"}}
	b := newBench(t, cfg, nil)
	b.feed("kap")
	cfg.MaxFrames = 1000
	b.r.Reconfigure(cfg)
	b.feed("pkp") // the same file goes on
	cfg.Suffix = "-new.flv"
	b.r.Reconfigure(cfg)
	b.feed("pakp")
	b.end()
	for name, want := range map[string]string{"cam.flv": "HkSappkppa 280", "cam-new.flv": "Hkp 40"} {
		if got := tags(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s holds %s, want %s", name, got, want)
		}
	}
}

func TestTroubleIsOneLineAndTriedAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "rec")
	if err := os.WriteFile(dir, nil, 0o644); err != nil { // no directory can be there
		t.Fatal(err)
	}
	b := newBench(t, config.Record{Path: value.Path(dir), MinFree: 1 << 20}, nil)
	b.feed("kpkpkp2kp4kp")
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	b.feed("9kpp")
	b.free = 0 // the disk fills up while it records
	b.feed("6pkp2")
	b.free = 1 << 40
	b.feed("9kpp")
	if err := os.RemoveAll(dir); err != nil { // deleted under it
		t.Fatal(err)
	}
	b.feed("6pkp3kp")
	b.end()
	var got []string
	for _, e := range b.logs.All() {
		if !strings.HasPrefix(e.Message, "recording ") { // a life's two lines
			got = append(got, e.Level.String()+" "+e.Message)
		}
	}
	trouble, well := "error recorder can't write; the stream goes on without it until it can", "info recorder writes again"
	moved := "warn the recording was deleted or its directory replaced: it goes on in another file, where its path is now"
	if want := []string{trouble, well, trouble, well, moved}; !slices.Equal(got, want) {
		t.Errorf("logged %q", got)
	}
	if got := files(t, dir); len(got) != 1 || tags(t, filepath.Join(dir, got[0])) != "Hkpkp 120" {
		t.Errorf("in the end there is %v: %s", got, tags(t, filepath.Join(dir, got[0])))
	}
	if want := []string{"cam.flv", "cam+1.flv", "cam.flv"}; !slices.Equal(b.closed, want) {
		t.Errorf("done %v, want something like %v", b.closed, want)
	}
}

// No frame is lost, and none goes into the new directory without its keyframe.
func TestAPathThatIsReplacedUnderARecordingIsFollowed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		cfg      config.Record
		replace  func(dir string) error
		old, now string // tags; empty: there is no file
	}{
		{"renamed and made anew", config.Record{}, func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o755))
		}, "HkppppSap 6240", "HkSap 80"},
		{"renamed", config.Record{}, func(dir string) error { return os.Rename(dir, dir+".old") }, "HkppppSap 6240", "HkSap 80"},
		{"renamed, with an interval", config.Record{Interval: time.Hour}, func(dir string) error { return os.Rename(dir, dir+".old") }, "HkppppSap 6240", "HkSap 80"},
		{"deleted", config.Record{}, os.RemoveAll, "", "HkSap 80"},
		{"the file deleted", config.Record{}, func(dir string) error { return os.Remove(filepath.Join(dir, "cam.flv")) }, "", "HkSap 80"},
		{"the file renamed: that is where it is wanted", config.Record{}, func(dir string) error {
			return errors.Join(os.Mkdir(dir+".old", 0o755), os.Rename(filepath.Join(dir, "cam.flv"), filepath.Join(dir+".old", "cam.flv")))
		}, "HkppppSapkap 6360", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "rec")
			c.cfg.Path = value.Path(dir)
			b := newBench(t, c.cfg, nil)
			b.feed("kpp")
			if err := c.replace(dir); err != nil {
				t.Fatal(err)
			}
			b.dts += 6 * time.Second
			b.feed("6p")
			if st := b.r.Snapshot(); st.Failing != "" || st.Path != filepath.Join(dir, "cam.flv") {
				t.Errorf("%+v", st)
			}
			b.feed("papkap")
			b.end()
			for where, want := range map[string]string{dir: c.now, dir + ".old": c.old} {
				path := filepath.Join(where, "cam.flv")
				if _, err := os.Stat(path); want == "" {
					if err == nil {
						t.Errorf("there is %s", path)
					}
				} else if got := tags(t, path); got != want {
					t.Errorf("%s holds %s, want %s", path, got, want)
				}
			}
			lines := b.logs.FilterMessageSnippet("directory replaced").Len()
			if want := min(len(c.now), 1); lines != want {
				t.Errorf("logged %d times, want %d", lines, want)
			}
		})
	}
}

func TestASnapshotSaysThatARecorderFails(t *testing.T) {
	t.Parallel()
	b := newBench(t, config.Record{Path: value.Path(t.TempDir()), MinFree: 1 << 20}, nil)
	b.free = 0
	begin := b.now
	b.feed("kpkp1kp")
	if st := b.r.Snapshot(); !strings.Contains(st.Failing, "min_free") || !st.FailingSince.Equal(begin) || st.Path != "" {
		t.Errorf("%+v", st)
	}
	b.free = 1 << 40
	b.feed("9kp")
	if st := b.r.Snapshot(); st.Failing != "" || !st.FailingSince.IsZero() || filepath.Base(st.Path) != "cam.flv" {
		t.Errorf("%+v", st)
	}
	b.end()
	if st := b.r.Snapshot(); st.Path != "" {
		t.Errorf("%+v", st)
	}
}

// Failing is why a recorder can't write, for as long as there is something to write.
func TestFailing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dir")
	for _, c := range []struct {
		name   string
		manual bool
		steps  func(b *bench)
		want   bool
	}{
		{"nothing happened", false, func(b *bench) { b.feed("kp") }, false},
		{"a full disk at the start", false, func(b *bench) { b.free = 0; b.feed("kp") }, true},
		{"a disk that fills up", false, func(b *bench) { b.feed("kp"); b.free = 0; b.feed("6p") }, true},
		{"it is tried in vain", false, func(b *bench) { b.free = 0; b.feed("kp9kp9kp") }, true},
		{"there is room again", false, func(b *bench) { b.free = 0; b.feed("kp"); b.free = 1 << 40; b.feed("9kp") }, false},
		{"manual, and never started", true, func(b *bench) { b.free = 0; b.feed("kp9kp") }, false},
		{"manual, and could not be started", true, func(b *bench) { b.free = 0; b.order(b.r.Start); b.feed("kp9kp") }, false},
		{"manual, and the disk fills up", true, func(b *bench) { b.order(b.r.Start); b.feed("kp"); b.free = 0; b.feed("6p") }, true},
		{"manual, and stopped after that", true, func(b *bench) {
			b.order(b.r.Start)
			b.feed("kp")
			b.free = 0
			b.feed("6p")
			b.order(b.r.Stop)
			b.feed("9kp")
		}, false},
	} {
		b := newBench(t, config.Record{Path: value.Path(dir), MinFree: 1 << 20, Manual: c.manual}, nil)
		before := b.now
		c.steps(b)
		f := b.r.Snapshot()
		if got := f.Failing != ""; got != c.want {
			t.Errorf("%s: %+v", c.name, f)
		}
		if c.want && (f.FailingSince.Before(before) || !f.FailingSince.Before(before.Add(7*time.Second)) || !strings.Contains(f.Failing, "min_free")) {
			t.Errorf("%s: %+v, which began at %v", c.name, f, before)
		}
		b.end()
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBadNamesAreNoFiles(t *testing.T) {
	t.Parallel()
	for _, cfg := range []config.Record{{Suffix: "/../x.flv"}, {Suffix: "/.x"}, {Filename: "../$name.flv"}, {Filename: "/etc/$name"}, {Suffix: "\x00"}, {Filename: ".$name"}} {
		if _, err := New(cfg, Options{App: "live", Stream: "cam"}); err == nil {
			t.Errorf("suffix %q, filename %q is taken", cfg.Suffix, cfg.Filename)
		}
	}
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(outside, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "cam.flv")); err != nil {
		t.Fatal(err)
	}
	b := newBench(t, config.Record{Path: value.Path(dir)}, nil)
	b.feed("kp")
	b.end()
	if got, _ := os.ReadFile(outside); string(got) != "mine" || len(b.closed) != 0 {
		t.Errorf("a link was followed: %q, done %v", got, b.closed)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"cam": "cam", "a+b@c=d~e": "a%2Bb%40c%3Dd~e", "ü.x_-": "%C3%BC.x_-", strings.Repeat("ü", 60): strings.Repeat("ü", 60)} {
		if got := escape(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	at := time.Date(2026, 1, 4, 15, 6, 7, 0, time.UTC) // a Sunday
	for in, want := range map[string]string{
		"-%d-%b-%y-%T.flv": "-04-Jan-26-15:06:07.flv", "%F_%R": "2026-01-04_15:06", "%j %U %W %V %G %u %w": "004 01 00 01 2026 7 0",
		"%I%p %l %k %e": "03PM  3 15  4", "%s": "1767539167", "%%%Q%": "%%Q%", "%C%y %g": "2026 26",
	} {
		if got := strftime(in, at); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}
