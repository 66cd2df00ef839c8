package top

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/doctor"
)

// Frame draws the view in a terminal of width times height cells; 0 is no
// limit.
func (v *View) Frame(width, height int) string {
	var lines []string
	switch {
	case v.Help:
		lines = help
	case v.now != nil:
		rows := v.rows()
		lines = v.head(rows, width)
		lines = append(lines, v.body(rows, width, height-len(lines)-v.footLines())...)
	}
	for i := range lines {
		lines[i] = v.style(lines[i], width)
	}
	if height > 0 {
		foot := v.footLines()
		for len(lines) < height-foot {
			lines = append(lines, "")
		}
		lines = lines[:max(height-foot, 0)]
	}
	if v.footLines() > 0 {
		lines = append(lines, v.style(v.foot(), width))
	}
	if v.Keys {
		return strings.Join(lines, "\n") // no newline after the last line, or the terminal scrolls
	}
	return strings.Join(lines, "\n") + "\n"
}

// heading marks a highlighted line. It is a control character, so that no text from
// outside can begin with it.
const heading = "\x01"

// style cuts a line to the width and highlights headings.
func (v *View) style(line string, width int) string {
	text, isHeading := strings.CutPrefix(line, heading)
	text = strings.TrimRight(cut(text, width), " ")
	if !isHeading || !v.Keys {
		return text
	}
	return "\x1b[7m" + fit(text, width) + "\x1b[0m"
}

func (v *View) head(rows []row, width int) []string {
	s := v.now
	t := sum(rows)
	unknown := func(r float64, ok bool, format func(float64) string) string {
		if !ok {
			return "-"
		}
		return strings.TrimSpace(format(r))
	}
	cpu, cpuOK := v.rate(func(s *api.Snapshot) float64 { return s.Process.CPU.Seconds() * 100 })
	requests, reqOK := v.rate(func(s *api.Snapshot) float64 {
		return total(s, func(h api.HTTP) float64 { return float64(h.Requests) })
	})
	sent, sentOK := v.rate(func(s *api.Snapshot) float64 {
		return total(s, func(h api.HTTP) float64 { return float64(h.BytesOut) * 8 })
	})
	one := func(r float64) string { return fmt.Sprintf("%.1f", r) }
	in, out := "", ""
	if width == 0 || width >= wide {
		in = fmt.Sprintf("  total %s in, %s out", bytes(float64(s.BytesIn)), bytes(float64(s.BytesOut)))
		out = "  total " + bytes(total(s, func(h api.HTTP) float64 { return float64(h.BytesOut) }))
	}
	lines := []string{
		fmt.Sprintf("rtmpd %s  up %s  cpu %s %%  memory %s  goroutines %d",
			clean(s.Version), age(s.Uptime), unknown(cpu, cpuOK, one), bytes(float64(s.Process.RSS)), s.Process.Goroutines),
		fmt.Sprintf("rtmp  publishers %d  players %d  connections %d  in %s  out %s%s",
			t.publishers, t.players, s.Connections, bits(float64(s.BwIn)), bits(float64(s.BwOut)), in),
		fmt.Sprintf("http  viewers %d  connections %.0f  in flight %.0f  requests %s/s  out %s%s",
			t.viewers, total(s, func(h api.HTTP) float64 { return float64(h.Connections) }),
			total(s, func(h api.HTTP) float64 { return float64(h.InFlight) }),
			unknown(requests, reqOK, one), unknown(sent, sentOK, bits), out),
		"codes " + v.codes(),
	}
	return append(append(lines, limitLines(s.Limits)...), "")
}

// maxLimitLines is how many limits blocks are shown.
const maxLimitLines = 4

// limitLines show what is in use beside the limits.
func limitLines(all []api.Limit) (lines []string) {
	for _, l := range all[:min(len(all), maxLimitLines)] {
		line := "limit " + l.Block
		if l.Name != "" {
			line += " " + clean(l.Name)
		}
		line += fmt.Sprintf("  viewers %d", l.Viewers)
		if l.MaxViewers > 0 {
			line += fmt.Sprintf(" of %d", l.MaxViewers)
		}
		line += "  out " + strings.TrimSpace(bits(float64(l.Bandwidth)))
		if l.MaxBandwidth > 0 {
			line += " of " + strings.TrimSpace(bits(float64(l.MaxBandwidth)))
		}
		lines = append(lines, line)
	}
	return lines
}

func total(s *api.Snapshot, of func(api.HTTP) float64) (sum float64) {
	for _, h := range s.HTTP {
		sum += of(h)
	}
	return sum
}

// body returns the sections. With a height, each gets an equal part of it; the others
// share what a section does not need, from the top.
func (v *View) body(rows []row, width, height int) []string {
	var sections [numSections][]string
	var titles [numSections]string
	titles[streamsSection], sections[streamsSection] = v.streams(rows, width)
	titles[healthSection], sections[healthSection] = "HEALTH", v.health(rows, width)
	titles[pathsSection], sections[pathsSection] = "  REQ/MIN      BYTES  PATH", v.pathLines()
	titles[outputsSection], sections[outputsSection] = outputFigures("FOR", "SIZE", "FILES")+"OUTPUT", v.outputs(rows, width)
	shown := v.sections()
	var room [numSections]int
	if v.Keys {
		room = share(sections[:shown], height-2*shown+1) // titles, and a blank line between
	} else {
		for i := range sections {
			room[i] = len(sections[i])
		}
	}
	var out []string
	for i, lines := range sections[:shown] {
		if i > 0 {
			out = append(out, "")
		}
		title := titles[i]
		if hidden := len(lines) - room[i]; v.Keys && hidden > 0 {
			v.Offset[i] = min(v.Offset[i], hidden)
			title += fmt.Sprintf("  [%d-%d of %d]", v.Offset[i]+1, v.Offset[i]+room[i], len(lines))
		} else {
			v.Offset[i] = 0
		}
		if v.Keys && i == v.Focus {
			title += " <"
		}
		out = append(out, heading+title)
		out = append(out, lines[v.Offset[i]:v.Offset[i]+room[i]]...)
	}
	return out
}

// share distributes the lines among the sections.
func share(sections [][]string, lines int) (room [numSections]int) {
	left := max(lines, 0)
	for i := range sections {
		room[i] = min(len(sections[i]), left/(len(sections)-i))
		left -= room[i]
	}
	for i := range sections {
		more := min(left, len(sections[i])-room[i])
		room[i] += more
		left -= more
	}
	return room
}

// wide is the width from which there is room for totals and the names of findings.
const wide = 110

// streams returns a title and a line for each stream.
func (v *View) streams(rows []row, width int) (title string, lines []string) {
	const figures = "%9s %5s %6s %5s %5s %9s %8s  %s"
	name := len("STREAM")
	for _, r := range rows {
		name = max(name, ansi.StringWidth(r.label))
	}
	if width > 0 {
		health := 8
		if width >= wide {
			health = 30
		}
		name = min(name, max(width-56-health, 10))
	}
	title = fit("STREAM", name) + " " + fmt.Sprintf(figures, "IN", "FPS", "GOP", "PLAY", "VIEW", "OUT", "UP", "HEALTH")
	for _, r := range rows {
		in, fps, gop := "waiting", "-", "-"
		if r.Publishing {
			in = bits(float64(r.BwIn))
		}
		if r.FrameRate > 0 {
			fps = fmt.Sprintf("%.1f", r.FrameRate)
		}
		switch {
		case r.Ingest.GOP > 0:
			gop = fmt.Sprintf("%.1f s", r.Ingest.GOP.Seconds())
		case r.Ingest.GOPMax > 0: // the first GOP is not complete
			gop = fmt.Sprintf(">%.1f s", r.Ingest.GOPMax.Seconds())
		}
		lines = append(lines, fit(cut(r.label, name), name)+" "+fmt.Sprintf(figures, in, fps, gop,
			fmt.Sprint(r.players), fmt.Sprint(r.Viewers), bits(float64(r.BwOut)), age(r.Age), wellness(r, width == 0 || width >= wide)))
	}
	return title, lines
}

// wellness returns the health of a stream in a word or two.
func wellness(r row, long bool) string {
	if !r.Publishing && len(r.Health) == 0 {
		return "-"
	}
	warnings, errors := 0, 0
	var names []string
	for _, f := range r.Health {
		names = append(names, f.Name)
		switch f.Level {
		case doctor.Error:
			errors++
		case doctor.Warning:
			warnings++
		}
	}
	switch {
	case long && warnings+errors > 0:
		return strings.Join(names, " ")
	case long && len(names) > 0:
		return "ok (" + strings.Join(names, " ") + ")"
	case errors > 0:
		return fmt.Sprintf("error %d", errors)
	case warnings > 0:
		return fmt.Sprintf("warn %d", warnings)
	}
	return "ok"
}

func (v *View) health(rows []row, width int) []string {
	var lines []string
	for _, f := range v.now.Findings {
		lines = append(lines, findingLines("rtmpd", f, v.seen, width)...)
	}
	for _, r := range rows {
		for _, f := range r.Health {
			lines = append(lines, findingLines(r.label, f, v.seen, width)...)
		}
	}
	if len(lines) == 0 {
		return []string{"nothing to complain of"}
	}
	return lines
}

func outputFigures(length, size, files string) string {
	return fmt.Sprintf("%9s %10s %6s  ", length, size, files)
}

// outputs has a line for each recorder, push and playlist: how long and how large it
// is, how many files are finished, and where it goes.
func (v *View) outputs(rows []row, width int) []string {
	var lines []string
	for _, r := range rows {
		for i := range r.Outputs {
			o := &r.Outputs[i]
			length, files, what := "-", "-", o.Kind
			if o.Duration > 0 {
				length = age(o.Duration)
			}
			if o.Files > 0 {
				files = fmt.Sprint(o.Files)
			}
			if o.Name != "" {
				what += fmt.Sprintf(" %q", o.Name)
			}
			where := o.Target
			if o.Failing != "" {
				where = "failing for " + age(v.seen.Sub(o.FailingSince)) + ": " + o.Failing
			}
			lines = append(lines, cut(outputFigures(length, strings.TrimSpace(bytes(float64(o.Bytes))), files)+r.label+"  "+clean(what)+"  "+clean(where), width))
		}
	}
	return lines
}

func (v *View) pathLines() []string {
	var lines []string
	for _, p := range v.paths() {
		lines = append(lines, fmt.Sprintf("%9s %s  %s", number(float64(p.Requests)), right(bytes(float64(p.Bytes)), 10), clean(p.Path)))
	}
	return lines
}

func (v *View) footLines() int {
	if v.Keys || v.Trouble != "" {
		return 1
	}
	return 0
}

func (v *View) foot() string {
	if v.Trouble != "" {
		return heading + "no answer, trying again: " + clean(v.Trouble)
	}
	return heading + "q quit  s sort: " + sortNames[v.Sort] + "  tab section  arrows scroll  ? help"
}

var help = []string{
	heading + "rtmpd top",
	"",
	"q            quit",
	"s            sort streams by name, bit rate in, bit rate out, audience, health",
	"tab          choose the section that scrolls (marked <)",
	"up down      scroll by a line, page up and page down by more, home to the top",
	"?            this page; any key leaves it",
	"",
	"IN           what the publisher sends, over 10 s; waiting: it may come back",
	"FPS GOP      frames a second by their timestamps; between the last two keyframes",
	"PLAY VIEW    RTMP players; HTTP viewers",
	"HEALTH       what is wrong with what is sent or written, and below what to do",
	"REQ/MIN      requests of the last minute by path, without queries",
}
