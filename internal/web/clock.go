package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/dash"
)

// asksTime says whether a player of the live MPD name asks what time it is here
// (UTCTiming: dash.clock without dash.clock_uri). Nobody is counted as a viewer for that.
func asksTime(r *http.Request, name string) bool {
	return r.URL.RawQuery == dash.ClockQuery && strings.HasSuffix(name, ".mpd")
}

// serveTime answers with the time of day (ISO/IEC 23009-1 §5.8.5.7, http-iso). The header
// Date has it as well (http-head).
func (x *exchange) serveTime(l *location) {
	now := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	h := x.Header()
	h["Content-Type"] = typeText
	h["Content-Length"] = []string{strconv.Itoa(len(now))}
	l.setExtra(h)
	h["Cache-Control"] = cacheNoStore
	x.WriteHeader(http.StatusOK)
	if x.r.Method != http.MethodHead {
		_, _ = x.Write([]byte(now))
	}
}
