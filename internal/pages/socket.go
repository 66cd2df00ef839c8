package pages

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/listen"
	"github.com/rtmpd/rtmpd/internal/websocket"
)

const (
	// maxSockets bounds the WebSockets of a location, and maxPerSource those of one
	// address. Each costs two goroutines. Whoever gets none asks again and again.
	maxSockets   = 4096
	maxPerSource = 64
	// lookEvery is how often streams are looked at that somebody waits for: all their
	// sockets share that.
	lookEvery = 250 * time.Millisecond
	// pingEvery is MistServer's. It is well below the time after which proxies close
	// what is silent, a minute.
	pingEvery = 10 * time.Second
)

func wantsSocket(r *http.Request) bool { return websocket.IsUpgrade(r) }

// sockets are the WebSockets of a location. While there are any, one goroutine looks at
// the streams that they are about.
type sockets struct {
	find func(app, name string) Stream

	mu       sync.Mutex // guards the rest, and every topic's fields
	total    int
	bySource map[netip.Prefix]int
	topics   map[topicKey]*topic
	stop     context.CancelFunc // of the goroutine
	done     chan struct{}      // closed when it has ended
}

type topicKey struct{ app, name string }

// A topic is a stream that sockets are about.
type topic struct {
	users   int
	now     Stream
	changed chan struct{} // closed when now changes; then there is another one
}

// join counts a socket and begins to look at its stream; false: there are too many.
func (k *sockets) join(s Stream, from netip.Prefix) (*topic, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.total >= maxSockets || k.bySource[from] >= maxPerSource {
		return nil, false
	}
	if k.total == 0 {
		k.bySource, k.topics = make(map[netip.Prefix]int), make(map[topicKey]*topic)
		ctx, cancel := context.WithCancel(context.Background())
		k.stop, k.done = cancel, make(chan struct{})
		go k.look(ctx, k.done) // leave waits for it
	}
	k.total++
	k.bySource[from]++
	key := topicKey{s.App, s.Name}
	t := k.topics[key]
	if t == nil {
		t = &topic{now: s, changed: make(chan struct{})}
		k.topics[key] = t
	}
	t.users++
	return t, true
}

// leave is the end of a socket.
func (k *sockets) leave(s Stream, from netip.Prefix) {
	k.mu.Lock()
	k.total--
	if k.bySource[from]--; k.bySource[from] == 0 {
		delete(k.bySource, from)
	}
	key := topicKey{s.App, s.Name}
	if t := k.topics[key]; t.users == 1 {
		delete(k.topics, key)
	} else {
		t.users--
	}
	var done chan struct{}
	if k.total == 0 {
		k.stop()
		done = k.done
	}
	k.mu.Unlock()
	if done != nil {
		<-done
	}
}

// state returns what there is of a topic, and what is closed when that changes.
func (k *sockets) state(t *topic) (Stream, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return t.now, t.changed
}

// look looks at every topic again and again until ctx ends.
func (k *sockets) look(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var keys []topicKey
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		k.mu.Lock()
		keys = keys[:0]
		for key := range k.topics {
			keys = append(keys, key)
		}
		k.mu.Unlock()
		for _, key := range keys {
			s := k.find(key.app, key.name) // not with the lock held: it takes others
			s.App, s.Name = key.app, key.name
			k.mu.Lock()
			if t := k.topics[key]; t != nil && t.now != s {
				t.now = s
				close(t.changed)
				t.changed = make(chan struct{})
			}
			k.mu.Unlock()
		}
	}
}

// serveSocket sends the state of s, and again whenever it changes, until the client or
// the server ends.
func (h *Handler) serveSocket(w http.ResponseWriter, r *http.Request, v Visit, s Stream) {
	from := listen.SourceOf(v.Client)
	topic, ok := h.sockets.join(s, from)
	if !ok {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many WebSockets: ask without one", http.StatusServiceUnavailable)
		return
	}
	defer h.sockets.leave(s, from)
	c, err := websocket.Accept(w, r)
	if err != nil {
		return // it was answered
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = c.Drain() // whatever the reason: the client is gone
	}()
	code, why := h.push(c, v, topic, gone)
	c.Close(code, why) // ends Drain
	<-gone
}

// push sends until the connection is to be closed, and says why.
func (h *Handler) push(c *websocket.Conn, v Visit, t *topic, gone <-chan struct{}) (code uint16, why string) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	var last []byte
	for {
		s, changed := h.sockets.state(t)
		if text := encode(h.info(&v, &s)); !bytes.Equal(text, last) {
			if c.Send(text) != nil {
				return websocket.GoingAway, ""
			}
			last = text
		}
		select {
		case <-gone:
			return websocket.GoingAway, ""
		case <-v.Ending:
			return websocket.GoingAway, "the server stops or was reconfigured"
		case <-changed:
		case <-ping.C:
			if c.Ping() != nil {
				return websocket.GoingAway, ""
			}
		}
	}
}
