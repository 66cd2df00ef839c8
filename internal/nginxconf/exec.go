package nginxconf

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rtmpd/rtmpd/config"
)

// kinds of exec, by directive.
var execKinds = map[string]string{
	"exec": "push", "exec_push": "push", "exec_pull": "pull", "exec_publish": "publish", "exec_play": "play", "exec_publish_done": "publish_done",
	"exec_play_done": "play_done", "exec_record_done": "record_done", "exec_record_started": "record_started", "exec_static": "static",
}

var execNames = strings.Fields("exec exec_push exec_pull exec_publish exec_play exec_publish_done exec_play_done exec_record_started exec_record_done exec_static")

// execs maps the commands of a block, in their order. inherited: those of the blocks
// around it too.
func (im *importer) execs(b *item, s *scope, inherited bool) {
	for at := s; at != nil && (inherited || at == s); at = at.parent {
		options := false
		for _, d := range at.block {
			switch {
			case d.isBlock:
			case d.name == "exec_options":
				options = strings.EqualFold(d.arg(0), "on")
				b.take(d)
			case slices.Contains(execNames, d.name):
				im.exec(b, d, s, options, "application.exec")
			}
		}
	}
}

// recorderExecs maps the commands of a recorder block.
func (im *importer) recorderExecs(b *item, s *scope) {
	for _, d := range s.nearest("exec_record_done", "exec_record_started") {
		im.exec(b, d, s, false, "record.exec")
	}
}

// exec maps one command.
func (im *importer) exec(b *item, d *directive, s *scope, options bool, feature string) {
	kind := execKinds[d.name]
	if len(d.args) == 0 {
		im.note(d, lost, "it names no program")
		return
	}
	args, streams, log := im.split(d, options)
	if len(args) == 0 {
		im.note(d, lost, "it names no program")
		return
	}
	e := b.block(d, "exec", kind, label(b, kind, filepath.Base(args[0].text)))
	e.set(nil, "command", im.command(d, args, kind))
	if kind == "record_done" && remuxes(args) {
		im.note(d, better, "rtmpd records MP4 itself: format = \"mp4\" in the record block does without this command")
	}
	if len(streams) > 0 {
		e.set(nil, "streams", list(streams...))
	}
	if log != "" {
		e.set(nil, "log", quote(log))
	}
	if slices.Contains([]string{"push", "pull", "static"}, kind) {
		if kind != "static" {
			im.set(e, s.get("respawn"), attribute{"respawn", onOff, 0})
		}
		if t := s.get("respawn_timeout"); t != nil {
			if v, err := readDuration(t.arg(0)); err == nil && v == 0 {
				e.set(t, "respawn_timeout", quote("1s"))
				im.note(t, better, "a program that ends at once is not started again without a pause: 1s")
			} else {
				im.set(e, t, attribute{"respawn_timeout", duration, 0})
			}
		}
		im.killSignal(e, s.get("exec_kill_signal"))
	}
}

// remuxes says whether a command makes an MP4 of a recording without encoding it.
func remuxes(args []word) bool {
	all := ""
	for _, a := range args {
		all += a.text + " "
	}
	return strings.Contains(all, "ffmpeg") && strings.Contains(all, " copy ") && strings.Contains(all, ".mp4")
}

func (im *importer) killSignal(e *item, d *directive) {
	if d == nil {
		return
	}
	name := strings.TrimPrefix(strings.ToUpper(d.arg(0)), "SIG")
	if n, err := strconv.Atoi(name); err == nil {
		name = map[int]string{1: "HUP", 2: "INT", 3: "QUIT", 9: "KILL", 10: "USR1", 12: "USR2", 15: "TERM"}[n]
	}
	if !slices.Contains(strings.Fields("TERM INT HUP QUIT KILL USR1 USR2"), name) {
		im.note(d, lost, "%s does not end programs: they get TERM, and KILL after kill_timeout", d.arg(0))
		return
	}
	e.set(d, "kill_signal", quote(name))
}

// label is a name for a block that no other one of its kind in b has.
func label(b *item, kind, name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`"\$%{}`, r) {
			return '_'
		}
		return r
	}, name)
	if name == "" || len(name) > 64 {
		name = "program"
	}
	if b.labels == nil {
		b.labels = make(map[string]int)
	}
	out := name
	for b.labels[kind+" "+out] > 0 {
		b.labels[kind+" "+name]++
		out = fmt.Sprintf("%s-%d", name, b.labels[kind+" "+name])
	}
	b.labels[kind+" "+out]++
	return out
}

var redirection = regexp.MustCompile(`^([0-9]*)(>>|>|<)(&?)(.*)$`)

// split takes redirections, streams and the ends of lines out of the arguments.
func (im *importer) split(d *directive, options bool) (args []word, streams []string, log string) {
	target := false // of a redirection that stands alone
	for n, a := range d.args {
		if target {
			target = false
			continue
		}
		m := redirection.FindStringSubmatch(a.text)
		if m != nil && !a.quoted && m[3]+m[4] == "" && n > 0 && n+1 < len(d.args) {
			target = true
			m[4] = d.args[n+1].text
			a.text += " " + m[4]
		}
		name, stream, isOption := strings.Cut(a.text, "=")
		switch {
		case strings.Trim(a.text, "\\\r\n") == "" && a.text != "":
			im.note(d, better, "a line needs no backslash at its end: nginx-rtmp gives it to the program as an argument")
		case options && n > 0 && isOption && name == "name":
			streams = append(streams, stream)
		case n == 0 || m == nil || a.quoted && m[4] == "":
			args = append(args, a)
		case m[3] == "&":
		case m[2] == "<":
			im.note(d, lost, "the program reads from nothing: %s needs a shell: command = [\"sh\", \"-c\", \"PROGRAM %s\"]", a.text, a.text)
		case m[1] == "2" && m[4] != "/dev/null":
			if log = im.logFile(d, m[4]); strings.Contains(log, "$") || !strings.HasPrefix(log, "/") {
				im.note(d, lost, "log takes a fixed path: what the program says on standard error goes to rtmpd's log, not to %s", log)
				log = ""
			}
		case m[4] == "/dev/null":
		default:
			im.note(d, lost, "only standard error is kept (log = \"FILE\"): %s needs a shell: command = [\"sh\", \"-c\", \"PROGRAM %s\"]", a.text, a.text)
		}
	}
	return args, streams, log
}

// command writes the arguments as an HCL list, on the lines on which they stood.
func (im *importer) command(d *directive, args []word, kind string) string {
	script := scriptAt(args)
	var b strings.Builder
	b.WriteString("[")
	multi := args[0].line != args[len(args)-1].line
	for n, a := range args {
		switch {
		case multi && (n == 0 || a.line != args[n-1].line):
			b.WriteString("\n")
		case n > 0:
			b.WriteString(" ")
		}
		expand := func(s string) string { return im.expand(d, s, n == script) }
		if n == 0 || kind == "static" {
			expand = template
		}
		b.WriteString(expression(a.text, expand))
		if multi || n < len(args)-1 {
			b.WriteString(",")
		}
	}
	if multi {
		b.WriteString("\n")
	}
	b.WriteString("]")
	return b.String()
}

// scriptAt finds the script of sh, bash or dash -c; 0: none.
func scriptAt(args []word) int {
	shell := regexp.MustCompile(`(^|/)(sh|bash|dash)$`)
	option := regexp.MustCompile(`^-[a-z]*c[a-z]*$`)
	for i, a := range args {
		if !shell.MatchString(a.text) {
			continue
		}
		for j := i + 1; j+1 < len(args) && strings.HasPrefix(args[j].text, "-"); j++ {
			if option.MatchString(args[j].text) {
				return j + 1
			}
		}
	}
	return 0
}

// placeholder finds $name and ${name}.
var placeholder = regexp.MustCompile(`\$(?:\{([A-Za-z_]*)\}|([A-Za-z_]+))`)

// expand turns an argument of nginx-rtmp into one with rtmpd's placeholders. A script
// gets them from its environment: there a stream's name could run commands.
func (im *importer) expand(d *directive, s string, script bool) string {
	var b strings.Builder
	quoted := byte(0) // the quote that is open in a script
	for i := 0; i < len(s); {
		switch {
		case s[i] == '\\' && i+1 < len(s): // nginx-rtmp: the next character is itself
			if s[i+1] == '$' {
				b.WriteString("$$")
			} else {
				if script { // the shell needs it
					b.WriteByte('\\')
				}
				b.WriteByte(s[i+1])
			}
			i += 2
		case s[i] != '$':
			switch {
			case quoted == 0 && (s[i] == '"' || s[i] == '\''):
				quoted = s[i]
			case quoted == s[i]:
				quoted = 0
			}
			b.WriteByte(s[i])
			i++
		case script && quoted == '\'': // no shell looks for variables there
			b.WriteString(`'"`)
			i += im.variable(&b, d, s[i:], script)
			b.WriteString(`"'`)
		default:
			i += im.variable(&b, d, s[i:], script)
		}
	}
	return b.String()
}

// variable writes what stands for the variable at the beginning of s, and returns its
// length.
func (im *importer) variable(b *strings.Builder, d *directive, s string, script bool) int {
	name, length := "", 1
	if rest, ok := strings.CutPrefix(s[1:], "{"); ok && strings.Contains(rest, "}") {
		name, _, _ = strings.Cut(rest, "}")
		length = len(name) + 3
	} else {
		for length < len(s) && letter(s[length]) {
			length++
		}
		name = s[1:length]
	}
	next := byte(' ')
	if length < len(s) {
		next = s[length]
	}
	switch {
	case name == "":
		b.WriteString("$$")
	case !strings.Contains(" "+config.Exec{Kind: execKinds[d.name]}.Vars()+" ", " "+name+" "):
		im.note(d, changed, "$%s is nothing here, as in nginx-rtmp: it was left out", name)
	case script:
		im.note(d, better, "the script reads its variables from its environment, as $RTMPD_NAME: a stream's name can't run commands")
		if letter(next) || next == '_' || '0' <= next && next <= '9' {
			b.WriteString("$${RTMPD_" + strings.ToUpper(name) + "}")
		} else {
			b.WriteString("$$RTMPD_" + strings.ToUpper(name))
		}
	case letter(next):
		im.note(d, lost, "a placeholder ends at the first character that is no letter: separate ${%s} from what follows", name)
		b.WriteString("$" + name + "_")
	default:
		b.WriteString("$" + name)
	}
	return length
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
