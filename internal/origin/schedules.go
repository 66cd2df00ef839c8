package origin

import (
	"context"
	"time"

	"github.com/rtmpd/rtmpd/config"
)

// scheduleTick is how often the outputs with a schedule are looked at.
const scheduleTick = time.Second

// keepSchedules begins and ends the outputs whose time has come, until ctx ends.
func (og *Origin) keepSchedules(ctx context.Context) {
	tick := time.NewTicker(scheduleTick)
	defer tick.Stop()
	open := make(map[*Application]string)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			open = og.applySchedules(open, now)
		}
	}
}

// applySchedules compares which blocks are open now with open, and has the streams of the
// applications where that has changed begin and end outputs. It returns what is open.
func (og *Origin) applySchedules(open map[*Application]string, now time.Time) map[*Application]string {
	next := make(map[*Application]string)
	for _, a := range og.applications() {
		cfg := a.rules.Load().cfg
		state := openBlocks(cfg, now)
		if state == "" {
			continue // it has no schedules; a reload that changes that has applied them
		}
		next[a] = state
		if open[a] == state {
			continue
		}
		a.each(func(st *Stream) { st.outputs.apply(cfg.For(st.name)) })
	}
	return next
}

// openBlocks has a letter for each block with a schedule: whether it is open. Empty: there
// is none.
func openBlocks(cfg *config.Application, now time.Time) string {
	var out []byte
	look := func(w *config.When) {
		switch {
		case w.Always():
		case w.Open(now):
			out = append(out, 'o')
		default:
			out = append(out, '-')
		}
	}
	perStream := func(app *config.Application) {
		for i := range app.Pushes {
			look(&app.Pushes[i].When)
		}
		for i := range app.Records {
			look(&app.Records[i].When)
		}
	}
	perStream(cfg)
	for i := range cfg.Streams {
		perStream(cfg.Streams[i].Application)
	}
	return string(out)
}
