package value

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// Schedule is times of the week: "Mon-Fri 20:00-23:00 Europe/Berlin". Nil is always.
type Schedule []Hours

// Hours are a part of some days of the week.
type Hours struct {
	Text string         // as it was written
	days uint8          // a bit for each day on which it begins, Sunday first
	from int            // minutes of the day
	long int            // minutes; it may end on the next day
	zone *time.Location // nil: that of the server
}

// Open reports whether a moment is in the schedule.
func (s Schedule) Open(now time.Time) bool {
	if s == nil {
		return true
	}
	for i := range s {
		if s[i].open(now) {
			return true
		}
	}
	return false
}

const day = 24 * 60 // minutes

// open goes by the clock on the wall: an hour that a change of the clock repeats is there
// twice.
func (h *Hours) open(now time.Time) bool {
	if h.zone != nil {
		now = now.In(h.zone)
	} else {
		now = now.Local()
	}
	at := now.Hour()*60 + now.Minute()
	today := int(now.Weekday())
	begins := func(d int) bool { return h.days&(1<<((d+7)%7)) != 0 }
	return begins(today) && at >= h.from && at < h.from+h.long ||
		begins(today-1) && at+day < h.from+h.long
}

var hoursForm = regexp.MustCompile(`^(?:([A-Za-z,-]+) +)?(\d\d?):(\d\d)-(\d\d?):(\d\d)(?: +(\S+))?$`)

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseHours reads "[DAYS] HH:MM-HH:MM [ZONE]". An end that is not after the beginning is
// on the next day.
func ParseHours(s string) (h Hours, err error) {
	m := hoursForm.FindStringSubmatch(s)
	if m == nil {
		return h, fmt.Errorf("%q is no time of the week: write \"Mon-Fri 20:00-23:00\", \"Sat,Sun 18:00-02:00 Europe/Berlin\" or \"06:00-22:00\"", s)
	}
	h.Text, h.days = s, 1<<7-1
	if m[1] != "" {
		if h.days, err = parseDays(m[1]); err != nil {
			return h, err
		}
	}
	var until int
	if h.from, err = minutes(m[2], m[3]); err == nil {
		until, err = minutes(m[4], m[5])
	}
	switch {
	case err != nil:
		return h, err
	case h.from == day:
		return h, fmt.Errorf("%q: the day begins at 00:00", s)
	}
	if h.long = until - h.from; h.long <= 0 {
		h.long += day
	}
	if m[6] != "" {
		if h.zone, err = time.LoadLocation(m[6]); err != nil || m[6] == "Local" {
			return h, fmt.Errorf("%q is no time zone: write a name such as Europe/Berlin, or UTC", m[6])
		}
	}
	return h, nil
}

func minutes(hour, minute string) (int, error) {
	h, _ := strconv.Atoi(hour) // two digits
	m, _ := strconv.Atoi(minute)
	if m > 59 || h*60+m > day {
		return 0, fmt.Errorf("%s:%s is no time of the day", hour, minute)
	}
	return h*60 + m, nil
}

// parseDays reads "Mon-Fri,Sun".
func parseDays(s string) (days uint8, err error) {
	find := func(name string) int {
		for i, d := range weekdays {
			if strings.EqualFold(d, name) {
				return i
			}
		}
		err = fmt.Errorf("%q is no day of the week: write Mon, Tue, Wed, Thu, Fri, Sat or Sun", name)
		return 0
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, several := strings.Cut(part, "-")
		from := find(first)
		to := from
		if several {
			to = find(last)
		}
		if err != nil {
			return 0, err
		}
		for d := from; ; d = (d + 1) % 7 {
			days |= 1 << d
			if d == to {
				break
			}
		}
	}
	return days, nil
}

// Decode reads a list.
func (s *Schedule) Decode(v cty.Value, _ Context) error {
	list, err := stringsOf(v, false)
	if err != nil {
		return err
	}
	out := make(Schedule, 0, len(list))
	for _, text := range list {
		h, err := ParseHours(text)
		if err != nil {
			return err
		}
		out = append(out, h)
	}
	*s = out
	return nil
}

// Encode is the list.
func (s *Schedule) Encode() cty.Value {
	return encodeList(*s, func(h Hours) string { return h.Text })
}

// Kind is "schedule".
func (s *Schedule) Kind() string { return "schedule" }

// Example is two evenings.
func (s *Schedule) Example() string { return `["Fri,Sat 20:00-02:00 Europe/Berlin"]` }
