//go:build linux

package main

import (
	"math"
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	for _, c := range []struct {
		name, line string
		want       procStat
		fails      bool
	}{
		{
			name: "plain name",
			line: "812 (nginx) S 1 812 812 0 -1 4194368 151 0 0 0 37 205 9 9 20 0 1 0 5 12 3",
			want: procStat{parent: 1, cpu: 2420 * time.Millisecond},
		},
		{
			name: "name with a space and brackets",
			line: "9 (a (b) c) Z 8 9 9 0 -1 0 0 0 0 0 1 0 0 0 20 0 1 0 5 12 3",
			want: procStat{parent: 8, cpu: 10 * time.Millisecond, exited: true},
		},
		{name: "no name", line: "9 S 8", fails: true},
		{name: "line cut short", line: "9 (a) S 8 9 9", fails: true},
		{name: "time that is no number", line: "9 (a) S 8 9 9 0 -1 0 0 0 0 0 x 0 0", fails: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseStat([]byte(c.line))
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %+v, %v, want %+v, error %v", got, err, c.want, c.fails)
			}
		})
	}
}

func TestParseRollup(t *testing.T) {
	text := "5581-7ffc ---p 00000000 00:00 0 [rollup]\nRss:              19316 kB\nPss:               8412 kB\nPss_Anon:          4000 kB\nShared_Clean:      9999 kB\n"
	got, err := parseRollup(text)
	if want := (memory{RSS: 19316 << 10, PSS: 8412 << 10}); got != want || err != nil {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := parseRollup("Size: 4 kB\n"); err == nil {
		t.Error("a rollup without Rss is accepted")
	}
}

func TestParseMachine(t *testing.T) {
	got, err := parseMachine("cpu  100 20 30 9000 4000 5 6 7 50 1\ncpu0 1 1 1 1 1 1 1 1 1 1\n")
	if want := 1680 * time.Millisecond; got != want || err != nil { // user nice system irq softirq steal
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := parseMachine("intr 5\n"); err == nil {
		t.Error("another line is accepted")
	}
}

func TestOwnProcessIsInItsTreeAndCosts(t *testing.T) {
	before, err := ownCPU()
	if err != nil {
		t.Fatal(err)
	}
	sum := uint32(0)
	for now := before; now-before < 30*time.Millisecond; { // burn until the kernel has noticed
		for i := range uint32(1 << 20) {
			sum += i
		}
		if now, err = ownCPU(); err != nil {
			t.Fatal(err)
		}
	}
	pid := os.Getpid()
	tree, err := processTree(pid)
	if err != nil || tree[0] != pid {
		t.Fatalf("process tree: got %v, %v, want %d first (%d)", tree, err, pid, sum)
	}
	cpu, err := treeCPU([]int{pid})
	if err != nil || cpu < 20*time.Millisecond {
		t.Errorf("CPU time: got %v, %v, want at least 20 ms", cpu, err)
	}
	m, err := treeMemory([]int{pid})
	if err != nil || m.RSS < 1<<20 || m.PSS < 1 || m.PSS > m.RSS {
		t.Errorf("memory: got %+v, %v", m, err)
	}
}

func TestPercentileIsTheNearestRank(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	for _, c := range []struct {
		name   string
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{"nothing", nil, 0.5, 0},
		{"one value", []time.Duration{7}, 0.99, 7},
		{"middle of two is the lower", []time.Duration{9, 3}, 0.5, 3},
		{"half of a hundred", hundred, 0.5, 50},
		{"99 of a hundred", hundred, 0.99, 99},
		{"all of a hundred", hundred, 1, 100},
	} {
		if got := percentile(c.values, c.p); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1}, 2.5}, {[]float64{5}, 5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v: got %v, want %v", c.values, got, c.want)
		}
	}
	if !math.IsNaN(median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]int64{"2.65M": 2_650_000, "200k": 200_000, "500000": 500_000, "": 0, "2.65": 0, "9G": 0, "-3M": 0} {
		got, err := parseRate(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
}

func TestParsePlaylist(t *testing.T) {
	text := "#EXTM3U\r\n#EXT-X-VERSION:3\r\n#EXT-X-MEDIA-SEQUENCE:41\r\n#EXT-X-TARGETDURATION:2\r\n\r\n#EXTINF:2.000,\r\ns-41.ts\r\n#EXTINF:2.000,\r\ns-42.ts\r\n"
	got, err := parsePlaylist(text)
	if err != nil || got.sequence != 41 || !slices.Equal(got.segments, []string{"s-41.ts", "s-42.ts"}) {
		t.Errorf("got %+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"empty file": "", "a page": "<html>", "sequence that is no number": "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:-1\n",
	} {
		if _, err := parsePlaylist(text); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
