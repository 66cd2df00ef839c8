package record

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// strftime expands the conversions of C's strftime in its C locale (POSIX
// strftime, with glibc's %k, %l, %P and %s). What is none stays as it is.
func strftime(format string, t time.Time) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		if layout, ok := layouts(format[i]); ok {
			b.WriteString(t.Format(layout))
			continue
		}
		b.WriteString(conversion(format[i], t))
	}
	return b.String()
}

// layouts are the conversions that are one of package time's layouts.
func layouts(c byte) (string, bool) {
	switch c {
	case 'Y':
		return "2006", true
	case 'y':
		return "06", true
	case 'm':
		return "01", true
	case 'd':
		return "02", true
	case 'e':
		return "_2", true
	case 'H':
		return "15", true
	case 'I':
		return "03", true
	case 'M':
		return "04", true
	case 'S':
		return "05", true
	case 'p':
		return "PM", true
	case 'P':
		return "pm", true
	case 'a':
		return "Mon", true
	case 'A':
		return "Monday", true
	case 'b', 'h':
		return "Jan", true
	case 'B':
		return "January", true
	case 'j':
		return "002", true
	case 'F':
		return "2006-01-02", true
	case 'D', 'x':
		return "01/02/06", true
	case 'T', 'X':
		return "15:04:05", true
	case 'R':
		return "15:04", true
	case 'r':
		return "03:04:05 PM", true
	case 'c':
		return "Mon Jan _2 15:04:05 2006", true
	case 'z':
		return "-0700", true
	case 'Z':
		return "MST", true
	}
	return "", false
}

func conversion(c byte, t time.Time) string {
	year, week := t.ISOWeek()
	sunday, monday := int(t.Weekday()), (int(t.Weekday())+6)%7
	switch c {
	case '%':
		return "%"
	case 'n':
		return "\n"
	case 't':
		return "\t"
	case 's':
		return strconv.FormatInt(t.Unix(), 10)
	case 'C':
		return fmt.Sprintf("%02d", t.Year()/100)
	case 'k':
		return fmt.Sprintf("%2d", t.Hour())
	case 'l':
		return fmt.Sprintf("%2d", (t.Hour()+11)%12+1)
	case 'u':
		return strconv.Itoa(monday + 1)
	case 'w':
		return strconv.Itoa(sunday)
	case 'G':
		return strconv.Itoa(year)
	case 'g':
		return fmt.Sprintf("%02d", year%100)
	case 'V':
		return fmt.Sprintf("%02d", week)
	case 'U': // weeks begin with Sunday
		return fmt.Sprintf("%02d", (t.YearDay()+6-sunday)/7)
	case 'W': // with Monday
		return fmt.Sprintf("%02d", (t.YearDay()+6-monday)/7)
	}
	return "%" + string(c)
}
