package capacity

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// near compares figures that were worked out by hand.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*math.Abs(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The worked examples of MistServer's article on hardware, by its own formulas. The article
// says 2 GB, 7010 viewers and 1568 Mbps; its formulas do not.
func TestTheSumsOfMistServersExamplesAreRight(t *testing.T) {
	t.Parallel()
	// 50 streams of 2 Mbps and 600 viewers: 12.5 MB × 2 × 50 + 2 MB × 650.
	m := MistServer(Plan{Streams: 50, Mbps: 2, Viewers: 600})
	near(t, "memory in MB", m.Memory, 2550)
	near(t, "bandwidth in Mbps", m.Bandwidth, 1300)
	near(t, "CPU mark", m.CPUMark, 2210)
	// A CPU mark of 25236.
	if n := int(math.Floor(25236 / mistMark)); n != 7422 {
		t.Errorf("a CPU mark of 25236 is for %d viewers, want 7422", n)
	}
	// One stream of 1 Mbps with 50 viewers, two of 2 Mbps with 300, two of 5 Mbps with 150;
	// the article counts three of 5 Mbps: 1×51 + 2×302 + 5×153.
	sum := 0.0
	for _, p := range []Plan{{Streams: 1, Mbps: 1, Viewers: 50}, {Streams: 2, Mbps: 2, Viewers: 300}, {Streams: 3, Mbps: 5, Viewers: 150}} {
		sum += MistServer(p).Bandwidth
	}
	near(t, "bandwidth of all in Mbps", sum, 1420)
	// The same five streams, recorded for 20 minutes.
	disk := 0.0
	for streams, mbps := range map[int]float64{1: 1, 2: 2 + 5} {
		p := Plan{Streams: streams, Mbps: mbps, Fragment: time.Second, Keyframe: time.Second}
		without := Shipped.Need(p).Disk
		p.Recorded = 20 * time.Minute
		disk += float64(Shipped.Need(p).Disk-without) / 1e6
	}
	near(t, "storage in MB", disk, 2250)
}

func TestOurSumsAreRight(t *testing.T) {
	t.Parallel()
	c := Constants{
		Cores: 4, IngestCPU: 8, PlayerCPU: 0.5, ViewerCPU: 1, RequestCPU: 50,
		BaseMemory: 10e6, StreamMemory: 1e6, PlayerMemory: 1e4, ViewerMemory: 2e4,
	}
	p := Plan{Streams: 50, Mbps: 2, Viewers: 600, Players: 100, Fragment: 2 * time.Second, Keyframe: 2 * time.Second, Recorded: time.Hour}
	n := c.Need(p)
	near(t, "in", n.In, 100)
	near(t, "out", n.Out, 1400)
	// 12.5 MB/s in, 25 MB/s to players, 150 MB/s and 600 requests/s to viewers.
	near(t, "cores", n.Cores, 0.0125*8+0.025*0.5+0.15*1+600*50/1e6)
	// 1 MB of media in the ring and 1 MB in the log of each stream.
	near(t, "memory", float64(n.Memory), 10e6+50*(1e6+2e6)+100*1e4+600*2e4)
	near(t, "disk", float64(n.Disk), 12.5e6*3660)
	near(t, "disk rate", n.DiskRate, 200)
	// Two thirds of four cores, less those in use; a viewer takes 0.0003 of one.
	if free := 4*2.0/3 - n.Cores; n.MoreViewers != int(free/0.0003) {
		t.Errorf("room for %d viewers, want %d", n.MoreViewers, int(free/0.0003))
	}
}

func TestPlansHaveBounds(t *testing.T) {
	t.Parallel()
	good := Plan{Streams: 1, Mbps: 0.1, Fragment: time.Second, Keyframe: time.Second}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Plan){
		"no stream": func(p *Plan) { p.Streams = 0 }, "too many streams": func(p *Plan) { p.Streams = 2e6 },
		"no bit rate": func(p *Plan) { p.Mbps = 0 }, "no number": func(p *Plan) { p.Mbps = math.NaN() }, "without end": func(p *Plan) { p.Mbps = math.Inf(1) },
		"negative viewers": func(p *Plan) { p.Viewers = -1 }, "negative players": func(p *Plan) { p.Players = -1 },
		"no fragment": func(p *Plan) { p.Fragment = 0 }, "no keyframe": func(p *Plan) { p.Keyframe = 0 }, "a negative time": func(p *Plan) { p.Recorded = -1 },
	} {
		p := good
		change(&p)
		if p.Check() == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

func TestConstantsAreKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	if c, ok, err := Read(dir); c != Shipped || ok || err != nil {
		t.Errorf("without a file: %+v %t %v", c, ok, err)
	}
	want := Shipped
	want.Measured, want.Machine = time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC), "a machine"
	if _, err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	if c, ok, err := Read(dir); c != want || !ok || err != nil {
		t.Errorf("got %+v %t %v", c, ok, err)
	}
	for _, bad := range []string{"", "{}", "[]", `{"cores":-1}`} {
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, ok, err := Read(dir); c != Shipped || ok || err == nil || !strings.Contains(err.Error(), "rtmpd bench") {
			t.Errorf("%q: %+v %t %v", bad, c, ok, err)
		}
	}
}

func TestSentencesSayWhatItTakes(t *testing.T) {
	t.Parallel()
	p := Plan{Streams: 50, Mbps: 2, Viewers: 600, Players: 20, Fragment: 2 * time.Second, Keyframe: 2 * time.Second, Recorded: 24 * time.Hour}
	text := strings.Join(Sentences(p, &Shipped, false), "\n")
	for _, words := range []string{
		"50 streams of 2 Mb/s with 600 viewers over HTTP and 20 players over RTMP", "100 Mb/s in and 1240 Mb/s out",
		"24 h of recordings", "1.1 TB", "rtmpd bench measures yours", "MistServer's formulas say 2590 MB",
	} {
		if !strings.Contains(text, words) {
			t.Errorf("there is no %q in\n%s", words, text)
		}
	}
	c := Shipped
	c.Measured = time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	if text := strings.Join(Sentences(p, &c, true), "\n"); !strings.Contains(text, "measured on 2031-01-02 by rtmpd bench") {
		t.Error(text)
	}
}
