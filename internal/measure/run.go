package measure

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmpd/rtmpd/internal/api"
	"github.com/rtmpd/rtmpd/internal/capacity"
	"github.com/rtmpd/rtmpd/internal/rtmp"
)

// A run is the parts of a measurement, each for window.
type run struct {
	server *server
	window time.Duration
	say    func(string)
	errs   atomic.Int64 // requests that failed
}

// A cost is what the server took in a part.
type cost struct {
	cpu      float64 // s
	in, out  float64 // GB over RTMP
	web      float64 // GB over HTTP
	requests float64
	took     float64 // s
	rss      int64   // afterwards
	media    int64   // bytes of media in memory afterwards
}

func (r *run) measure(ctx context.Context) (c capacity.Constants, err error) {
	idle, err := r.server.look(ctx)
	if err != nil {
		return c, err
	}
	publishing, stopPublishing := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stopPublishing()
	r.say(fmt.Sprintf("%d streams are published and packaged as HLS", streams))
	if err := r.server.publish(publishing, &wg); err != nil {
		return c, err
	}
	ingest, err := r.part(ctx, func(c cost) bool { return c.in > 0 })
	if err != nil {
		return c, err
	}
	c = capacity.Constants{
		Machine: machine(), Cores: runtime.GOMAXPROCS(0), Measured: time.Now().UTC().Truncate(time.Second),
		IngestCPU: ingest.cpu / ingest.in, BaseMemory: int64(idle.Process.RSS),
		StreamMemory: max((ingest.rss-int64(idle.Process.RSS)-ingest.media)/streams, 64<<10),
	}
	// What the streams themselves take goes on while others are looked at.
	beside := ingest.cpu / ingest.took

	r.say(fmt.Sprintf("%d players watch over RTMP", players))
	play, err := r.with(ctx, r.players, func(snap *api.Snapshot) bool { return snap.Played >= players }, func(c cost) bool { return c.out > 0 })
	if err != nil {
		return c, err
	}
	c.PlayerCPU = (play.cpu - beside*play.took) / play.out
	c.PlayerMemory = max((play.rss-ingest.rss)/players, 4<<10)

	r.say("playlists are asked for over HTTP")
	lists, err := r.with(ctx, r.fetch(streamName(0)+".m3u8", viewers), nil, func(c cost) bool { return c.requests > 0 })
	if err != nil {
		return c, err
	}
	c.RequestCPU = (lists.cpu - beside*lists.took) / lists.requests * 1e6
	c.ViewerMemory = max((lists.rss-ingest.rss)/viewers, 4<<10)

	r.say("fragments are fetched over HTTP")
	fragment, err := r.newestFragment(ctx)
	if err != nil {
		return c, err
	}
	fragments, err := r.with(ctx, r.fetch(fragment, 4), nil, func(c cost) bool { return c.web > 0 })
	if err != nil {
		return c, err
	}
	c.ViewerCPU = (fragments.cpu - beside*fragments.took - fragments.requests*c.RequestCPU/1e6) / fragments.web
	if n := r.errs.Load(); n > 0 {
		return c, fmt.Errorf("%d requests failed", n)
	}
	// A figure below what is measurable is none.
	for _, f := range []*float64{&c.IngestCPU, &c.PlayerCPU, &c.RequestCPU, &c.ViewerCPU} {
		*f = max(*f, 0.01)
	}
	return c, nil
}

// part lets what goes on go on for a window, or until it is enough, and returns what the
// server took for it.
func (r *run) part(ctx context.Context, enough func(cost) bool) (c cost, err error) {
	before, err := r.server.look(ctx)
	if err != nil {
		return c, err
	}
	for began := time.Now(); time.Since(began) < startTime; {
		if !pause(ctx, r.window) {
			return c, ctx.Err()
		}
		after, err := r.server.look(ctx)
		if err != nil {
			return c, err
		}
		if c = costOf(before, after, time.Since(began)); enough(c) {
			return c, nil
		}
	}
	return c, fmt.Errorf("nothing was sent for %s", startTime)
}

// costOf is what the server took between two looks at it.
func costOf(before, after *api.Snapshot, took time.Duration) cost {
	c := cost{
		cpu: (after.Process.CPU - before.Process.CPU).Seconds(), took: took.Seconds(),
		in: float64(after.BytesIn-before.BytesIn) / 1e9, out: float64(after.BytesOut-before.BytesOut) / 1e9,
		web:      float64(after.HTTP[0].BytesOut-before.HTTP[0].BytesOut) / 1e9,
		requests: float64(after.HTTP[0].Requests - before.HTTP[0].Requests), rss: int64(after.Process.RSS),
	}
	for _, st := range after.Servers[0].Applications[0].Streams {
		c.media += st.BufferBytes
	}
	return c
}

// with is part while load goes on, once ready (nil: at once).
func (r *run) with(ctx context.Context, load func(context.Context, *sync.WaitGroup), ready func(*api.Snapshot) bool, enough func(cost) bool) (c cost, err error) {
	loading, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	load(loading, &wg)
	if ready != nil {
		err = eventually(ctx, "the load is there", func() bool {
			snap, err := r.server.look(ctx)
			return err == nil && ready(snap)
		})
		if err != nil {
			return c, err
		}
	}
	return r.part(ctx, enough)
}

// players play the streams until ctx ends.
func (r *run) players(ctx context.Context, wg *sync.WaitGroup) {
	for i := range players {
		wg.Go(func() {
			c, err := rtmp.Dial(ctx, fmt.Sprintf("rtmp://%s/bench", r.server.rtmp), rtmp.ClientOptions{Options: rtmp.Options{Timeout: startTime}})
			if err != nil {
				return // there are fewer players then, and with says so
			}
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			defer stop()
			defer c.Close()
			if c.Play(ctx, streamName(i%streams)) != nil {
				return
			}
			_, _ = io.Copy(io.Discard, c.NetConn()) // until it is closed
		})
	}
}

// fetch asks for a file over n connections until ctx ends, each as a viewer of its own.
func (r *run) fetch(name string, n int) func(context.Context, *sync.WaitGroup) {
	return func(ctx context.Context, wg *sync.WaitGroup) {
		transport := &http.Transport{MaxIdleConnsPerHost: n, DisableCompression: true}
		for i := range n {
			wg.Go(func() {
				defer transport.CloseIdleConnections()
				for ctx.Err() == nil {
					_, err := r.get(ctx, transport, name, fmt.Sprint("bench/", i))
					if err != nil && ctx.Err() == nil {
						r.errs.Add(1)
						pause(ctx, 100*time.Millisecond)
					}
				}
			})
		}
	}
}

// get fetches a file of the streams.
func (r *run) get(ctx context.Context, t *http.Transport, name, agent string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.server.http+"/bench/"+name, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", agent)
	resp, err := t.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var text strings.Builder
	to := io.Writer(io.Discard)
	if strings.HasSuffix(name, ".m3u8") {
		to = &text
	}
	if _, err := io.Copy(to, resp.Body); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("GET %s: %s", name, resp.Status)
	}
	return text.String(), nil
}

// newestFragment is the last one that the playlist names. It stays for longer than it is
// fetched: a playlist is half a minute long, and as long again it is kept.
func (r *run) newestFragment(ctx context.Context) (name string, err error) {
	list, err := r.get(ctx, &http.Transport{DisableKeepAlives: true}, streamName(0)+".m3u8", "bench")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			name = line
		}
	}
	if name == "" {
		return "", fmt.Errorf("the playlist names no fragment")
	}
	return name, nil
}
