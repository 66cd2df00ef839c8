package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/listen"
)

// inherit takes over the sockets that the service manager passes on.
func (in *instance) inherit() {
	var tell func(string, ...int)
	if in.notify.socket != "" {
		tell = in.notify.send
	}
	var errs []error
	in.hold, errs = listen.Inherit(tell)
	for _, err := range errs {
		in.log.Warn("socket activation", zap.Error(err))
	}
}

// statusEvery is how old the line of systemctl status may be. It costs a snapshot, as
// a scrape of the metrics does.
const statusEvery = 15 * time.Second

// inform tells the service manager until ctx ends what the server does (STATUS=), and
// that it works (WATCHDOG=1): the loop that looks at each stream once a second takes
// every lock that matters, so it stands still when one is never given back.
func (in *instance) inform(ctx context.Context) {
	if in.notify.socket == "" {
		return
	}
	limit := watchdog(os.Getenv)
	every := statusEvery
	if limit > 0 {
		every = min(every, limit/4)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	said, next := "", time.Now()
	for {
		if limit > 0 && time.Since(in.server.Examined()) < limit/2 {
			in.notify.send("WATCHDOG=1")
		}
		if now := time.Now(); !now.Before(next) {
			next = now.Add(statusEvery - every/2)
			if line := statusLine(in.server.Snapshot()); line != said {
				in.notify.send("STATUS=" + line)
				said = line
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// statusLine is what systemctl status shows: what goes on, and what needs somebody.
func statusLine(s *api.Snapshot) string {
	publishers, players, viewers := 0, 0, 0
	for _, srv := range s.Servers {
		for _, app := range srv.Applications {
			for i := range app.Streams {
				st := &app.Streams[i]
				viewers += st.Viewers
				for _, c := range st.Clients {
					if c.Publishing {
						publishers++
					} else {
						players++
					}
				}
			}
		}
	}
	parts := []string{
		counted(publishers, "publisher"), counted(players, "RTMP player"), counted(viewers, "viewer"),
		fmt.Sprintf("%.1f Mb/s in, %.1f Mb/s out over RTMP", float64(s.BwIn)/1e6, float64(s.BwOut)/1e6),
	}
	if len(s.Findings) > 0 { // the most important one
		parts = append(parts, s.Findings[0].Name+": "+s.Findings[0].Advice)
	}
	return strings.ReplaceAll(strings.Join(parts, ", "), "\n", " ")
}

// counted is n of a thing, in words.
func counted(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
