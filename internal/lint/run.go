package lint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what Run does.
type Options struct {
	URL       string
	Duration  time.Duration // how long live streams are followed
	UserAgent string
	// Progress is called now and then, from one goroutine; nil: never.
	Progress func(Progress)

	transport http.RoundTripper // of tests
}

// Progress is what a run has done so far.
type Progress struct {
	Elapsed      time.Duration
	Checked      Checked
	Must, Should int // findings; Should counts advice too
}

// maxFollowed is how many playlists are followed at the same time.
const maxFollowed = 16

// grace is how long requests that are under way at the end of a run may take.
const grace = 20 * time.Second

// ErrNothing says that the URL has no playlist and no manifest.
var ErrNothing = errors.New("it is neither an HLS playlist nor a DASH manifest")

// A run is one call of Run.
type run struct {
	Options
	*collector
	fetch *fetcher
	end   time.Time
	// media holds back segments: they are large.
	media chan struct{}
	board board

	playlists, updates, segments, parts atomic.Int64
}

// Run examines the stream at a URL. The error is about the URL, or from ctx; whatever is
// wrong with the stream is in the report.
func Run(ctx context.Context, o Options) (*Report, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", clip(o.URL), errors.Unwrap(err))
	}
	r := &run{
		Options: o, collector: newCollector(), fetch: newFetcher(u, o.transport, o.UserAgent),
		media: make(chan struct{}, 2),
	}
	r.end = r.start.Add(o.Duration)
	within, cancel := context.WithDeadline(ctx, r.end.Add(grace))
	defer cancel()
	stop := r.tell(ctx)
	defer stop()
	kind, err := r.examine(within, u)
	if err != nil {
		return nil, err
	}
	report := r.report()
	report.URL, report.Kind, report.Checked = u.Redacted(), kind, r.checked()
	return report, ctx.Err()
}

func (r *run) checked() Checked {
	return Checked{
		Playlists: int(r.playlists.Load()), Updates: int(r.updates.Load()), Segments: int(r.segments.Load()), Parts: int(r.parts.Load()),
		Requests: r.fetch.requests.Load(), Bytes: r.fetch.bytes.Load(),
	}
}

// tell calls Progress twice a second until stop.
func (r *run) tell(ctx context.Context) (stop func()) {
	if r.Progress == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.mu.Lock()
				p := r.progress
				r.mu.Unlock()
				p.Elapsed, p.Checked = time.Since(r.start), r.checked()
				r.Progress(p)
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// examine finds out what is at u and follows it.
func (r *run) examine(ctx context.Context, u *url.URL) (kind string, err error) {
	first, err := r.fetch.get(ctx, request{url: u, limit: maxPlaylist})
	if err != nil {
		return "", fmt.Errorf("%s: %w", clip(u.Redacted()), err)
	}
	if first.status != http.StatusOK {
		return "", fmt.Errorf("%s: %d %s", clip(u.Redacted()), first.status, http.StatusText(first.status))
	}
	head := first.body[:min(len(first.body), 1024)]
	if bytes.Contains(head, []byte("<MPD")) || mediaType(first.header) == "application/dash+xml" {
		r.followMPD(ctx, first)
		return "dash", nil
	}
	if !bytes.Contains(head, []byte("#EXTM3U")) {
		return "", fmt.Errorf("%s: %w", clip(u.Redacted()), ErrNothing)
	}
	p := parsePlaylist(first.body)
	if p.multivariant == nil {
		f := newFollower(r, first.url, false)
		f.follow(ctx, first)
		return f.kind(), nil
	}
	return r.followAll(ctx, first, p), nil
}

// sleep waits for d, at most until the end of the run; false: the run ends.
func (r *run) sleep(ctx context.Context, d time.Duration) bool {
	if left := time.Until(r.end); left < d {
		d = left
	}
	if d > 0 {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil && time.Now().Before(r.end)
}

// resolve finds what a playlist refers to.
func resolve(base *url.URL, uri string) (*url.URL, error) {
	u, err := base.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("%s is no URI", quote(uri))
	}
	return u, nil
}
