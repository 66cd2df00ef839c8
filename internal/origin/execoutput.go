package origin

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/hooks"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
	"github.com/rtmpd/rtmpd/internal/output"
)

// execKind is the exec blocks of kind push: programs that run while a stream lives,
// through its reconnect_grace. The other kinds of exec are no outputs (execs.go).
var execKind = OutputKind{
	Name:   "exec",
	Remote: true,
	Blocks: func(a *config.Application, stream string) map[string]any {
		all := make(map[string]any)
		for _, e := range a.Execs {
			if selects(e, "push", stream) {
				all[e.Name] = e
			}
		}
		return all
	},
	Open: func(st *Stream, block any) (Output, error) {
		return &execOutput{stream: st, block: block.(config.Exec)}, nil
	},
}

// An execOutput is one exec block of kind push of one stream.
type execOutput struct {
	stream *Stream
	block  config.Exec

	mu      sync.Mutex
	program *hooks.Kept
}

// Run implements Output. It returns when the stream ends and leaves the program to end
// after it: the next stream of that name must not wait for all that a program does last.
func (e *execOutput) Run(ctx context.Context, cur *live.Cursor) error {
	st := e.stream
	c := hooks.Command{Exec: e.block, Values: st.values(), Log: st.log()}
	program := st.app.execs.keep(execKey{kind: e.block.Kind, name: e.block.Name, stream: st.name}, c, nil)
	e.mu.Lock()
	e.program = program
	e.mu.Unlock()
	defer program.Stop()
	buf := make([]*media.Packet, 64)
	for {
		n, _, err := cur.Next(ctx, buf)
		clear(buf[:n])
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// State implements Output.
func (e *execOutput) State() output.State {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.program == nil {
		return output.State{}
	}
	return e.program.State()
}
