package lint

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Write prints the report for people.
func (r *Report) Write(to io.Writer) error {
	w := bufio.NewWriter(to)
	for rest := r.Findings; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].ID == rest[0].ID && rest[n].Clause == rest[0].Clause {
			n++
		}
		writeRule(w, rest[:n])
		rest = rest[n:]
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s\n%s\n", r.checkedLine(), r.verdict())
	return w.Flush()
}

// writeRule prints the findings of one rule.
func writeRule(w io.Writer, all []Finding) {
	f := &all[0]
	fmt.Fprintf(w, "%-6s %s  (%s)\n", f.Level, f.ID, f.Clause)
	fmt.Fprintf(w, "       players: %s\n", f.Players)
	url := ""
	for i := range all {
		f = &all[i]
		if f.URL != url {
			url = f.URL
			fmt.Fprintf(w, "       %s\n", url)
		}
		where := "         "
		if f.Line > 0 {
			where += fmt.Sprintf("line %d: %s\n           ", f.Line, f.Text)
		}
		fmt.Fprintf(w, "%s%s%s\n", where, f.Says, f.often())
	}
	fmt.Fprintln(w)
}

// often says how often something was seen.
func (f *Finding) often() string {
	s := ""
	if f.Count > 1 {
		s = fmt.Sprintf(" (seen %s)", times(f.Count))
	}
	if f.More > 0 {
		s += fmt.Sprintf(" (and %s more)", times(f.More))
	}
	return s
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func (r *Report) checkedLine() string {
	parts := []string{many(r.Checked.Playlists, "playlist"), many(r.Checked.Updates, "update"), many(r.Checked.Segments, "segment")}
	if r.Checked.Parts > 0 {
		parts = append(parts, many(r.Checked.Parts, "part"))
	}
	return fmt.Sprintf("%s: %s, %.1f MB in %.1f s", strings.ToUpper(r.Kind), strings.Join(parts, ", "), float64(r.Checked.Bytes)/1e6, r.Duration)
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// verdict is the last line.
func (r *Report) verdict() string {
	if len(r.Findings) == 0 {
		return "nothing found"
	}
	return fmt.Sprintf("violated: %d MUST, %d SHOULD; %d advice", r.Violated(Must), r.Violated(Should), r.Violated(Advice))
}
