package segmenter

import "time"

const (
	sec = time.Second
	ms  = time.Millisecond
)

// testStart is when every test begins.
var testStart = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// targetFor is the TARGETDURATION of a playlist whose first fragment is first long,
// as HLS rounds it.
func targetFor(fragment, first time.Duration) int {
	return max(int((fragment+time.Second-1)/time.Second), int((first+time.Second/2)/time.Second), 1)
}

// limitFor is the longest duration that rounds to at most target seconds.
func limitFor(target int) time.Duration {
	return time.Duration(target)*time.Second + 499*time.Millisecond
}
