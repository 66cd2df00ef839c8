package top

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// clean makes text from clients safe to show: control characters could control the
// terminal, and marks for right-to-left text could reverse a line. Unprintable
// characters are escaped as in Go.
func clean(s string) string {
	if strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && invalid(s[i:]):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !unsafe(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// unsafe characters include combining marks, which take no cell and can be stacked.
func unsafe(r rune) bool {
	return r == utf8.RuneError || !unicode.IsPrint(r) || unicode.Is(unicode.M, r)
}

func invalid(s string) bool {
	_, n := utf8.DecodeRuneInString(s)
	return n == 1
}

// fit makes s exactly width cells wide, cut or filled; 0 is no limit.
func fit(s string, width int) string {
	if width <= 0 {
		return s
	}
	s = cut(s, width)
	return s + strings.Repeat(" ", width-ansi.StringWidth(s))
}

// cut makes s at most width cells wide; 0 is no limit.
func cut(s string, width int) string {
	if width <= 0 {
		return s
	}
	return ansi.Truncate(s, width, "~")
}

// right fills s from the left.
func right(s string, width int) string {
	return strings.Repeat(" ", max(width-ansi.StringWidth(s), 0)) + s
}

// wrap breaks s at blanks into lines of at most width cells; 0 is no limit.
func wrap(s string, width int) []string {
	if width <= 0 {
		return []string{s}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		switch {
		case line == "":
			line = word
		case ansi.StringWidth(line)+1+ansi.StringWidth(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// bits writes bits/s, bytes an amount: three digits and a unit.
func bits(n float64) string   { return scaled(n, 1000, "b/s", "kb/s", "Mb/s", "Gb/s", "Tb/s") }
func bytes(n float64) string  { return scaled(n, 1000, "B", "kB", "MB", "GB", "TB") }
func number(n float64) string { return strings.TrimSpace(scaled(n, 1000, "", "k", "M", "G", "T")) }

func scaled(n, base float64, units ...string) string {
	i := 0
	for n >= base*0.9995 && i < len(units)-1 {
		n /= base
		i++
	}
	digits := 0
	switch {
	case i == 0 && n == float64(int64(n)):
	case n < 9.995:
		digits = 2
	case n < 99.95:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, n, units[i])
}

// age writes how long something has been: 42s, 12:09, 3:12:09, 5d04h.
func age(d time.Duration) string {
	secs := int(d / time.Second)
	switch {
	case secs < 60:
		return fmt.Sprintf("%ds", secs)
	case secs < 3600:
		return fmt.Sprintf("%d:%02d", secs/60, secs%60)
	case secs < 86400:
		return fmt.Sprintf("%d:%02d:%02d", secs/3600, secs/60%60, secs%60)
	}
	return fmt.Sprintf("%dd%02dh", secs/86400, secs/3600%24)
}

// JSON makes a JSON text safe for a terminal without changing its meaning: only strings
// need escaping, and \u can express every character.
func JSON(text string) string {
	if strings.IndexFunc(text, unsafe) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case !unsafe(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}
