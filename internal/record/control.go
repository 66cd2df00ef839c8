package record

import (
	"context"
	"errors"
)

// An order is a start or stop by control.
type order struct {
	start  bool
	answer chan answer
}

type answer struct {
	path string
	err  error
}

// Start opens a file, in which the recording begins with the next keyframe, and
// returns its path; empty if there is one already. Stop closes it, and returns
// its path; empty if there is none. A recorder that is not manual goes on in
// another file after a Stop. Errors: what keeps the file from being opened;
// ctx's; a recorder that has ended.
func (r *Recorder) Start(ctx context.Context) (path string, err error) { return r.order(ctx, true) }

// Stop is described at Start.
func (r *Recorder) Stop(ctx context.Context) (path string, err error) { return r.order(ctx, false) }

// ErrEnded is the error of a Recorder whose stream has ended.
var ErrEnded = errors.New("the recorder has ended")

func (r *Recorder) order(ctx context.Context, start bool) (string, error) {
	o := order{start, make(chan answer, 1)}
	r.mu.Lock()
	r.orders = append(r.orders, o)
	if r.interrupt != nil {
		r.interrupt()
	}
	r.mu.Unlock()
	select {
	case a := <-o.answer:
		return a.path, a.err
	case <-r.done:
		return "", ErrEnded
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// begin executes a start.
func (r *Recorder) begin() (string, error) {
	if r.file != nil {
		return "", nil
	}
	if err := r.open(); err != nil {
		r.failed(err)
		return "", err
	}
	r.armed, r.closed = false, false
	return r.file.path, nil
}

// end executes a stop.
func (r *Recorder) end() string {
	r.settle()
	if r.file == nil {
		if r.cfg.Manual { // one that could not write tries no longer
			r.armed = false
			r.show()
		}
		return ""
	}
	path, empty := r.file.path, r.file.w.Empty()
	r.close()
	r.armed, r.closed = false, !r.cfg.Manual
	if empty {
		return ""
	}
	return path
}
