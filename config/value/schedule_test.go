package value

import (
	"testing"
	"time"
)

func TestASchedulesHours(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hours string
		at    string // in Berlin; 2031-01-06 is a Monday
		open  bool
	}{
		{"Mon-Fri 20:00-23:00 Europe/Berlin", "2031-01-06 20:00", true},
		{"Mon-Fri 20:00-23:00 Europe/Berlin", "2031-01-06 19:59", false},
		{"Mon-Fri 20:00-23:00 Europe/Berlin", "2031-01-06 22:59", true},
		{"Mon-Fri 20:00-23:00 Europe/Berlin", "2031-01-06 23:00", false},
		{"mon-fri 20:00-23:00 Europe/Berlin", "2031-01-11 21:00", false}, // a Saturday
		{"Mon-Fri 20:00-23:00 UTC", "2031-01-06 20:30", false},
		{"Mon-Fri 20:00-23:00 UTC", "2031-01-06 21:30", true},
		{"Sat,Sun 18:00-02:00 Europe/Berlin", "2031-01-11 01:00", false}, // Friday's night
		{"Sat,Sun 18:00-02:00 Europe/Berlin", "2031-01-12 01:00", true},
		{"Sat,Sun 18:00-02:00 Europe/Berlin", "2031-01-13 01:59", true},
		{"Sat,Sun 18:00-02:00 Europe/Berlin", "2031-01-13 02:00", false},
		{"Fri-Mon 9:00-10:00 Europe/Berlin", "2031-01-12 09:30", true},
		{"Fri-Mon 9:00-10:00 Europe/Berlin", "2031-01-07 09:30", false},
		{"00:00-24:00 Europe/Berlin", "2031-01-07 23:59", true},
		{"06:00-06:00 Europe/Berlin", "2031-01-07 05:00", true}, // around the clock
		{"Sun 00:00-24:00 Europe/Berlin", "2031-01-13 00:00", false},
		// The clock goes from 02:00 to 03:00 there, and in October from 03:00 to 02:00.
		{"01:30-02:30 Europe/Berlin", "2031-03-30 03:00", false},
		{"02:00-03:00 Europe/Berlin", "2031-10-26 02:59", true},
	} {
		h, err := ParseHours(c.hours)
		if err != nil {
			t.Errorf("%q: %v", c.hours, err)
			continue
		}
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Schedule{h}).Open(at.UTC()); got != c.open {
			t.Errorf("%q at %s: open %t", c.hours, c.at, got)
		}
	}
	if !(Schedule(nil)).Open(time.Now()) {
		t.Error("no schedule is not always")
	}
	for _, bad := range []string{"", "20:00", "Mon", "Mon 20-23", "Someday 20:00-23:00", "Mon- 20:00-21:00", "24:00-01:00", "20:60-21:00", "25:00-26:00", "20:00-23:00 Berlin", "20:00-23:00 Local", "20:00-23:00 ../../etc/passwd", "20:00 - 23:00"} {
		if _, err := ParseHours(bad); err == nil {
			t.Errorf("%q is a time of the week", bad)
		}
	}
}
