package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/internal/doctor"
)

// Health is what a health location answers, and strangers may read: names of
// findings and how many there are, not whom they are about.
type Health struct {
	// OK says that the server can do its job. What is wrong with a publisher, a
	// hook or a file does not count, for a restart would mend none of it.
	OK    bool
	Found []FindingCount // the worst first
}

// FindingCount is how many findings of a name there are.
type FindingCount struct {
	Name, Level string
	Count       int
}

// Add counts more findings.
func (h *Health) Add(found []doctor.Finding) {
	if len(found) == 0 {
		return
	}
	for _, f := range found {
		i := slices.IndexFunc(h.Found, func(c FindingCount) bool { return c.Name == f.Name })
		if i < 0 {
			i = len(h.Found)
			h.Found = append(h.Found, FindingCount{Name: f.Name, Level: f.Level})
		}
		h.Found[i].Count++
	}
	slices.SortFunc(h.Found, func(x, y FindingCount) int {
		return cmp.Or(cmp.Compare(rank(y.Level), rank(x.Level)), strings.Compare(x.Name, y.Name))
	})
}

// health counts all findings of s.
func (s *Snapshot) health() *Health {
	h := &Health{OK: s.Healthy}
	h.Add(s.Findings)
	s.eachStream(func(_ int, _ *Application, st *Stream) { h.Add(st.Health) })
	return h
}

// rank orders levels by how bad they are.
func rank(level string) int {
	return slices.Index([]string{doctor.Note, doctor.Warning, doctor.Error}, level)
}

// Text is the body: "ok" or "failing", and a line for each name.
func (h *Health) Text() string {
	var b strings.Builder
	b.WriteString("ok\n")
	if !h.OK {
		b.Reset()
		b.WriteString("failing\n")
	}
	for _, f := range h.Found {
		fmt.Fprintf(&b, "%s %s %d\n", f.Level, f.Name, f.Count)
	}
	return b.String()
}
