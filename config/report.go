package config

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// tidy drops the second diagnostic for a range that has one, and sorts by place.
func tidy(diags hcl.Diagnostics, sources []source) hcl.Diagnostics {
	var out hcl.Diagnostics
	taken := make(map[line][]hcl.Range) // ranges that have one, by the lines they touch
	whole := make(map[string]bool)      // diagnostics without a place
	for _, d := range diags {
		if d.Subject == nil {
			if !whole[d.Summary] {
				whole[d.Summary] = true
				out = append(out, d)
			}
			continue
		}
		at := *d.Subject
		last := min(at.End.Line, at.Start.Line+100)
		if covered(taken, at, last) {
			continue
		}
		for n := at.Start.Line; n <= max(at.Start.Line, last); n++ {
			key := line{at.Filename, n}
			taken[key] = append(taken[key], at)
		}
		out = append(out, d)
	}
	order := make(map[string]int)
	for i, s := range sources {
		order[s.name] = i + 1
	}
	key := func(d *hcl.Diagnostic) (int, int) {
		if d.Subject == nil {
			return 0, 0
		}
		n, ok := order[d.Subject.Filename]
		if !ok {
			n = len(sources) + 1
		}
		return n, d.Subject.Start.Byte
	}
	sort.SliceStable(out, func(i, j int) bool {
		f, b := key(out[i])
		g, c := key(out[j])
		return f < g || f == g && b < c
	})
	return out
}

func covered(taken map[line][]hcl.Range, at hcl.Range, last int) bool {
	for n := at.Start.Line; n <= max(at.Start.Line, last); n++ {
		for _, r := range taken[line{at.Filename, n}] {
			if r == at || r.Overlaps(at) {
				return true
			}
		}
	}
	return false
}

const advice = "      " // stands before the second line of a diagnostic

// OneLine is a diagnostic for a log: "rtmpd.hcl:12:19: what is wrong: what to write".
func OneLine(d *hcl.Diagnostic) string {
	var b strings.Builder
	if d.Subject != nil {
		fmt.Fprintf(&b, "%s:%d:%d: ", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column)
	}
	b.WriteString(d.Summary)
	if d.Detail != "" {
		b.WriteString(": " + d.Detail)
	}
	return b.String()
}

// WriteDiagnostics writes all diagnostics for a person: place, what is wrong,
// the source line with a caret, what to write instead. What a secret could be
// is left out of the source lines.
func WriteDiagnostics(w io.Writer, files Files, diags hcl.Diagnostics) {
	masks := make(map[string]*mask)
	for _, d := range diags {
		word := "error"
		if d.Severity == hcl.DiagWarning {
			word = "warning"
		}
		if d.Subject == nil {
			fmt.Fprintf(w, "%s: %s\n", word, d.Summary)
		} else {
			at := d.Subject
			fmt.Fprintf(w, "%s:%d:%d: %s: %s\n", at.Filename, at.Start.Line, at.Start.Column, word, d.Summary)
			if f := files[at.Filename]; f != nil {
				m := masks[at.Filename]
				if m == nil {
					m = newMask(at.Filename, f.Bytes)
					masks[at.Filename] = m
				}
				writeSnippet(w, m, *at)
			}
		}
		if d.Detail != "" {
			fmt.Fprintf(w, "%s%s\n", advice, d.Detail)
		}
	}
}

func writeSnippet(w io.Writer, m *mask, at hcl.Range) {
	end := at.End.Byte
	line, from, to := m.line(at.Start.Line, at.Start.Byte, end)
	if line == "" {
		return
	}
	line, from, to = window(line, from, to)
	fmt.Fprintf(w, "%4d | %s\n", at.Start.Line, line)
	var pad strings.Builder
	for _, r := range line[:from] {
		if r == '\t' {
			pad.WriteByte('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	fmt.Fprintf(w, "     | %s%s\n", pad.String(), strings.Repeat("^", max(1, utf8.RuneCountInString(line[from:to]))))
}

// window cuts a long line down to what stands around from..to.
func window(line string, from, to int) (string, int, int) {
	const wide = 160
	if len(line) <= wide {
		return line, from, to
	}
	begin := max(0, from-wide/2)
	for begin < len(line) && !utf8.RuneStart(line[begin]) {
		begin++
	}
	end := min(len(line), begin+wide)
	for end < len(line) && !utf8.RuneStart(line[end]) {
		end--
	}
	return line[begin:end], from - begin, max(from, min(to, end)) - begin
}

// jsonDiagnostic is one diagnostic of check -json.
type jsonDiagnostic struct {
	Severity  string `json:"severity"` // error warning
	Summary   string `json:"summary"`
	Detail    string `json:"detail,omitempty"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"` // from 1
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"` // of the first character after it
}

// WriteDiagnosticsJSON writes all diagnostics as one JSON array.
func WriteDiagnosticsJSON(w io.Writer, diags hcl.Diagnostics) error {
	out := make([]jsonDiagnostic, len(diags))
	for i, d := range diags {
		j := jsonDiagnostic{Severity: "error", Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			j.Severity = "warning"
		}
		if s := d.Subject; s != nil {
			j.File, j.Line, j.Column, j.EndLine, j.EndColumn = s.Filename, s.Start.Line, s.Start.Column, s.End.Line, s.End.Column
		}
		out[i] = j
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
