package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/rtmpd/rtmpd/config/value"
)

// functions returns the functions that a configuration may call; file() reads
// relative to dir.
func (l *loader) functions(dir string) map[string]function.Function {
	return map[string]function.Function{
		"env":        l.envFunc(),
		"file":       l.fileFunc(dir),
		"credential": l.credentialFunc(),
		"format":     formatFunc(),
		"join":       stdlib.JoinFunc,
		"split":      stdlib.SplitFunc,
		"lower":      stdlib.LowerFunc,
		"upper":      stdlib.UpperFunc,
		"trimspace":  stdlib.TrimSpaceFunc,
		"concat":     stdlib.ConcatFunc,
		"coalesce":   stdlib.CoalesceFunc,
	}
}

// serviceOnly replaces a value that only the service can know: unknown,
// with a note, when just checking; else an error.
func (l *loader) serviceOnly(err error) (cty.Value, error) {
	if l.o.Check && !l.o.Strict {
		l.notes = append(l.notes, err.Error())
		return cty.DynamicVal, nil
	}
	return cty.NilVal, err
}

// argument is a function's argument, and as an error may show it: not if it came
// out of env, file or credential itself.
func argument(v cty.Value) (s, shown string) {
	bare, marks := v.Unmark()
	s = bare.AsString()
	if len(marks) > 0 {
		return s, value.Hidden
	}
	return s, s
}

// envFunc is env(name[, default]).
func (l *loader) envFunc() function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String, AllowMarked: true}},
		VarParam: &function.Parameter{Name: "default", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, errors.New("write env(\"NAME\") or env(\"NAME\", default)")
			}
			name, shown := argument(args[0])
			if v, ok := l.o.Env[name]; ok {
				return hide(v), nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return l.serviceOnly(fmt.Errorf("environment variable %s is not set", shown))
		},
	})
}

// fileFunc is file(path): the content, trimmed.
func (l *loader) fileFunc(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			arg, shown := argument(args[0])
			path, err := value.Absolute(arg, dir)
			if err != nil {
				return cty.NilVal, err
			}
			if shown == arg {
				shown = path
			}
			data, err := l.reading.file(path)
			if err != nil {
				return l.serviceOnly(pathError(shown, err))
			}
			return trimmed(data, shown)
		},
	})
}

// credentialFunc is credential(name): a file of $CREDENTIALS_DIRECTORY.
func (l *loader) credentialFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String, AllowMarked: true}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name, shown := argument(args[0])
			dir := l.o.Env["CREDENTIALS_DIRECTORY"]
			if name == "" || name != filepath.Base(name) || name == "." || name == ".." {
				return cty.NilVal, fmt.Errorf("%q is not the name of a credential: it has no /", shown)
			}
			if dir == "" {
				return l.serviceOnly(errors.New("$CREDENTIALS_DIRECTORY is not set: systemd does with LoadCredential= in the unit"))
			}
			_, _ = l.reading.file(filepath.Join(dir, name)) // as a look will see it
			data, err := readIn(dir, name)
			if err == nil {
				data, err = value.PlainText(data)
			}
			if err != nil {
				return l.serviceOnly(fmt.Errorf("credential %s: %w", shown, pathCause(err)))
			}
			return trimmed(data, "credential "+shown)
		},
	})
}

// trimmed returns the content of a file. An empty one is an error: it is being written, or
// the disk was full, and "" in place of a token would let everybody in.
func trimmed(data []byte, shown string) (cty.Value, error) {
	text := strings.TrimSpace(string(data))
	if text == "" {
		return cty.NilVal, fmt.Errorf("%s: the file is empty", shown)
	}
	return hide(text), nil
}

// formatFunc is format(), with widths that fit in a config.
func formatFunc() function.Function {
	wide := regexp.MustCompile(`%[^a-zA-Z%]*[0-9]{4}`)
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "format", Type: cty.String}},
		VarParam: &function.Parameter{Name: "args", Type: cty.DynamicPseudoType, AllowNull: true},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args[0].AsString()) > value.MaxString || wide.MatchString(args[0].AsString()) {
				return cty.NilVal, errors.New("too long, or a width or precision of more than three digits")
			}
			return stdlib.Format(args[0], args[1:]...)
		},
	})
}

// pathError describes an error of a file without repeating its path.
func pathError(path string, err error) error {
	return fmt.Errorf("%s: %w", path, pathCause(err))
}

// pathCause is the error without the path that the caller names itself.
func pathCause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
