package origin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/output"
)

// An Output is what a stream is turned into: one block of the configuration at
// work on one stream.
type Output interface {
	// Run reads cur, which begins at the newest keyframe, until the stream ends or
	// ctx does. After an error it is opened anew, with back-off; the stream goes on
	// without it meanwhile.
	Run(ctx context.Context, cur *live.Cursor) error
	// State may be called from any goroutine.
	State() output.State
}

// A Reconfigurer is an Output that takes a changed block while it runs, at the
// next keyframe, with nothing lost. Others are ended and begun anew.
type Reconfigurer interface {
	Output
	// Reconfigure must not block. After an error the output keeps its old block.
	Reconfigure(block any) error
}

// An OutputKind is a row in the table of outputs.
type OutputKind struct {
	Name string // of the block
	// Blocks are those of a stream, which sees the application as config has it, by
	// their label; "" for a block without.
	Blocks func(config *config.Application, stream string) map[string]any
	// Rung, if there is one, makes of a block that of a rendition (ladder.go). The outputs
	// of a kind without it see track 0.
	Rung func(block any, r rung) any
	// Remote: it depends on another server or program, whose failures do not make this
	// one unhealthy.
	Remote bool
	// Open makes the output of a block for st. It writes nothing yet.
	Open func(st *Stream, block any) (Output, error)
}

// outputKinds are the outputs there are.
var outputKinds = []OutputKind{hlsKind, dashKind, pushKind, recordKind, execKind}

// A supervised output is opened, run, and opened anew after an error.
type supervised struct {
	kind   *OutputKind
	label  string
	log    *zap.Logger
	stop   context.CancelCauseFunc
	opened chan struct{} // closed by first after the first attempt to open it
	first  sync.Once
	ended  chan struct{}

	mu     sync.Mutex
	block  any
	output Output       // nil: it has not begun, or could not be opened
	state  output.State // while there is no output
}

// title is how logs and findings call it.
func (s *supervised) title() string {
	if s.label == "" {
		return s.kind.Name
	}
	return fmt.Sprintf("%s %q", s.kind.Name, s.label)
}

// run keeps the output going until the stream ends or ctx does.
func (s *supervised) run(ctx context.Context, st *Stream, cur *live.Cursor) {
	defer s.first.Do(func() { close(s.opened) })
	var pause output.Backoff
	for {
		began := time.Now()
		err := s.once(ctx, st, cur)
		if err == nil || ctx.Err() != nil || errors.Is(err, context.Canceled) {
			return
		}
		pause.Ran(time.Since(began))
		wait := pause.Next()
		s.mu.Lock()
		s.state.Fail(err.Error(), time.Now())
		s.state.Retry = time.Now().Add(wait)
		s.mu.Unlock()
		s.log.Error(s.title()+" output failed", zap.String("finding", api.FindingOutputFailing), zap.Error(err), zap.Duration("retry_in", wait))
		retry := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			retry.Stop()
			return
		case <-retry.C:
		}
	}
}

// once opens the output and runs it.
func (s *supervised) once(ctx context.Context, st *Stream, cur *live.Cursor) error {
	s.mu.Lock()
	out, err := s.kind.Open(st, s.block)
	if err == nil {
		s.output = out
	} else {
		s.state.Fail(err.Error(), time.Now())
	}
	s.mu.Unlock()
	s.first.Do(func() { close(s.opened) })
	if err != nil {
		return err
	}
	err = out.Run(ctx, cur)
	s.mu.Lock()
	s.state = out.State()
	s.output = nil
	s.mu.Unlock()
	return err
}

// reconfigure gives the output its changed block, if it can take one while it
// runs. If it can't, it must be begun anew.
func (s *supervised) reconfigure(block any) (taken bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.output == nil { // it reads the block when it is opened
		s.block = block
		return true
	}
	out, ok := s.output.(Reconfigurer)
	if !ok {
		return false
	}
	s.block = block
	if err := out.Reconfigure(block); err != nil {
		s.log.Error(s.title()+" output keeps its old settings", zap.Error(err))
		return true
	}
	s.log.Info(s.title() + " output changes at the next keyframe")
	return true
}

// now returns the output, nil if there is none, and how it is.
func (s *supervised) now() (Output, output.State) {
	s.mu.Lock()
	out, state := s.output, s.state
	s.mu.Unlock()
	if out == nil {
		return nil, state
	}
	shown := out.State()
	return out, shown
}
