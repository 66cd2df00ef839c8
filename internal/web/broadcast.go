package web

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/internal/progressive"
	"github.com/rtmpd/rtmpd/internal/viewers"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

// A Broadcaster is an Audience whose streams can be sent in one answer that lasts as long
// as they do: NAME.flv beside NAME.m3u8.
type Broadcaster interface {
	// Broadcast returns the live stream of that name whose playlists are in dir. It waits
	// for one that is pulled on demand, until ctx ends.
	Broadcast(ctx context.Context, dir, name string) (progressive.Source, bool)
	// Stays decides again on a viewer that Playlist has let in, as if it had asked once
	// more. An error is a *viewers.Denial, or ctx's.
	Stays(ctx context.Context, v viewers.Visit) error
}

// staysEvery is how often a viewer is decided on again: stopped sessions, withdrawn tokens
// and a change of the configuration end it.
const staysEvery = time.Second

// broadcastOf returns the stream that a file stands for which is not there.
func (x *exchange) broadcastOf(m *mount, in string) (src progressive.Source, f *progressive.Format, ok bool) {
	f, stem := progressive.ByName(in)
	b, can := x.site.deps.Audience.(Broadcaster)
	if f == nil || !can || m.has(in, x.start) {
		return src, nil, false
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), demandWait)
	defer cancel()
	find := func(stem string) bool {
		src, ok = b.Broadcast(ctx, path.Join(m.dir, path.Dir(stem)), path.Base(stem))
		return ok
	}
	if !find(stem) {
		wildcardFile(stem, find)
	}
	return src, f, ok
}

// has reports whether there is such a file.
func (m *mount) has(name string, now time.Time) bool {
	f, _, err := m.open(name, now)
	if err == nil {
		_ = f.Close()
	}
	return !absent(err)
}

// serveBroadcast sends a stream for as long as it lasts, to whoever may have its playlist.
func (x *exchange) serveBroadcast(l *location, urlPath string, src progressive.Source, f *progressive.Format) {
	if err := f.Fits(src.Live.Tracks()); err != nil {
		if _, _, ok := x.admitOnce(l, urlPath, &src.File); ok {
			x.fail(l, http.StatusUnsupportedMediaType, err.Error())
		}
		return
	}
	v, _, ok := x.admit(l, urlPath, &src.File)
	if !ok {
		return
	}
	if websocket.IsUpgrade(x.r) {
		x.overSocket(l, func() { x.broadcastSocket(l, v, src, f) })
		return
	}
	if x.r.Method == http.MethodHead {
		x.broadcastHead(l, src, f)
		x.Flush() // else the head would say that there is nothing
		return
	}
	ctx, stop := x.watch()
	defer stop()
	r, ok := x.openBroadcast(ctx, l, src, f)
	if !ok {
		return
	}
	defer r.Close()
	x.broadcastHead(l, src, f)
	x.Flush()
	w := &answerSink{x: x}
	_ = x.keepSending(ctx, l, v, func() { x.cut() }, func(ctx context.Context) error {
		w.ctx = ctx
		return r.Run(ctx, w)
	})
}

// broadcastSocket is serveBroadcast over a WebSocket.
func (x *exchange) broadcastSocket(l *location, v viewers.Visit, src progressive.Source, f *progressive.Format) {
	r, ok := x.openBroadcast(x.r.Context(), l, src, f)
	if !ok {
		return
	}
	defer r.Close()
	conn, err := websocket.Accept(x, x.r)
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // net/http ends that of a request that was taken over
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer cancel()
		_ = conn.Drain()
	}()
	pinged := make(chan struct{})
	go func() {
		defer close(pinged)
		pingSocket(ctx, conn)
	}()
	defer func() {
		conn.Cut()
		<-gone
		<-pinged
	}()
	w := &socketSink{x: x, conn: conn, texts: f.Events}
	err = x.keepSending(ctx, l, v, conn.Cut, func(ctx context.Context) error { return r.Run(ctx, w) })
	var d *viewers.Denial
	switch {
	case err == nil:
		conn.Close(websocket.Normal, "the stream has ended")
	case errors.Is(err, progressive.ErrRecoded):
		conn.Close(websocket.Normal, err.Error())
	case errors.As(err, &d):
		conn.Close(websocket.Policy, d.Error())
	default:
		conn.Close(websocket.GoingAway, "")
	}
}

// pingEvery keeps well below websocket.Silence.
const pingEvery = 20 * time.Second

// pingSocket asks a client whether it is there: what it answers keeps Drain reading.
func pingSocket(ctx context.Context, conn *websocket.Conn) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if conn.Ping() != nil {
			return
		}
	}
}

// openBroadcast waits until it is known what the stream has; false: it was answered.
func (x *exchange) openBroadcast(ctx context.Context, l *location, src progressive.Source, f *progressive.Format) (*progressive.Reader, bool) {
	ctx, cancel := context.WithTimeout(ctx, demandWait)
	defer cancel()
	r, err := progressive.Open(ctx, src, f)
	var unfit *progressive.UnfitError
	switch {
	case err == nil:
		return r, true
	case errors.As(err, &unfit):
		x.fail(l, http.StatusUnsupportedMediaType, err.Error())
	case errors.Is(err, progressive.ErrEnded):
		x.fail(l, http.StatusNotFound, err.Error())
	default:
		x.Header().Set("Retry-After", "2")
		x.fail(l, http.StatusServiceUnavailable, "nothing of the stream has come so far")
	}
	return nil, false
}

var (
	noRanges   = []string{"none"}
	noBuffer   = []string{"no"}
	typeEvents = []string{"application/x-ndjson; charset=utf-8"}
)

// broadcastHead writes the head of the answer. ?dl=NAME has a browser save it.
func (x *exchange) broadcastHead(l *location, src progressive.Source, f *progressive.Format) {
	h := x.Header()
	h["Content-Type"] = []string{f.Type}
	if f.Events {
		h["Content-Type"] = typeEvents
	}
	h["Cache-Control"] = cacheNoStore
	h["Accept-Ranges"] = noRanges
	h["X-Accel-Buffering"] = noBuffer // for nginx between: it would hold back what is not much
	if q, _ := url.ParseQuery(x.r.URL.RawQuery); q.Has("dl") {
		h["Content-Disposition"] = []string{mime.FormatMediaType("attachment", map[string]string{"filename": saveAs(q.Get("dl"), src.File.Stream, f.Ext)})}
	}
	l.setExtra(h)
	x.WriteHeader(http.StatusOK)
}

// maxSaveAs bounds the name of a file that a browser saves, in bytes.
const maxSaveAs = 200

// saveAs is the name of the file that a viewer wants, without what is no part of a name.
func saveAs(name, stream, ext string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0xfffd || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if name = strings.TrimLeft(name, ". "); name == "" || name == "1" || len(name) > maxSaveAs {
		name = stream
	}
	if !strings.HasSuffix(strings.ToLower(name), ext) {
		name += ext
	}
	return name
}

// keepSending runs send until it returns, its viewer may no longer watch, or the server
// stops; cut ends a write under way. The error says why it ended; nil: with the stream.
func (x *exchange) keepSending(ctx context.Context, l *location, v viewers.Visit, cut func(), send func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	sent := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		x.watchViewer(ctx, cancel, l, v, sent)
		select {
		case <-sent:
		case <-time.After(cutAfter):
			cut()
		}
	}()
	err := send(ctx)
	close(sent)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	<-watched
	return err
}

// cutAfter is how long a write may take to end for a viewer who may no longer watch.
const cutAfter = time.Second

var errStopping = errors.New("the server stops")

// watchViewer returns when sending has ended, or is to: then it has cancelled its context.
func (x *exchange) watchViewer(ctx context.Context, cancel context.CancelCauseFunc, l *location, v viewers.Visit, sent <-chan struct{}) {
	stopping := x.site.ending
	if x.conn != nil {
		stopping = x.conn.server.stopping
	}
	b, _ := x.site.deps.Audience.(Broadcaster)
	tick := time.NewTicker(staysEvery)
	defer tick.Stop()
	for {
		select {
		case <-sent:
			return
		case <-ctx.Done():
			return
		case <-stopping:
			cancel(errStopping)
			return
		case v.Now = <-tick.C:
		}
		err := b.Stays(ctx, v)
		if err == nil && !x.stillServed(l, v.Path) {
			err = &viewers.Denial{Status: http.StatusForbidden, Reason: "the configuration has changed"}
		}
		if err != nil {
			cancel(err)
			return
		}
	}
}

// stillServed reports whether the Site that answers now has the same location.
func (x *exchange) stillServed(l *location, urlPath string) bool {
	if x.conn == nil {
		return true
	}
	now := x.conn.server.site.Load()
	if now == x.site {
		return true
	}
	other := now.table.match(urlPath)
	return other != nil && config.Equal(other.cfg, l.cfg)
}
