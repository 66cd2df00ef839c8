package progressive

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

// quiet is how long a viewer of events is sent nothing at most: then it gets an empty line,
// so that nothing on the way takes it for gone.
const quiet = 15 * time.Second

// runEvents sends onMetaData as it is and whenever it is another one, then each data
// message as it comes: a line of JSON each.
//
//	{"time":1480,"type":"onTextData","data":{"text":"…"}}
func (r *Reader) runEvents(ctx context.Context, to Sink) error {
	var (
		buf  = make([]*media.Packet, readAhead)
		meta *live.Metadata
		one  [1][]byte
		at   = r.source.Live.Snapshot().LastDTS
	)
	send := func(line []byte) error {
		if line == nil {
			return nil
		}
		one[0] = line
		return to.Send(one[:])
	}
	for {
		if now := r.source.Live.Metadata(); now != meta {
			meta = now
			if err := send(Event(at, metadataFor(meta, r.source.Meta))); err != nil {
				return err
			}
		}
		n, silent, err := r.nextEvents(ctx, buf)
		for _, p := range buf[:n] {
			if at = p.DTS; p.Track.Kind == media.Data {
				if err := send(Event(at, p.Tag)); err != nil {
					return err
				}
			}
		}
		clear(buf)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case silent:
			if err := send([]byte("\n")); err != nil {
				return err
			}
		}
	}
}

// nextEvents reads what came; silent: nothing did for some time.
func (r *Reader) nextEvents(ctx context.Context, buf []*media.Packet) (n int, silent bool, err error) {
	wait, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	n, _, err = r.cursor.Next(wait, buf)
	if n == 0 && err != nil && ctx.Err() == nil && wait.Err() != nil {
		return 0, true, nil
	}
	return n, false, err
}
