package nginxconf

import (
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config/value"
)

// kind is what an attribute takes, and how it is written.
type kind int

const (
	onOff    kind = iota
	duration      // not 0
	timer         // 0 and off are "off"
	size
	count
	text
	hook // a URL of http
	file
	word1 // one of some words
)

// attribute is where a directive's value goes.
type attribute struct {
	name string
	kind kind
	max  int64 // of a size or a duration; 0: none
}

// set writes the attribute of a directive. A value that is not understood is a note.
func (im *importer) set(i *item, d *directive, a attribute) {
	if d == nil || i.has(a.name) {
		return
	}
	if len(d.args) != 1 {
		im.note(d, lost, "it takes one value and has %d", len(d.args))
		return
	}
	v, err := a.read(d.arg(0))
	if err != nil {
		im.note(d, lost, "%v", err)
		return
	}
	if a.kind == file {
		im.pathNote(d)
	}
	i.set(d, a.name, v)
	if a.kind == hook {
		im.hooks = append(im.hooks, hooked{d, i.items[len(i.items)-1]})
	}
}

func (a attribute) read(s string) (string, error) {
	switch a.kind {
	case onOff:
		return readFlag(s)
	case duration, timer:
		return a.duration(s)
	case size:
		n, err := readSize(s)
		if a.max > 0 && n > a.max {
			n = a.max
		}
		if err == nil && n == 0 {
			return "0", nil
		}
		return writeSize(n), err
	case count:
		n, err := strconv.ParseUint(s, 10, 31)
		if err != nil {
			return "", fmt.Errorf("%q is no number", s)
		}
		return strconv.FormatUint(n, 10), nil
	case hook:
		if strings.HasPrefix(s, "unix:") || strings.HasPrefix(s, "http://unix:") {
			return "", fmt.Errorf("a hook is called over TCP: %q is a unix socket", s)
		}
		if !strings.Contains(s, "://") {
			s = "http://" + s
		}
		return expression(s, same), nil
	case word1:
		return quote(strings.ToLower(s)), nil
	}
	return expression(s, same), nil
}

func readFlag(s string) (string, error) {
	switch strings.ToLower(s) {
	case "on":
		return "true", nil
	case "off":
		return "false", nil
	}
	return "", fmt.Errorf("%q is neither on nor off", s)
}

func (a attribute) duration(s string) (string, error) {
	d, err := readDuration(s)
	switch {
	case err != nil:
		return "", err
	case d == 0 && a.kind == timer:
		return `"off"`, nil
	case d == 0:
		return "", fmt.Errorf("it can't be 0 here; rtmpd's default holds")
	case a.max > 0 && int64(d) > a.max:
		d = time.Duration(a.max)
	}
	return quote(value.FormatDuration(d)), nil
}

var durationPart = regexp.MustCompile(`^(\d+)(ms|s|m|h|d|w|M|y)?\s*`)

// readDuration reads nginx's times: 10, 10s, 500ms, 1h30m, 1d. A bare number is
// seconds.
func readDuration(s string) (time.Duration, error) {
	if strings.EqualFold(s, "off") {
		return 0, nil
	}
	units := map[string]time.Duration{
		"": time.Second, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "M": 30 * 24 * time.Hour, "y": 365 * 24 * time.Hour,
	}
	var sum time.Duration
	for rest := s; rest != "" || s == ""; {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, fmt.Errorf("%q is no time", s)
		}
		n, err := strconv.ParseInt(m[1], 10, 64)
		if u := units[m[2]]; err != nil || n > int64(math.MaxInt64/4/u) {
			return 0, fmt.Errorf("%q is too long", s)
		} else if sum += time.Duration(n) * u; sum > math.MaxInt64/2 {
			return 0, fmt.Errorf("%q is too long", s)
		}
		rest = rest[len(m[0]):]
	}
	return sum, nil
}

func readSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "kKmMgG")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || len(s)-len(digits) > 1 {
		return 0, fmt.Errorf("%q is no size", s)
	}
	if len(s) > len(digits) {
		unit := int64(1) << (10 * (1 + strings.IndexByte("kmg", s[len(s)-1]|0x20)))
		if n > math.MaxInt64/unit {
			return 0, fmt.Errorf("%q is too large", s)
		}
		n *= unit
	}
	return n, nil
}

// writeSize is a size with the largest unit that says it exactly.
func writeSize(n int64) string {
	for i, unit := range []string{"G", "M", "k"} {
		if u := int64(1) << (30 - 10*i); n >= u && n%u == 0 {
			return fmt.Sprintf(`"%d%s"`, n/u, unit)
		}
	}
	return strconv.FormatInt(n, 10)
}

// pathNote warns of a path that starts somewhere else now.
func (im *importer) pathNote(d *directive) {
	if p := d.arg(0); !strings.HasPrefix(p, "/") && !strings.HasPrefix(p, "$") {
		im.note(d, changed, "%q is relative: nginx begins at its prefix (nginx -V: --prefix), rtmpd at the file of its configuration", p)
	}
}

// address is what an allow or deny names, as a rule; empty if it is no address.
func address(s string) string {
	if s == "all" {
		return s
	}
	if s == "127.0.0.1" || s == "::1" {
		return "loopback" // rtmpd listens on both families: localhost may be either
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return a.Unmap().String()
	}
	if p, err := netip.ParsePrefix(s); err == nil && !p.Addr().Is4In6() {
		return p.Masked().String()
	}
	return ""
}

// rules makes an access list of rules in nginx's order, in which whom no rule names is
// let in; nil if everyone is.
func rules(entries []string) []string {
	var out []string
	seen := make(map[string]bool)
	for _, e := range entries {
		if seen[e] {
			continue
		}
		seen[e] = true
		out = append(out, e)
		if strings.HasSuffix(e, " all") {
			break
		}
	}
	if len(out) > 0 && !strings.HasSuffix(out[len(out)-1], " all") {
		out = append(out, "allow all")
	}
	if len(out) == 1 && out[0] == "allow all" {
		return nil
	}
	return out
}
