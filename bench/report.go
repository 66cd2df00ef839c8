//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

const mega = 1e6

// quiet is how much of a core other processes may take in a window, in per cent.
const quiet = 20

// line is a result in one line, for progress.
func (r *Result) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.Server, r.Scenario)
	switch r.Scenario {
	case "start":
		fmt.Fprintf(&b, ": listening %.1f ms, idle %.1f MB, first playlist %.0f ms", r.Startup, float64(r.Idle.RSS)/mega, r.Playable)
	case "churn", "rewrite":
		fmt.Fprintf(&b, ": %.0f/s, %.3f ms CPU, p50/p99 %.1f/%.1f ms", r.Rate, r.PerCycle, r.P50, r.P99)
	default:
		fmt.Fprintf(&b, " %d streams %d clients mss %d %.2f Mb/s: %.2f CPU-s/GB, %.1f %%, p50/p99 %.1f/%.1f ms, machine %.0f %%, others %.0f %%",
			r.Streams, r.Clients, r.MSS, float64(r.BitRate)/mega, r.perGB(), r.percent(), r.P50, r.P99, r.Busy, r.Others)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "; DOES NOT COUNT: %s", p)
	}
	return b.String()
}

// printTables prints every result, a table for each kind of figures.
func printTables(out io.Writer, results []Result) {
	fmt.Fprintf(out, "\n%s\nCPU in seconds for each GB that reached the clients (publish: that was published); machine in %% of one core\n", machine())
	table(out, results, "server\twhat\tstreams\tclients\tmss\tMb/s\tMB\ts/GB\twith client\tCPU %\tp50 ms\tp99 ms\tfirst p50\tage p50\tRSS MB\tmemfd\tPSS\tMB/stream\tslowest\tstalled\tgaps\tmachine\tothers\tlate p99\tcounts",
		func(r *Result) string {
			if r.Scenario == "churn" || r.Scenario == "rewrite" || r.Scenario == "start" {
				return ""
			}
			counts := "yes"
			if len(r.Problems) > 0 {
				counts = "NO: " + strings.Join(r.Problems, "; ")
			}
			return fmt.Sprintf("%s\t%s\t%d\t%d\t%d\t%.2f\t%.0f\t%.2f\t%.2f\t%.1f\t%.1f\t%.1f\t%.0f\t%.0f\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%d\t%d\t%.0f\t%.0f\t%.1f\t%s",
				r.Server, r.Scenario, r.Streams, r.Clients, r.MSS, float64(r.BitRate)/mega, float64(r.Bytes)/mega,
				r.perGB(), r.allPerGB(), r.percent(), r.P50, r.P99, r.First50, r.Age50,
				float64(r.Memory.RSS)/mega, float64(r.Memory.Memfd)/mega, float64(r.Memory.PSS)/mega, r.perStream()/mega,
				r.SlowestRate, r.Stalled, r.Gaps, r.Busy, r.Others, r.Late, counts)
		})
	disturbed := 0
	for i := range results {
		if results[i].Others > quiet {
			disturbed++
		}
	}
	if disturbed > 0 {
		fmt.Fprintf(out, "in %d of %d windows other processes took more than %d %% of a core: not to be quoted\n", disturbed, len(results), quiet)
	}
	table(out, results, "server\twhat\tset-ups/s\tCPU ms each\tp50 ms\tp99 ms\tRSS MB\tfailed\tmachine\tothers",
		func(r *Result) string {
			if r.Scenario != "churn" && r.Scenario != "rewrite" {
				return ""
			}
			return fmt.Sprintf("%s\t%s\t%.0f\t%.3f\t%.1f\t%.1f\t%.1f\t%d\t%.0f\t%.0f", r.Server, r.Scenario, r.Rate, r.PerCycle, r.P50, r.P99,
				float64(r.Memory.RSS)/mega, r.Lost, r.Busy, r.Others)
		})
	table(out, results, "server\tlistening ms\tidle RSS MB\tidle PSS MB\tfirst playlist after the GOP ms",
		func(r *Result) string {
			if r.Scenario != "start" {
				return ""
			}
			return fmt.Sprintf("%s\t%.1f\t%.1f\t%.1f\t%.0f", r.Server, r.Startup,
				float64(r.Idle.RSS)/mega, float64(r.Idle.PSS)/mega, r.Playable)
		})
}

// table prints the rows that row does not leave out, if there are any.
func table(out io.Writer, results []Result, head string, row func(*Result) string) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	some := false
	for i := range results {
		if line := row(&results[i]); line != "" {
			if !some {
				fmt.Fprintf(w, "\n%s\n", head)
			}
			some = true
			fmt.Fprintln(w, line)
		}
	}
	if some {
		w.Flush() // errors of standard output have nowhere to go
	}
}

// printGoals prints goal beside result.
func printGoals(out io.Writer, goals []goal) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\ngoal\tlimit\tresult\t\n")
	for _, g := range goals {
		verdict := "ok"
		if !g.met {
			verdict = "MISSED"
		}
		result := g.why
		if result == "" {
			result = fmt.Sprintf("%.2f %s", g.got, g.unit)
		}
		sign := "<="
		if g.atLeast {
			sign = ">="
		}
		fmt.Fprintf(w, "%s\t%s %g %s\t%s\t%s\n", g.name, sign, g.limit, g.unit, result, verdict)
	}
	w.Flush()
}

// writeJSON writes everything to the file, or standard output for "-".
func writeJSON(name string, results []Result, goals []goal) error {
	type verdict struct {
		Goal  string  `json:"goal"`
		Limit float64 `json:"limit"`
		Got   float64 `json:"got"`
		Unit  string  `json:"unit"`
		Met   bool    `json:"met"`
		Why   string  `json:"why,omitempty"`
	}
	doc := struct {
		Machine string    `json:"machine"`
		Goals   []verdict `json:"goals,omitempty"`
		Results []Result  `json:"results"`
	}{Machine: machine(), Results: results}
	for _, g := range goals {
		doc.Goals = append(doc.Goals, verdict{g.name, g.limit, g.got, g.unit, g.met, g.why})
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if name == "-" {
		_, err = os.Stdout.Write(text)
		return err
	}
	return os.WriteFile(name, text, 0o644)
}

// machine describes when and where: date, processor, cores, kernel, Go.
func machine() string {
	cpu := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				cpu = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := "?"
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		kernel = strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("%s, %d x %s, %s, %s", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), cpu, kernel, runtime.Version())
}
