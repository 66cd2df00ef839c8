package top

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
	"github.com/rtmpd/rtmpd/internal/fuzztime"
	"github.com/rtmpd/rtmpd/internal/output"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// busy is a server with a bit of everything, seconds after a first look.
func busy(seconds int) *api.Snapshot {
	n := uint64(seconds)
	clients := func(players int) []api.Client {
		out := []api.Client{{ID: 1, Publishing: true}}
		for i := range players {
			out = append(out, api.Client{ID: uint64(i + 2)})
		}
		return out
	}
	s := &api.Snapshot{
		Version: "v1.2.3", Uptime: 27*time.Hour + time.Duration(seconds)*time.Second, Accepted: 40,
		BytesIn: 123_456_789, BytesOut: 98_765_432_100, BwIn: 8_123_000, BwOut: 312_000_000, Connections: 107,
		Process: api.Process{CPU: time.Duration(1000+234*n) * time.Millisecond, RSS: 84_000_000, Goroutines: 250},
		Servers: []api.Server{{Applications: []api.Application{{Name: "show", Live: true, Streams: []api.Stream{
			{
				Name: "test", Age: 72 * time.Minute, BwIn: 2_610_000, BwOut: 300_000_000, Clients: clients(100),
				FrameRate: 30, Publishing: true, Viewers: 340, Ingest: doctor.Figures{GOP: 2 * time.Second},
			},
			{
				Name: "long", Age: 11 * time.Minute, BwIn: 5_513_000, BwOut: 12_000_000, Clients: clients(3),
				FrameRate: 59.94, Publishing: true, Viewers: 7, Ingest: doctor.Figures{GOP: 8300 * time.Millisecond},
				Health: []doctor.Finding{
					{
						Name: "gop_longer_than_fragment", Level: doctor.Warning, Since: noon.Add(-10 * time.Minute), Count: 1,
						Advice: "keyframes are 8.3 s apart or more, fragments can't be shorter than that; in OBS: Settings, Output, Keyframe Interval: 2 s (ffmpeg: -g 120)",
					},
					{Name: "b_frames", Level: doctor.Note, Since: noon.Add(-3 * time.Second), Count: 4, Advice: "B-frames add a few frames of delay"},
				},
			},
			{Name: "waiting", Age: 26 * time.Hour},
			{
				Name: "quick", Age: 42 * time.Second, Publishing: true, FrameRate: 25, Clients: clients(0),
				Ingest: doctor.Figures{GOPMax: 1100 * time.Millisecond}, Health: []doctor.Finding{{Name: "b_frames", Level: doctor.Note, Since: noon, Count: 1, Advice: "B-frames"}},
			},
		}}}}},
		HTTP: []api.HTTP{
			{
				Listen: ":8080", Requests: 1000 + 412*n, BytesOut: 5_000_000_000 + 15_000_000*n, InFlight: 3, Connections: 120,
				Codes: []api.CodeCount{{Code: 200, Count: 900 + 398*n}, {Code: 404, Count: 100 + 14*n}},
			},
			{Listen: ":9090", Codes: []api.CodeCount{{Code: 304, Count: 5}}, Paths: []api.PathCount{{Path: "/live/test.m3u8", Requests: 1, Bytes: 1000}}},
		},
	}
	s.HTTP[0].Paths = append(s.HTTP[0].Paths, api.PathCount{Path: "/live/test.m3u8", Requests: 11_999, Bytes: 12_345_678})
	for i := range 40 {
		s.HTTP[0].Paths = append(s.HTTP[0].Paths, api.PathCount{Path: fmt.Sprintf("/live/test-%d.ts", 100+i), Requests: 345, Bytes: 900_000_000})
	}
	return s
}

func busyView() View {
	v := View{Keys: true}
	v.See(busy(0), noon.Add(-2*time.Second))
	v.See(busy(2), noon)
	return v
}

// plain removes what makes headings stand out.
func plain(frame string) string { return ansi.Strip(frame) }

func TestFrames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		width, height int
		change        func(*View)
	}{
		"80x24":  {80, 24, func(*View) {}},
		"120x40": {120, 40, func(*View) {}},
		"once": {0, 0, func(v *View) {
			v.Keys = false
			for i := range v.now.HTTP {
				v.now.HTTP[i].Paths = v.now.HTTP[i].Paths[:1]
			}
		}},
		"help": {80, 24, func(v *View) { v.Help = true }},
		"trouble-scrolled-by-audience": {80, 24, func(v *View) {
			v.Sort, v.Focus, v.Trouble = byAudience, pathsSection, "no running rtmpd answers at /run/rtmpd/x.sock"
			v.scroll(3)
		}},
		"errors": {80, 24, func(v *View) {
			v.Sort = byHealth
			v.now.Findings = []doctor.Finding{{Name: "reload_failed", Level: doctor.Warning, Since: noon.Add(-time.Minute), Count: 1, Advice: "the configuration has a mistake"}}
			streams := v.now.Servers[0].Applications[0].Streams
			streams[2].Health = []doctor.Finding{{Name: "output_failing", Level: doctor.Error, Since: noon, Count: 1, Advice: "hls can't write"}}
		}},
		"outputs": {100, 40, func(v *View) {
			v.now.Servers[0].Applications[0].Streams[1].Outputs = []api.Output{
				{Kind: "hls", State: output.State{Target: "/srv/hls/long.m3u8", Bytes: 345e6, Files: 200}},
				{Kind: "record", Name: "all", State: output.State{Target: "/srv/rec/long-20261101.mp4", Duration: 11 * time.Minute, Bytes: 454e6, Files: 2}},
				{Kind: "record", Name: "\x1b[2J", State: output.State{Failing: "100 MiB are free, less than min_free = 512 MiB", FailingSince: noon.Add(-time.Minute)}},
			}
		}},
		"first-look": {80, 24, func(v *View) { v.before = nil }},
		"idle": {80, 24, func(v *View) {
			*v = View{Keys: true}
			v.See(&api.Snapshot{Version: "v1.2.3", Uptime: time.Second}, noon)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := busyView()
			c.change(&v)
			got := plain(v.Frame(c.width, c.height))
			path := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func TestAFrameFitsEveryTerminal(t *testing.T) {
	t.Parallel()
	v := busyView()
	for width := 1; width < 140; width += 11 {
		for height := 1; height < 60; height += 7 {
			lines := strings.Split(v.Frame(width, height), "\n")
			if len(lines) > height {
				t.Fatalf("%dx%d: %d lines", width, height, len(lines))
			}
			for _, line := range lines {
				if n := ansi.StringWidth(line); n > width {
					t.Fatalf("%dx%d: a line is %d cells wide: %q", width, height, n, line)
				}
			}
		}
	}
}

func TestScrollingEndsWhereTheListEnds(t *testing.T) {
	t.Parallel()
	v := busyView()
	v.Focus = pathsSection
	v.scroll(1000)
	if got := plain(v.Frame(80, 24)); !strings.Contains(got, "/live/test-139.ts") {
		t.Errorf("the last path is not shown:\n%s", got)
	}
	v.scroll(-1)
	if got := plain(v.Frame(80, 24)); strings.Contains(got, "/live/test-139.ts") {
		t.Errorf("a line up does not show:\n%s", got)
	}
	v.scroll(-1000)
	if got := plain(v.Frame(80, 24)); !strings.Contains(got, "/live/test.m3u8") {
		t.Errorf("the first path is not shown:\n%s", got)
	}
}

func TestARestartedServerIsComparedWithNothing(t *testing.T) {
	t.Parallel()
	v := busyView()
	v.See(&api.Snapshot{Uptime: time.Second}, noon)
	if _, ok := v.rate(func(*api.Snapshot) float64 { return 1 }); ok {
		t.Error("the counters of two processes are compared")
	}
}

// What strangers choose: names, paths, the words of an encoder.
var hostile = []string{
	"\x1b[2J\x1b[H", "\x1b]0;owned\x07", "\x9b31m", "\u009b31m", "a\rb\nc\td", "\x00\x01\x7f", "\x01heading",
	"\u202egnp.exe", "\u2066x\u2069", "\ufeffx", "\u200bx", "\u2028", "e\u0301\u0302\u0303\u0304", "\xff\xfe\xc0\xaf", "日本語", "👩‍👩‍👧",
	strings.Repeat("x", 500), strings.Repeat("界", 200),
}

func TestHostileNamesSteerNoTerminal(t *testing.T) {
	t.Parallel()
	for _, name := range hostile {
		s := busy(2)
		s.Version = name
		app := &s.Servers[0].Applications[0]
		app.Name = name
		for i := range app.Streams {
			app.Streams[i].Name = name
			for j := range app.Streams[i].Health {
				app.Streams[i].Health[j].Advice = name
			}
		}
		s.HTTP[0].Paths = []api.PathCount{{Path: name, Requests: 1}}
		for _, v := range []View{{}, {Keys: true}, {Trouble: name}, {Trouble: name, Keys: true}} {
			v.See(busy(0), noon)
			trouble := v.Trouble
			v.See(s, noon)
			v.Trouble = trouble
			for _, size := range [][2]int{{80, 24}, {0, 0}} {
				checkHarmless(t, name, v.Frame(size[0], size[1]), size[0])
			}
		}
	}
}

func checkHarmless(t *testing.T, name, frame string, width int) {
	t.Helper()
	if !utf8.ValidString(frame) {
		t.Errorf("%q: the frame is not UTF-8", name)
	}
	rest := strings.NewReplacer("\x1b[7m", "", "\x1b[0m", "").Replace(frame) // ours
	for _, r := range rest {
		if r != '\n' && unsafe(r) {
			t.Errorf("%q: the frame has %q:\n%q", name, r, frame)
			return
		}
	}
	for line := range strings.Lines(rest) {
		if n := ansi.StringWidth(strings.TrimSuffix(line, "\n")); width > 0 && n > width {
			t.Errorf("%q: a line is %d cells wide: %q", name, n, line)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fuzztime.Bound(t)
		got := clean(s)
		checkHarmless(t, s, got, 0)
		if strings.Contains(got, "\n") {
			t.Errorf("%q ends a line: %q", s, got)
		}
		if n := ansi.StringWidth(cut(got, 20)); n > 20 {
			t.Errorf("%q cut to 20 cells has %d", s, n)
		}
	})
}

func TestNumbersAreShort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{bits(0), "0 b/s"},
		{bits(999), "999 b/s"},
		{bits(999_999), "1.00 Mb/s"},
		{bits(2_610_000), "2.61 Mb/s"},
		{bits(12_345_000), "12.3 Mb/s"},
		{bits(999_400_000), "999 Mb/s"},
		{bits(1e15), "1000 Tb/s"},
		{bytes(1_234), "1.23 kB"},
		{number(1_234_567), "1.23 M"},
		{number(0.5), "0.50"},
		{age(42 * time.Second), "42s"},
		{age(729 * time.Second), "12:09"},
		{age(90 * time.Minute), "1:30:00"},
		{age(124 * time.Hour), "5d04h"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestJSONIsHarmlessAndSaysTheSame(t *testing.T) {
	t.Parallel()
	for _, s := range append(hostile, "\U000e0001tag") {
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		got := JSON(string(b))
		checkHarmless(t, s, got, 0)
		var back, want string
		if err := json.Unmarshal([]byte(got), &back); err != nil {
			t.Errorf("%q: %v", got, err)
		}
		if _ = json.Unmarshal(b, &want); back != want {
			t.Errorf("got %q, want %q", back, want)
		}
	}
}
