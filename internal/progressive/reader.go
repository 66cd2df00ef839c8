package progressive

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/rtmpd/rtmpd/internal/live"
	"github.com/rtmpd/rtmpd/internal/media"
)

// A Sink takes what a viewer is sent. Send blocks until it is on its way, and bounds that
// in time. v and its memory are the Sink's until Send returns.
type Sink interface {
	Send(v [][]byte) error
}

// A muxer makes bytes of packets. It belongs to one goroutine.
type muxer interface {
	take(p *media.Packet) error // as it came
	passed()                    // packets are missing before the next one
	flush() error               // there are no more packets for now
	end() error                 // there are no more packets
}

// A Reader is one viewer of a stream in a format.
type Reader struct {
	source Source
	format *Format
	cursor *live.Cursor
	tracks [2]*media.Track // by media.Kind; nil: the stream has none
	first  []*media.Packet // read to learn the tracks
}

const (
	readAhead = 64 // packets at a time
	// settleTime is how much media may come before a second track appears, maxFirst how
	// many packets.
	settleTime = time.Second
	maxFirst   = 1024
)

// ErrEnded says that the stream has ended before anything could be sent.
var ErrEnded = errors.New("the stream has ended")

// Open begins with the newest keyframe of a stream; without video, with the oldest sound
// that is held. It waits until the stream's tracks are known. The caller closes the Reader.
//
// Errors: *UnfitError, ErrEnded, that of ctx.
func Open(ctx context.Context, s Source, f *Format) (*Reader, error) {
	r := &Reader{source: s, format: f}
	seen := s.Live.Snapshot()
	start := live.FromKeyframe
	switch {
	case f.Events:
		start = live.FromNext
	case seen.Video == nil:
		start = live.FromOldest
	}
	r.cursor = s.Live.Cursor(start, true)
	r.cursor.Prompt()
	if f.Events {
		return r, nil
	}
	r.tracks = [2]*media.Track{seen.Video, seen.Audio}
	if !seen.FirstWrite.IsZero() && time.Since(seen.FirstWrite) > 2*settleTime && r.tracks != [2]*media.Track{} {
		return r.checked()
	}
	if err := r.settle(ctx); err != nil {
		r.Close()
		return nil, err
	}
	return r.checked()
}

func (r *Reader) checked() (*Reader, error) {
	if r.format.Sound {
		r.tracks[media.Video] = nil
		if r.tracks[media.Audio] == nil {
			r.Close()
			return nil, &UnfitError{"this stream has no sound"}
		}
	}
	if err := r.format.Fits(r.tracks[media.Video], r.tracks[media.Audio]); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// settle reads until both tracks have appeared, or no other will.
func (r *Reader) settle(ctx context.Context) error {
	buf := make([]*media.Packet, readAhead)
	for !r.known() {
		n, _, err := r.cursor.Next(ctx, buf)
		for _, p := range buf[:n] {
			if p.Track.ID == 0 && p.Track.Kind <= media.Audio {
				r.tracks[p.Track.Kind] = p.Track
			}
			r.first = append(r.first, p)
		}
		switch {
		case errors.Is(err, io.EOF) && r.tracks != [2]*media.Track{}:
			return nil
		case errors.Is(err, io.EOF):
			return ErrEnded
		case err != nil:
			return err
		}
	}
	return nil
}

// known reports whether all tracks of the stream are known by now.
func (r *Reader) known() bool {
	v, a := r.tracks[media.Video] != nil, r.tracks[media.Audio] != nil
	n := len(r.first)
	return v && a || r.format.Sound && a || n > 0 && (v || a) && (r.first[n-1].DTS-r.first[0].DTS >= settleTime || n >= maxFirst)
}

// Close frees what only the Reader holds of the stream.
func (r *Reader) Close() { r.cursor.Close() }

// ErrRecoded says that the stream is coded in another way now, which the format has no way
// to say: viewers begin again.
var ErrRecoded = errors.New("the stream is coded otherwise from here on")

// Run sends the stream until it ends, which is no error, or ctx or the Sink does. A viewer
// that lags is moved to the newest keyframe.
//
// Errors: ErrRecoded; those of the Sink and of ctx.
func (r *Reader) Run(ctx context.Context, to Sink) error {
	if r.format.Events {
		return r.runEvents(ctx, to)
	}
	m := r.format.open(r, to)
	for _, p := range r.first {
		if err := m.take(p); err != nil {
			return err
		}
	}
	r.first = nil
	if err := m.flush(); err != nil {
		return err
	}
	buf := make([]*media.Packet, readAhead)
	follows := false // it has caught up with the stream
	for {
		n, skipped, err := r.cursor.Next(ctx, buf)
		if skipped > 0 {
			m.passed()
		}
		for _, p := range buf[:n] {
			if err := m.take(p); err != nil {
				return err
			}
		}
		clear(buf)
		switch {
		case errors.Is(err, io.EOF):
			return m.end()
		case err != nil:
			return err
		}
		if err := m.flush(); err != nil {
			return err
		}
		if n < readAhead {
			follows = true
		} else if q := r.source.Queue; follows && q > 0 && r.cursor.Lag() > q {
			r.cursor.Pass()
		}
	}
}
