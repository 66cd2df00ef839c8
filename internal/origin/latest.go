package origin

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
)

// errNoRecording ends a slate that has nothing to show.
var errNoRecording = errors.New("there is no recording")

// playRecording shows the newest finished recording of the stream. What is being recorded
// is finished first: it is the newest then.
func (s *slate) playRecording(ctx context.Context) error {
	st := s.publication.stream
	st.outputs.apply(st.app.Config(st.name))
	if err := st.outputs.ended(ctx, recordKind.Name); err != nil {
		return err
	}
	path := st.app.latestRecording(st.name)
	if path == "" {
		return errNoRecording
	}
	s.publication.log.Info("latest recording is shown", zap.String("path", path))
	return s.playFile(ctx, path)
}

// latestRecording is the newest of all recorders of a stream; empty: there is none.
func (a *Application) latestRecording(stream string) (path string) {
	cfg := a.Config(stream)
	var newest time.Time
	for i := range cfg.Records {
		file, ended := a.origin.files.Latest(&cfg.Records[i], a.name, stream)
		if file != "" && ended.After(newest) {
			path, newest = file, ended
		}
	}
	return path
}

// ended waits until no output of a kind that was stopped writes any more.
func (o *outputs) ended(ctx context.Context, kind string) error {
	o.mu.Lock()
	var waits []<-chan struct{}
	for key, ended := range o.last {
		if key.kind == kind {
			waits = append(waits, ended)
		}
	}
	o.mu.Unlock()
	for _, ended := range waits {
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
