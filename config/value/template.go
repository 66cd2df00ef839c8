package value

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Template is a string with $placeholders that were checked at load.
type Template string

// Placeholders are all that there are, separated by spaces.
const Placeholders = "app name publisher args addr clientid flashver swfurl tcurl pageurl " +
	"path filename basename dirname recorder stream base wildcard pluswildcard " +
	"datetime utcdatetime year month day hour minute second wday yday week unix"

// Decode reads a string; without Vars it may hold every placeholder.
func (t *Template) Decode(v cty.Value, c Context) error {
	s, err := stringOf(v)
	if err == nil {
		err = Template(s).Check(cmp.Or(c.Vars, Placeholders))
	}
	*t = Template(s)
	return err
}

// Encode is the string.
func (t *Template) Encode() cty.Value { return encodeString(*t) }

// Kind is "template".
func (t *Template) Kind() string { return "template" }

// Example is a file's name.
func (t *Template) Example() string { return `"$name-$unix.flv"` }

// Expand replaces each $name by value(name) and $$ by one $.
func (t Template) Expand(value func(name string) string) string {
	var b strings.Builder
	_ = t.scan(func(literal, name string) error {
		b.WriteString(literal)
		if name != "" {
			b.WriteString(value(name))
		}
		return nil
	})
	return b.String()
}

// TimePlaceholder returns the value of a placeholder of date and time; empty for others.
func TimePlaceholder(name string, now time.Time) string {
	switch name {
	case "datetime":
		return now.Format("2006.01.02.15.04.05")
	case "utcdatetime":
		return now.UTC().Format("2006.01.02.15.04.05")
	case "wday": // of ISO 8601: Monday is 1
		return strconv.Itoa((int(now.Weekday())+6)%7 + 1)
	case "yday":
		return fmt.Sprintf("%03d", now.YearDay())
	case "week": // of ISO 8601
		_, week := now.ISOWeek()
		return fmt.Sprintf("%02d", week)
	case "year":
		return now.Format("2006")
	case "month":
		return now.Format("01")
	case "day":
		return now.Format("02")
	case "hour":
		return now.Format("15")
	case "minute":
		return now.Format("04")
	case "second":
		return now.Format("05")
	case "unix":
		return strconv.FormatInt(now.Unix(), 10)
	}
	return ""
}

// scan walks the template: some literal text, then the placeholder after it
// (empty at the end). Placeholders are letters only.
func (t Template) scan(visit func(literal, name string) error) error {
	s := string(t)
	for s != "" {
		i := strings.IndexByte(s, '$')
		switch {
		case i < 0:
			return visit(s, "")
		case i+1 < len(s) && s[i+1] == '$':
			if err := visit(s[:i+1], ""); err != nil {
				return err
			}
			s = s[i+2:]
			continue
		}
		end := i + 1
		for end < len(s) && ('a' <= s[end]|0x20 && s[end]|0x20 <= 'z') {
			end++
		}
		if end == i+1 { // a lone $: Check refuses it, Expand keeps it
			if err := visit(s[:end], ""); err != nil {
				return err
			}
		} else if err := visit(s[:i], s[i+1:end]); err != nil {
			return err
		}
		s = s[end:]
	}
	return nil
}

// Check returns an error for an invalid placeholder in t; known are the names that
// the attribute expands, separated by spaces.
func (t Template) Check(known string) error {
	names := strings.Fields(known)
	s := strings.ReplaceAll(string(t), "$$", "")
	if i := strings.IndexByte(s, '$'); i >= 0 && (i+1 == len(s) || !letter(s[i+1])) {
		if strings.HasPrefix(s[i:], "${") {
			return fmt.Errorf("a placeholder has no braces: write $name; it ends at the first character that is not a letter")
		}
		return fmt.Errorf("a $ starts a placeholder: write $$ for the character itself")
	}
	return t.scan(func(_, name string) error {
		if name == "" {
			return nil
		}
		for _, n := range names {
			if n == name {
				return nil
			}
		}
		if strings.Contains(" "+Placeholders+" ", " "+name+" ") {
			return fmt.Errorf("$%s is not known here; what is: $%s", name, strings.Join(names, " $"))
		}
		hint := Nearest(name, names)
		if hint != "" {
			hint = "did you mean $" + hint + "? "
		}
		return fmt.Errorf("there is no placeholder $%s; %s$$ is a literal $", name, hint)
	})
}

// Holds reports whether t has the placeholder name.
func (t Template) Holds(name string) bool {
	found := false
	_ = t.scan(func(_, n string) error {
		found = found || n == name
		return nil
	})
	return found
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// placeholders counts them.
func (t Template) placeholders() (n int) {
	_ = t.scan(func(_, name string) error {
		if name != "" {
			n++
		}
		return nil
	})
	return n
}
