package lint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A follower follows one media playlist: a goroutine that loads it again and again, and
// one that loads its segments.
type follower struct {
	*run
	url         *url.URL
	independent bool // the multivariant playlist says that segments are

	last     *mediaPlaylist // nil: none could be read
	body     []byte         // of last
	effort   time.Duration  // what the last version took
	grown    time.Time      // when the newest segment was first seen
	late     bool           // that it is late was said
	failing  bool           // the last request failed
	shelf    shelf
	jobs     chan job
	skipped  int
	lowDelay bool // there are parts
	low      lowLatency

	// segs belongs to the goroutine that loads segments until follow returns.
	segs segmentChecker
	load loader
}

// A job is a segment to load, or a part of it.
type job struct {
	of    facts
	s     *segment // detached
	base  *url.URL
	part  *part // nil: the whole segment
	index int   // of part
}

// facts are what a playlist says of all its segments.
type facts struct {
	target      time.Duration
	independent bool
	ended       bool
}

func (m *mediaPlaylist) facts() facts {
	return facts{m.target, m.independent, m.ended || m.kind != ""}
}

// maxJobs is how many segments may wait. More do not come in time.
const maxJobs = 64

// firstSegments are loaded of a live playlist at the beginning: the newest ones.
const firstSegments = 6

func newFollower(r *run, u *url.URL, independent bool) *follower {
	f := &follower{run: r, url: u, independent: independent, jobs: make(chan job, maxJobs)}
	f.load.f = f
	return f
}

// loadOnce loads the playlist once: what is there, or what comes next.
func (f *follower) loadOnce(ctx context.Context) (*response, error) {
	if f.blocks() {
		return f.loadNext(ctx)
	}
	return f.fetch.get(ctx, request{url: f.url, limit: maxPlaylist})
}

func (f *follower) kind() string {
	if f.lowDelay {
		return "ll-hls"
	}
	return "hls"
}

// add notes faults of the playlist.
func (f *follower) add(faults ...fault) { f.run.add(f.url.Redacted(), faults...) }

// follow follows the playlist until the run ends or the playlist does. first is its first
// version, nil if it is still to be loaded.
func (f *follower) follow(ctx context.Context, first *response) {
	f.playlists.Add(1)
	var wg sync.WaitGroup
	wg.Go(func() { f.loadSegments(ctx) })
	f.poll(ctx, first)
	f.low.probes.Wait()
	close(f.jobs)
	wg.Wait()
	f.finish(ctx)
}

// poll loads the playlist again and again.
func (f *follower) poll(ctx context.Context, r *response) {
	for {
		if r == nil {
			var err error
			if r, err = f.loadOnce(ctx); err != nil {
				if ctx.Err() != nil || !time.Now().Before(f.end) {
					return
				}
				if !errors.Is(err, errSaid) {
					f.unavailable(err.Error())
				}
			}
		}
		if r != nil {
			f.take(ctx, r)
		}
		if f.last != nil && f.last.ended {
			return
		}
		if !f.sleep(ctx, f.interval()) {
			return
		}
		f.probe(ctx)
		r = nil
	}
}

// interval is the time between two loads. Players wait a target duration, half of one
// when nothing was new (RFC 8216 §6.3.4); looking more often tells more.
func (f *follower) interval() time.Duration {
	switch {
	case f.last == nil:
		return 2 * time.Second
	case f.blocks():
		return f.effort // the server waits for something new
	}
	// However large a playlist is, it does not keep a core busy.
	return max(min(max(f.last.target/3, 500*time.Millisecond), 3*time.Second), 4*f.effort)
}

func (f *follower) unavailable(why string) {
	if !f.failing {
		f.add(fault{rule: "playlist-unavailable", says: why})
	}
	f.failing = true
}

// take takes a version of the playlist.
func (f *follower) take(ctx context.Context, r *response) {
	if r.status != http.StatusOK {
		f.unavailable(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)))
		return
	}
	f.failing = false
	f.updates.Add(1)
	if f.last != nil && bytes.Equal(r.body, f.body) {
		f.answered(f.last)
		f.age(f.last, r)
		f.shelve(ctx, f.last, r)
		return
	}
	begun := time.Now()
	defer func() { f.effort = time.Since(begun) }()
	p := parsePlaylist(r.body)
	m := p.media
	if m == nil {
		if f.last != nil && p.multivariant == nil {
			f.add(fault{rule: "playlist-atomic", says: fmt.Sprintf("%d bytes that are no playlist", len(r.body))})
			return
		}
		f.add(p.take()...)
		if p.multivariant != nil {
			f.add(fault{rule: "variant-playlist", says: "it is a multivariant playlist"})
		}
		return
	}
	m.independent = m.independent || f.independent
	if f.last != nil {
		checkUpdate(p.text, f.last, m)
	}
	f.add(p.take()...)
	f.add(checkPlaylistHTTP(r, f.fresh(m))...)
	f.age(m, r)
	f.shelve(ctx, m, r)
	f.answered(m)
	f.takeLow(m, r)
	f.watchParts(ctx, m, r.url, r.sent)
	f.enqueueParts(m, r.url)
	f.enqueue(ctx, m, r.url)
	if len(m.segments) > 0 || f.last == nil {
		f.last, f.body = m, r.body
	}
}

// fresh is how long caches may keep m: a target duration, after which players ask again,
// half of one with low latency (rfc8216bis appendix B.1). The answer to a blocking request
// does not change.
func (f *follower) fresh(m *mediaPlaylist) time.Duration {
	switch {
	case m.ended || f.low.asked:
		return 0
	case m.partInf > 0:
		return max(m.target/2, time.Second)
	}
	return m.target
}

// age notices that no segment comes (RFC 8216 §6.2.1).
func (f *follower) age(m *mediaPlaylist, r *response) {
	switch {
	case f.last == nil || m.next() > f.last.next():
		f.grown, f.late = r.done, false
	case !m.ended && m.target > 0 && !f.late && r.sent.Sub(f.grown) > m.target+m.target/2:
		f.late = true
		f.add(fault{rule: "playlist-late", says: fmt.Sprintf("no new segment for more than %s, 1.5 times the target duration", seconds(m.target+m.target/2))})
	}
}

// enqueue has the segments loaded that are new.
func (f *follower) enqueue(ctx context.Context, m *mediaPlaylist, base *url.URL) {
	if m.iFrames {
		f.note(f.url.Redacted() + ": the segments of I-frame playlists are not examined")
		return
	}
	from := uint64(0)
	if f.last != nil {
		from = f.last.next()
	} else if !m.ended && len(m.segments) > firstSegments {
		from = m.segments[len(m.segments)-firstSegments].number
	}
	for _, s := range m.segments {
		if s.number < from || s.gap {
			continue
		}
		if strings.Contains(s.uri, "{$") {
			f.note(f.url.Redacted() + ": variables of EXT-X-DEFINE are not replaced, segments with them are not examined")
			continue
		}
		f.send(ctx, job{of: m.facts(), s: s.detach(), base: base}, m.ended)
	}
}

// send queues a job. It waits for a place if there is time: where nothing new comes.
func (f *follower) send(ctx context.Context, j job, wait bool) {
	left := time.Duration(0)
	if wait {
		left = time.Until(f.end)
	}
	select {
	case f.jobs <- j:
		return
	default:
	}
	select {
	case f.jobs <- j:
	case <-time.After(left):
		f.skipped++
	case <-ctx.Done():
	}
}

// finish is what can be said at the end only.
func (f *follower) finish(ctx context.Context) {
	c := &f.segs
	if c.read >= 3 && c.independent == c.read && f.last != nil && !f.last.independent {
		f.add(fault{rule: "independent-missing", says: fmt.Sprintf("all of %d segments begin with a keyframe, and there is no EXT-X-INDEPENDENT-SEGMENTS", c.read)})
	}
	if f.skipped > 0 {
		f.note(fmt.Sprintf("%s: %d segments were not examined, there was no time for them", f.url.Redacted(), f.skipped))
	}
	f.load.again(ctx)
	f.askEnded(ctx)
}
