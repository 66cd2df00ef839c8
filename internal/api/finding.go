package api

import (
	"fmt"
	"time"

	"github.com/rtmpd/rtmpd/internal/doctor"
)

// The names of findings about the server itself. A finding exists as long as its cause.
const (
	FindingOutputFailing   = "output_failing"    // an output of a stream can't write
	FindingHookDown        = "hook_down"         // a hook gives no answer
	FindingKeysFileFailing = "keys_file_failing" // a stream_keys_file can't be used
	FindingReloadFailed    = "reload_failed"     // the newest configuration was rejected
)

// FindingNames are the findings about the server itself.
func FindingNames() []string {
	return []string{FindingOutputFailing, FindingHookDown, FindingKeysFileFailing, FindingReloadFailed}
}

// NewOutputFailing returns the finding for an output that can't write since then.
func NewOutputFailing(output, why string, since time.Time) doctor.Finding {
	return finding(FindingOutputFailing, doctor.Error, since, "%s fails, the stream goes on without it: %s", output, why)
}

// Examine sets Findings from the other fields.
func (s *Snapshot) Examine() {
	var out []doctor.Finding
	for _, h := range s.HooksDown {
		who := "rtmp"
		if h.Application != "" {
			who = fmt.Sprintf("application %q", h.Application)
		}
		out = append(out, finding(FindingHookDown, doctor.Error, h.Since,
			"%s of %s gives no answer (%d calls so far): %s", h.Hook, who, h.Calls, h.Error))
	}
	for _, f := range s.KeysFailing {
		out = append(out, finding(FindingKeysFileFailing, doctor.Warning, f.Since,
			"stream_keys_file %s can't be used, the keys that were read from it before stay in force: %s", f.Path, f.Error))
	}
	if r := &s.Reload; !r.Successful && r.Error != "" {
		out = append(out, finding(FindingReloadFailed, doctor.Warning, r.FailingSince,
			"the configuration has a mistake, the one before it stays in force (rtmpd check says more): %s", r.Error))
	}
	s.Findings = out
}

func finding(name, level string, since time.Time, format string, args ...any) doctor.Finding {
	return doctor.Finding{Name: name, Level: level, Advice: fmt.Sprintf(format, args...), Since: since, Count: 1}
}
