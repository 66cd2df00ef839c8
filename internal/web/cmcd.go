package web

import (
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/internal/cmcd"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// A Reporter is an Audience that wants to know what players say of themselves.
type Reporter interface {
	// Report takes what a player said with its request for a live file.
	Report(f segstore.File, r *cmcd.Report, addr netip.Addr, agent string, now time.Time)
}

// said reads what a player says of itself, in the query or in headers.
func (x *exchange) said() (r cmcd.Report, ok bool) {
	if strings.Contains(x.r.URL.RawQuery, cmcd.Parameter+"=") {
		r, ok = cmcd.FromQuery(x.r.URL.RawQuery)
	}
	for _, name := range cmcd.Headers {
		for _, line := range x.r.Header[name] {
			r.Add(line)
			ok = true
		}
	}
	return r, ok
}

// tellSaid hands that on, of a request that was answered with the file.
func (x *exchange) tellSaid(lf *segstore.File, said *cmcd.Report) {
	to, can := x.site.deps.Audience.(Reporter)
	if status := x.code(); !can || status >= 300 && status != http.StatusNotModified {
		return
	}
	agent := ""
	if line := x.r.Header["User-Agent"]; len(line) > 0 {
		agent = line[0]
	}
	to.Report(*lf, said, x.client, agent, x.start)
}
