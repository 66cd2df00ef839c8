package rtmpserver

import (
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/accesslog"
)

// lineOf is a session's line in a format at a time.
func lineOf(t *testing.T, format string, s *session, now accesslog.Time) string {
	t.Helper()
	f, err := accesslog.Compile(format, sessionVariable)
	if err != nil {
		t.Fatal(err)
	}
	return string(f(nil, s, now))
}

func TestSessionTimes(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1e9, 0)
	for d, want := range map[time.Duration]string{
		0:                           "0 0s",
		-time.Hour:                  "-3600 0s", // the clock was set
		59*time.Second + 999e6:      "59 59s",
		time.Minute:                 "60 1m 0s",
		time.Hour + time.Second:     "3601 1h 0m 1s",
		26*time.Hour + 61*1e9:       "93661 1d 2h 1m 1s",
		100*24*time.Hour + 1500*1e6: "8640001 100d 0h 0m 1s",
	} {
		if got := lineOf(t, "$session_time $session_readable_time", &session{started: begin}, accesslog.Time{Time: begin.Add(d)}); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

func TestSessionsHaveNoOtherVariables(t *testing.T) {
	t.Parallel()
	if _, err := sessionVariable("status"); err == nil {
		t.Error("$status is a variable of sessions")
	}
}
