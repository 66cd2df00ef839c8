package value

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Command is a program and its arguments. No shell is ever involved.
type Command []Template

// Decode reads a list of arguments, or a string that is split at spaces outside
// quotes.
func (c *Command) Decode(v cty.Value, _ Context) error {
	var args []string
	var err error
	if v.Type() == cty.String {
		if args, err = splitCommand(v.AsString()); err != nil {
			return err
		}
	} else if args, err = stringsOf(v, false); err != nil {
		return errors.New("a command is a list: write [\"ffmpeg\", \"-i\", \"…\"]")
	}
	if len(args) == 0 || args[0] == "" {
		return errors.New("the command is empty")
	}
	if err := needsShell(args, scriptArgument(args)); err != nil {
		return err
	}
	out := make(Command, len(args))
	for i, s := range args {
		if err := Template(s).Check(Placeholders); err != nil {
			return err
		}
		if strings.ContainsRune(s, 0) {
			return errors.New("the command holds a NUL byte")
		}
		out[i] = Template(s)
	}
	script := scriptArgument(args)
	if script > 0 && out[script].placeholders() > 0 {
		return errors.New("a placeholder inside a shell script lets a stream's name run commands: use the environment there ($$RTMPD_NAME, $$RTMPD_ADDR …)")
	}
	if out[0].placeholders() > 0 {
		return errors.New("the program can't have a placeholder in its name: a client would choose what runs")
	}
	*c = out
	return nil
}

// Encode is the list.
func (c *Command) Encode() cty.Value { return encodeList(*c, text[Template]) }

// Kind is "command".
func (c *Command) Kind() string { return "command" }

// Example is a program with an argument.
func (c *Command) Example() string { return `["PROGRAM", "ARGUMENT"]` }

// Handler answers a trigger: one URL of http or https, or a Command.
type Handler []Template

// Decode reads a URL or a command.
func (h *Handler) Decode(v cty.Value, c Context) error {
	if v.Type() == cty.String && isURL(v.AsString()) {
		s := v.AsString()
		if err := checkURL(s, "http", "https"); err != nil {
			return err
		}
		*h = Handler{Template(s)}
		return nil
	}
	var command Command
	if err := command.Decode(v, c); err != nil {
		return err
	}
	if isURL(string(command[0])) {
		return errors.New("a URL stands alone, not in a list: several handlers are several trigger blocks")
	}
	for _, arg := range command {
		if arg.placeholders() > 0 {
			return errors.New("a trigger's command has no placeholders: the program reads what happened from standard input")
		}
	}
	*h = Handler(command)
	return nil
}

// Encode is the URL, or the list.
func (h *Handler) Encode() cty.Value {
	if u := h.URL(); u != "" {
		return cty.StringVal(u.Reveal())
	}
	return (*Command)(h).Encode()
}

// StandIn is a URL.
func (h *Handler) StandIn(n int, _ Context) cty.Value { return hiddenURL("http", n, "") }

// URL is where the handler is asked; empty: it is a command.
func (h *Handler) URL() URL {
	if len(*h) == 1 && isURL(string((*h)[0])) {
		return URL((*h)[0])
	}
	return ""
}

// Command is the program and its arguments.
func (h *Handler) Command() []string {
	out := make([]string, len(*h))
	for i, arg := range *h {
		out[i] = arg.Expand(nil) // $$ is a $
	}
	return out
}

// Kind is "handler".
func (h *Handler) Kind() string { return "handler" }

// Example is a URL.
func (h *Handler) Example() string { return `"http://127.0.0.1:5000/trigger"` }

// scriptArgument finds the argument that sh, bash or dash -c runs; 0: none.
func scriptArgument(args []string) int {
	shell := regexp.MustCompile(`(^|/)(sh|bash|dash)$`)
	flag := regexp.MustCompile(`^-[a-z]*c[a-z]*$`)
	for i, s := range args {
		if !shell.MatchString(s) {
			continue
		}
		for j := i + 1; j+1 < len(args) && strings.HasPrefix(args[j], "-"); j++ {
			if flag.MatchString(args[j]) {
				return j + 1
			}
		}
	}
	return 0
}

// needsShell returns which part of a command needs a shell, and how to write it
// without one. script is the argument that a shell runs; 0: none.
func needsShell(args []string, script int) error {
	const inShell = `write command = ["sh", "-c", "…"], where placeholders are $$RTMPD_NAME, $$RTMPD_APP …`
	if strings.ContainsRune(args[0], '=') && !strings.ContainsRune(args[0], '/') {
		return fmt.Errorf("there is no shell here, so %s is not set: write environment = { … } in the block", strings.SplitN(args[0], "=", 2)[0])
	}
	if slices.Contains([]string{"cd", "exec", "export", "source", ".", "trap", "ulimit", "umask", "eval"}, args[0]) {
		return fmt.Errorf("there is no shell here, and %s is a word of the shell: %s", args[0], inShell)
	}
	for i, s := range args {
		if i == script && i > 0 {
			continue
		}
		if m := redirection.FindStringSubmatch(s); m != nil {
			return fmt.Errorf("there is no shell here, so %s %s", m[0], redirectionAdvice(m[1], m[2]))
		}
		switch word := strings.TrimSuffix(s, ";"); {
		case s == "|", s == "||", s == "&&", s == "&", s == "|&":
			return fmt.Errorf("there is no shell here, so %s is an argument like any other: %s", s, inShell)
		case word != s && (word == "" || i == len(args)-1):
			return fmt.Errorf("there is no shell here: leave the ; out, or %s", inShell)
		case strings.Contains(s, "$("), strings.Contains(s, "`"):
			return fmt.Errorf("there is no shell here, so nothing runs the command inside %s: %s", s, inShell)
		case strings.HasPrefix(s, "~/"):
			return errors.New("there is no shell here: write the whole path in place of ~")
		}
	}
	return nil
}

// redirection is an argument that a shell, or exec of nginx-rtmp, would open a file
// for: the descriptor, the direction.
var redirection = regexp.MustCompile(`^([0-9]?|&)(>>|>\||>|<<|<)(&[0-9]|&-|$|[^=].*)`)

func redirectionAdvice(fd, direction string) string {
	switch {
	case strings.HasPrefix(direction, "<"):
		return "opens no file; the program's standard input is empty"
	case fd == "2" || fd == "&":
		return `opens no file; what it writes to standard error is in the log, or in a file: write log = "/path/of/the.log" in the block`
	}
	return `opens no file; its standard output is dropped: write log = "/path/of/the.log" for standard error, or command = ["sh", "-c", "… > file"]`
}

func splitCommand(s string) ([]string, error) {
	var args []string
	var word strings.Builder
	var quote rune
	open := false
	for _, r := range s {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, open = r, true
		case quote == 0 && (r == ' ' || r == '\t' || r == '\n'):
			if open {
				args = append(args, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a %c is not closed in this command; a list needs no quotes inside: [\"ffmpeg\", \"-i\", \"…\"]", quote)
	}
	if open {
		args = append(args, word.String())
	}
	return args, nil
}
