// Package top shows a running server in a terminal: publishers and how well
// they are, players and viewers, HTTP requests and the paths they are for.
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

// Options say what Run shows and where.
type Options struct {
	// Source asks the server.
	Source func(context.Context) (*api.Snapshot, error)
	// Interval is between two frames; at least 100 ms.
	Interval time.Duration
	In       io.Reader
	Out      io.Writer
}

const minInterval = 100 * time.Millisecond

// Once writes one frame of plain text, as wide and as long as it needs. It
// looks twice, an interval apart: rates are differences.
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

// Run fills the terminal until q is pressed or ctx ends. That the server does
// not answer at the start is an error; later it is shown, and asked again.
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
