package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
)

// The sections of a frame, from top to bottom.
const (
	streamsSection = iota
	healthSection
	pathsSection
	outputsSection // left out where there is no output
	numSections
)

// The orders of the streams.
const (
	byName = iota
	byIn
	byOut
	byAudience
	byHealth
	numSorts
)

var sortNames = [numSorts]string{"name", "in", "out", "audience", "health"}

// A View holds the figures and how they are shown.
type View struct {
	now, before *api.Snapshot
	seen        time.Time // when now was
	Trouble     string    // why the server does not answer; empty: it does
	Sort        int
	Focus       int              // the section that scrolls
	Offset      [numSections]int // lines scrolled off
	Keys        bool             // a terminal: keys are explained, headings stand out
	Help        bool
}

// See takes the newest snapshot, made at at.
func (v *View) See(s *api.Snapshot, at time.Time) {
	v.before, v.now, v.seen, v.Trouble = v.now, s, at, ""
	if v.before != nil && s.Uptime <= v.before.Uptime {
		v.before = nil // the server has restarted: nothing to compare with
	}
}

// sections is how many there are.
func (v *View) sections() int {
	if v.now != nil {
		for _, r := range v.rows() {
			if len(r.Outputs) > 0 {
				return numSections
			}
		}
	}
	return outputsSection
}

func (v *View) scroll(lines int) {
	v.Offset[v.Focus] = max(v.Offset[v.Focus]+lines, 0)
}

// rate returns the growth of a counter per second; ok is false before the second
// snapshot.
func (v *View) rate(count func(*api.Snapshot) float64) (r float64, ok bool) {
	if v.before == nil {
		return 0, false
	}
	return max(count(v.now)-count(v.before), 0) / (v.now.Uptime - v.before.Uptime).Seconds(), true
}

// A row is one stream with its application and server.
type row struct {
	*api.Stream
	label   string // app/name, clean
	players int
}

func (v *View) rows() []row {
	var out []row
	for i := range v.now.Servers {
		for j := range v.now.Servers[i].Applications {
			a := &v.now.Servers[i].Applications[j]
			for k := range a.Streams {
				r := row{Stream: &a.Streams[k], label: clean(a.Name + "/" + a.Streams[k].Name)}
				for _, c := range r.Clients {
					if !c.Publishing {
						r.players++
					}
				}
				out = append(out, r)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b row) int {
		var c int
		switch v.Sort {
		case byIn:
			c = cmp.Compare(b.BwIn, a.BwIn)
		case byOut:
			c = cmp.Compare(b.BwOut, a.BwOut)
		case byAudience:
			c = cmp.Compare(b.players+b.Viewers, a.players+a.Viewers)
		case byHealth:
			c = cmp.Compare(severity(b), severity(a))
		}
		return cmp.Or(c, strings.Compare(a.label, b.label))
	})
	return out
}

func severity(r row) (n int) {
	for _, f := range r.Health {
		switch n++; f.Level {
		case doctor.Error:
			n += 10000
		case doctor.Warning:
			n += 100
		}
	}
	return n
}

// totals over all streams.
type totals struct{ publishers, players, viewers int }

func sum(rows []row) (t totals) {
	for _, r := range rows {
		if r.Publishing {
			t.publishers++
		}
		t.players += r.players
		t.viewers += r.Viewers
	}
	return t
}

// codes returns the responses per second by status, in ascending order.
func (v *View) codes() string {
	var statuses []int
	for _, h := range v.now.HTTP {
		for _, c := range h.Codes {
			statuses = append(statuses, c.Code)
		}
	}
	slices.Sort(statuses)
	var parts []string
	for _, code := range slices.Compact(statuses) {
		of := func(s *api.Snapshot) float64 {
			var n uint64
			for _, h := range s.HTTP {
				for _, c := range h.Codes {
					if c.Code == code {
						n += c.Count
					}
				}
			}
			return float64(n)
		}
		text := fmt.Sprintf("%d: %s", code, number(of(v.now)))
		if r, ok := v.rate(of); ok && r > 0 {
			text += fmt.Sprintf(" (%s/s)", number(r))
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "none yet"
	}
	return strings.Join(parts, "  ")
}

// paths returns the paths of all http blocks.
func (v *View) paths() []api.PathCount {
	total := make(map[string]api.PathCount)
	for _, h := range v.now.HTTP {
		for _, p := range h.Paths {
			t := total[p.Path]
			total[p.Path] = api.PathCount{Path: p.Path, Requests: t.Requests + p.Requests, Bytes: t.Bytes + p.Bytes}
		}
	}
	out := make([]api.PathCount, 0, len(total))
	for _, p := range total {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b api.PathCount) int {
		return cmp.Or(cmp.Compare(b.Requests, a.Requests), strings.Compare(a.Path, b.Path))
	})
	return out
}

// findingLines returns a finding in two or more lines: problem, stream and advice.
func findingLines(whom string, f doctor.Finding, now time.Time, width int) []string {
	since := "now"
	if d := now.Sub(f.Since); d >= time.Second {
		since = "for " + age(d)
	}
	if f.Count > 1 {
		since += fmt.Sprintf(", %d times", f.Count)
	}
	lines := []string{cut(fmt.Sprintf("%s  %s  %s (%s)", whom, f.Name, since, f.Level), width)}
	inner := 0
	if width > 0 {
		inner = max(width-2, 10)
	}
	for _, line := range wrap(clean(f.Advice), inner) {
		lines = append(lines, "  "+line)
	}
	return lines
}
