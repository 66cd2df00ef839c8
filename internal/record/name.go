package record

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
)

// maxEscaped is the longest escaped stream name that is a file's: with suffix
// and number it fits into 255 bytes.
const maxEscaped = 180

// A naming makes the file names of one recorder. They are relative to its path,
// slash separated, and hold the stream's public name only.
type naming struct {
	app, stream string
	cfg         *config.Record
}

// file is the name of a recording that begins at the moment now. Number 0 is
// the name itself, others stand before its extension.
func (n naming) file(now time.Time, number int) (string, error) {
	var name string
	if n.cfg.Filename != "" {
		name = n.expand(now)
	} else {
		name = escape(n.stream)
		if n.cfg.Unique {
			name += "-" + strconv.FormatInt(now.Unix(), 10)
		}
		name += n.suffix(now)
	}
	if number > 0 {
		dot := strings.LastIndexByte(name, '.')
		if dot <= strings.LastIndexByte(name, '/') {
			dot = len(name)
		}
		// A + is in no escaped name: this is no other stream's file.
		name = name[:dot] + "+" + strconv.Itoa(number) + name[dot:]
	}
	return name, checkName(name)
}

// expand fills in the file name of the configuration. It leaves out directories whose
// placeholders are empty: "$wildcard/$name.flv" of a stream without a wildcard is in the
// path itself.
func (n naming) expand(now time.Time) string {
	return expandPath(string(n.cfg.Filename), func(p string) string { return n.value(p, now) })
}

func expandPath(template string, valueOf func(placeholder string) string) string {
	var parts []string
	for part := range strings.SplitSeq(template, "/") {
		name := value.Template(part).Expand(valueOf)
		if name != "" || part == "" {
			parts = append(parts, name)
		}
	}
	return strings.Join(parts, "/")
}

// checkName refuses what os.Root would, and files that web servers hide.
func checkName(name string) error {
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || strings.IndexByte(part, 0) >= 0 {
			return fmt.Errorf("record: %q is no name for a file: no part of it may be empty or begin with a dot", name)
		}
	}
	return nil
}

func (n naming) suffix(now time.Time) string {
	switch {
	case n.cfg.Suffix == "":
		return "." + n.cfg.Format
	case strings.IndexByte(n.cfg.Suffix, '%') >= 0:
		return strftime(n.cfg.Suffix, now)
	}
	return n.cfg.Suffix
}

// value returns the value of a placeholder of filename.
func (n naming) value(placeholder string, now time.Time) string {
	base, wildcard, _ := strings.Cut(n.stream, "+")
	switch placeholder {
	case "app":
		return n.app
	case "name", "stream":
		return n.stream
	case "base", "basename":
		return base
	case "wildcard":
		return wildcard
	case "pluswildcard":
		return value.PlusWildcard(n.stream)
	case "recorder":
		return strings.NewReplacer("/", "_", "\x00", "_").Replace(n.cfg.Name)
	}
	return value.TimePlaceholder(placeholder, now)
}

// escape is nginx's escaping of a URI component, which it uses for the names of
// recordings. A name that would be too long stays as it is: it is safe anyway.
func escape(name string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(name))
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	if len(b) > maxEscaped {
		return name
	}
	return string(b)
}
