// Package top shows a running server in a terminal: publishers and their health, players
// and viewers, HTTP requests by path.
//
// A frame is text made of two snapshots; the terminal only adds keys.
package top

import (
	"context"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/rtmpd/rtmpd/internal/api"
)

// Options configures Run.
type Options struct {
	// Source polls the server.
	Source func(context.Context) (*api.Snapshot, error)
	// Interval is the time between two frames; at least 100 ms.
	Interval time.Duration
	In       io.Reader
	Out      io.Writer
}

const minInterval = 100 * time.Millisecond

// Once writes one frame of plain text without limits of size. It polls twice, an interval
// apart, because rates are differences.
func Once(ctx context.Context, o Options) error {
	var v View
	for i := range 2 {
		if i > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(max(o.Interval, minInterval)):
			}
		}
		s, err := o.Source(ctx)
		if err != nil {
			return err
		}
		v.See(s, time.Now())
	}
	_, err := io.WriteString(o.Out, v.Frame(0, 0))
	return err
}

// Run shows frames until q is pressed or ctx ends. If the server does not answer at the
// start, Run returns an error; later it shows the error and polls again.
func Run(ctx context.Context, o Options) error {
	first, err := o.Source(ctx)
	if err != nil {
		return err
	}
	m := model{ctx: ctx, source: o.Source, interval: max(o.Interval, minInterval)}
	m.view.See(first, time.Now())
	m.view.Keys = true
	_, err = tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out)).Run()
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("terminal: %w", err)
	}
	return nil
}
