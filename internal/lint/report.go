package lint

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// A Finding is a rule that a resource violates.
type Finding struct {
	Rule
	URL   string  `json:"url"`
	Line  int     `json:"line,omitempty"` // of the playlist or manifest
	Text  string  `json:"text,omitempty"` // that line
	Says  string  `json:"says"`
	Count int     `json:"count"`          // how often it was seen
	More  int     `json:"more,omitempty"` // how often the rule was violated here in ways that are not listed
	At    float64 `json:"first_s"`        // when first, in seconds since the start
}

// A Report is what Run found.
type Report struct {
	URL      string    `json:"url"`
	Kind     string    `json:"kind"` // "hls", "ll-hls", "dash"
	Duration float64   `json:"duration_s"`
	Checked  Checked   `json:"checked"`
	Findings []Finding `json:"findings"`
	// Notes say what could not be checked.
	Notes []string `json:"notes,omitempty"`
}

// Checked counts what was looked at.
type Checked struct {
	Playlists int   `json:"playlists"` // and manifests
	Updates   int   `json:"updates"`
	Segments  int   `json:"segments"`
	Parts     int   `json:"parts,omitempty"`
	Requests  int64 `json:"requests"`
	Bytes     int64 `json:"bytes"`
}

// Violated counts the rules of a level that are violated.
func (r *Report) Violated(l Level) int {
	rules := make(map[string]bool)
	for i := range r.Findings {
		if r.Findings[i].Level == l {
			rules[r.Findings[i].ID] = true
		}
	}
	return len(rules)
}

const (
	maxFindings = 500
	maxSimilar  = 3 // of one rule in one resource
	maxNotes    = 20
)

// A collector gathers findings from all goroutines of a run.
type collector struct {
	rules catalogue
	start time.Time

	mu       sync.Mutex
	found    map[findingKey]*Finding
	similar  map[similarKey][]*Finding
	list     []*Finding
	notes    []string
	progress Progress
}

type findingKey struct{ rule, url, says string }

type similarKey struct{ rule, url string }

func newCollector() *collector {
	return &collector{
		rules: newCatalogue(), start: time.Now(),
		found: make(map[findingKey]*Finding), similar: make(map[similarKey][]*Finding),
	}
}

// add takes faults in the resource at url.
func (c *collector) add(url string, faults ...fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range faults {
		key := findingKey{f.rule, url, f.says}
		if known := c.found[key]; known != nil {
			known.Count++
			continue
		}
		s := similarKey{f.rule, url}
		if like := c.similar[s]; len(like) >= maxSimilar {
			like[0].More++
			continue
		}
		if len(c.list) >= maxFindings {
			continue
		}
		r := c.rules[f.rule]
		if r == nil {
			panic("lint: no rule " + f.rule)
		}
		rule := *r
		rule.Clause = cmp.Or(f.clause, r.Clause)
		n := &Finding{
			Rule: rule, URL: url, Line: f.line, Text: clip(f.text), Says: clip(f.says), Count: 1,
			At: time.Since(c.start).Round(time.Millisecond).Seconds(),
		}
		c.found[key] = n
		c.similar[s] = append(c.similar[s], n)
		c.list = append(c.list, n)
		if r.Level == Must {
			c.progress.Must++
		} else {
			c.progress.Should++
		}
	}
}

// note says once that something could not be checked.
func (c *collector) note(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if text = clip(text); len(c.notes) < maxNotes && !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}

// report is everything found so far, the worst first.
func (c *collector) report() *Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &Report{
		Duration: time.Since(c.start).Round(time.Millisecond).Seconds(),
		Findings: make([]Finding, 0, len(c.list)), Notes: slices.Clone(c.notes),
	}
	firsts := make(map[string]int) // where a rule comes first
	for i, f := range c.list {
		if _, ok := firsts[f.ID]; !ok {
			firsts[f.ID] = i
		}
		r.Findings = append(r.Findings, *f)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(firsts[a.ID], firsts[b.ID]), cmp.Compare(a.ID, b.ID), cmp.Compare(a.URL, b.URL))
	})
	return r
}
