package lint

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"
)

// masterInterval is the time between two loads of a multivariant playlist.
const masterInterval = 30 * time.Second

// A presentation is a multivariant playlist and the playlists that it names.
type presentation struct {
	*run
	url       *url.URL
	p         playlist // the newest
	followers map[string]*follower
}

// followAll follows a multivariant playlist and all playlists that it names.
func (r *run) followAll(ctx context.Context, first *response, p playlist) (kind string) {
	v := &presentation{run: r, url: first.url, p: p, followers: make(map[string]*follower)}
	r.playlists.Add(1)
	v.take(first, p)
	var wg sync.WaitGroup
	names := v.uris()
	if len(names) > maxFollowed {
		r.note(fmt.Sprintf("%d playlists are named, %d of them are followed", len(names), maxFollowed))
		names = names[:maxFollowed]
	}
	live, done := context.WithCancel(ctx)
	for _, uri := range names {
		u, err := resolve(v.url, uri)
		if err != nil {
			v.add(fault{rule: "uri", text: uri, says: err.Error()})
			continue
		}
		f := newFollower(r, u, p.multivariant.independent)
		v.followers[uri] = f
		wg.Go(func() { f.follow(ctx, nil) })
	}
	var reload sync.WaitGroup
	reload.Go(func() { v.reload(live) })
	wg.Wait()
	done()
	reload.Wait()
	v.refresh(ctx) // bit rates are compared with the newest version
	v.compare()
	for _, f := range v.followers {
		if f != nil && f.lowDelay {
			return "ll-hls"
		}
	}
	return "hls"
}

func (v *presentation) add(faults ...fault) { v.run.add(v.url.Redacted(), faults...) }

// uris are the playlists that are named, each once, in the playlist's order.
func (v *presentation) uris() (out []string) {
	seen := make(map[string]bool)
	add := func(uri string) {
		if uri != "" && !seen[uri] {
			seen[uri] = true
			out = append(out, uri)
		}
	}
	for _, w := range v.p.multivariant.variants {
		add(w.uri)
	}
	for i := range v.p.multivariant.renditions {
		if r := &v.p.multivariant.renditions[i]; r.kind != "CLOSED-CAPTIONS" {
			add(r.uri)
		}
	}
	return out
}

// reload loads the multivariant playlist now and then.
func (v *presentation) reload(ctx context.Context) {
	for v.sleep(ctx, masterInterval) {
		v.refresh(ctx)
	}
}

func (v *presentation) refresh(ctx context.Context) {
	r, err := v.fetch.get(ctx, request{url: v.url, limit: maxPlaylist})
	if err != nil || r.status != 200 {
		return
	}
	v.updates.Add(1)
	v.take(r, parsePlaylist(r.body))
}

func (v *presentation) take(r *response, p playlist) {
	v.add(p.take()...)
	v.add(checkPlaylistHTTP(r, 0)...)
	if p.multivariant == nil {
		return
	}
	before := v.uris()
	v.p = p
	// URIs may be other ones each time, with a token in them.
	if now := v.uris(); len(now) == len(before) {
		followers := make(map[string]*follower, len(now))
		for i, uri := range now {
			followers[uri] = v.followers[before[i]]
		}
		v.followers = followers
	}
}
