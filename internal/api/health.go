package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rtmpd/rtmpd/internal/doctor"
)

// Health is the answer of a health location. Anyone may read it: it has names and counts
// of findings, but no stream names.
type Health struct {
	// OK: the server works. Problems of a publisher, a hook or a file do not count,
	// because a restart would not fix them.
	OK    bool
	Found []FindingCount // the worst first
}

// FindingCount is the number of findings of a name.
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

// rank orders levels by severity.
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
