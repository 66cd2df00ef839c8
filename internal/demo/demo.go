// Package demo publishes the built-in test card: it streams a clip in real time, in a
// loop.
package demo

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/output"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

const (
	// late is how far publishing may fall behind the clock (a laptop that slept).
	// Beyond it, publishing continues from now instead of catching up.
	late = 2 * time.Second
	// patience is the timeout for reads and writes.
	patience = 30 * time.Second
	// finishTime bounds the time for unpublishing at the end.
	finishTime = time.Second
)

// Publish streams the test card to rawURL (rtmp[s]://host[:port]/app/stream; the
// last path segment and the query are the stream's name) until ctx ends, and
// connects again when the connection is lost or refused. log may be nil.
//
// Errors: of rawURL; nil once ctx has ended.
func Publish(ctx context.Context, rawURL string, log *zap.Logger) error {
	card, err := readClip(testcard)
	if err != nil {
		return fmt.Errorf("test card: %w", err)
	}
	return publish(ctx, rawURL, card, log)
}

// PublishAt is Publish with so many bits/s at least: its pictures are filled up.
func PublishAt(ctx context.Context, rawURL string, bitsPerSecond int, log *zap.Logger) error {
	card, err := readClip(testcard)
	if err != nil {
		return fmt.Errorf("test card: %w", err)
	}
	card.fill(bitsPerSecond)
	return publish(ctx, rawURL, card, log)
}

func publish(ctx context.Context, rawURL string, card clip, log *zap.Logger) error {
	if log == nil {
		log = zap.NewNop()
	}
	server, name, err := split(rawURL)
	if err != nil {
		return fmt.Errorf("test card: %w", err)
	}
	var pause output.Backoff
	for ctx.Err() == nil {
		began := time.Now()
		err := session(ctx, server, name, card)
		if ctx.Err() != nil {
			break
		}
		pause.Ran(time.Since(began))
		wait := pause.Next()
		log.Warn("test card: publishing again", zap.Error(err), zap.Int64("wait_ms", wait.Milliseconds()))
		if !sleep(ctx, wait) {
			break
		}
	}
	return nil
}

// split separates a URL into the application's and the stream's name with its query.
func split(rawURL string) (server, name string, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", "", fmt.Errorf("the URL: %w", err)
	}
	dir, name := path.Split(u.Path)
	if name == "" || dir == "/" || dir == "" {
		return "", "", fmt.Errorf("%s names no application and stream", u.Redacted())
	}
	if u.RawQuery != "" {
		name += "?" + u.RawQuery
	}
	u.Path, u.RawPath, u.RawQuery = path.Clean(dir), "", ""
	return u.String(), name, nil
}

// session publishes over one connection until that or ctx ends.
func session(ctx context.Context, server, name string, card clip) error {
	c, err := rtmp.Dial(ctx, server, rtmp.ClientOptions{Options: rtmp.Options{Timeout: patience, Ping: patience, PingTimeout: patience}})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Publish(ctx, name); err != nil {
		return err
	}

	// Reading answers the server's pings. When it fails, the session ends.
	reading, stop := context.WithCancelCause(ctx)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for {
			if _, err := c.ReadMessage(); err != nil {
				stop(err)
				return
			}
		}
	}()
	err = play(reading, card, func(m rtmp.Message) error {
		m.StreamID = c.StreamID
		return c.WriteMessage(m)
	}, c.Flush)
	if reading.Err() != nil {
		err = context.Cause(reading)
	}
	if ctx.Err() != nil {
		c.LimitWrites(finishTime)
		_ = c.Unpublish() // the session ends either way
	}
	_ = c.Close() // ends the reading goroutine
	<-read
	stop(nil)
	return err
}

// play writes the headers, then each frame when it is due, until ctx ends or a
// write fails.
func play(ctx context.Context, card clip, write func(rtmp.Message) error, flush func() error) error {
	for _, m := range card.headers {
		if err := write(m); err != nil {
			return err
		}
	}
	start := time.Now()
	for n := 0; ; n++ {
		m, due := card.at(n)
		ahead := time.Until(start.Add(due))
		if ahead < -late {
			start, ahead = time.Now().Add(-due), 0
		}
		if ahead > 0 {
			if err := flush(); err != nil {
				return err
			}
			if !sleep(ctx, ahead) {
				return context.Cause(ctx)
			}
		}
		if err := write(m); err != nil {
			return err
		}
	}
}

// sleep waits for d and reports whether ctx is still active.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
