package value

import (
	"errors"
	"fmt"
	"regexp"
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
	if i := scriptArgument(args); i > 0 && out[i].placeholders() > 0 {
		return errors.New("a placeholder inside a shell script lets a stream's name run commands: use the environment there ($$RTMPD_NAME, $$RTMPD_ADDR …)")
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
		*h = Handler{Template(strings.ReplaceAll(s, "$", "$$"))}
		return nil
	}
	return (*Command)(h).Decode(v, c)
}

// Encode is the list.
func (h *Handler) Encode() cty.Value { return (*Command)(h).Encode() }

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
