package hooks

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/config"
	"github.com/rtmpd/rtmpd/config/value"
	"github.com/rtmpd/rtmpd/internal/awake"
)

const (
	// maxBody is how much of an answer's body is read. It decides nothing, but
	// a connection is used again only when its last answer has been read.
	maxBody = 64 << 10
	// maxHeader bounds an answer's headers.
	maxHeader = 64 << 10
	// bodyTime is how long the rest of an answer may hold up its verdict.
	bodyTime = 100 * time.Millisecond
	// defaultTimeout is notify_timeout where a configuration has none.
	defaultTimeout = 10 * time.Second
)

// A Client makes the calls of all callers, over connections that are kept.
type Client struct {
	Awake *awake.Clock // of notify_timeout; nil: one that is never away. Set it before the first call

	log       *zap.Logger
	transport *http.Transport
	stats     stats

	ctx      context.Context // of the calls that nobody waits for
	cancel   context.CancelFunc
	draining atomic.Bool // no call is tried again

	mu       sync.Mutex
	sleeping map[*told]func() // wakes those that wait to be tried again
	running  int              // workers
	closed   bool             // no more of them
	idle     chan struct{}    // closed when the last worker ends; nil: nobody wants to know
}

// New makes a client. Close ends it.
func New(log *zap.Logger) *Client {
	c := &Client{
		log: log,
		transport: &http.Transport{
			// The address is looked up at each dial, so a hook may move; no
			// proxy from the environment: what a call says is for its hook.
			DialContext:            (&net.Dialer{Timeout: defaultTimeout, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        60 * time.Second,
			TLSHandshakeTimeout:    defaultTimeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
			// A connection of many calls that has died is found out without
			// one of them waiting for its timeout.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// call makes one call. sent says that the hook may have got it, whatever came
// of it. Errors hold addresses, but neither the URL nor what was sent.
func (c *Client) call(ctx context.Context, target value.URL, n *config.Notify, e Event) (a answer, sent bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Store(true) },
	})
	req, err := request(ctx, target, n, e)
	if err != nil {
		return answer{}, false, err
	}
	// The transport, not an http.Client: a redirect is an answer.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return answer{}, wrote.Load(), err
	}
	a = answer{status: resp.StatusCode, location: resp.Header.Get("Location")}
	late := time.AfterFunc(bodyTime, cancel)
	_, _ = io.CopyN(io.Discard, resp.Body, maxBody)
	late.Stop()
	_ = resp.Body.Close()
	return a, true, nil
}

// request is what is sent: the fields in the body, or behind the ? of a GET.
func request(ctx context.Context, target value.URL, n *config.Notify, e Event) (*http.Request, error) {
	u, err := url.Parse(target.Reveal())
	if err != nil {
		return nil, errors.New("the URL of the hook is none") // err shows it
	}
	method, body := http.MethodPost, e.form
	if n.Method == "get" {
		method, body = http.MethodGet, ""
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += e.form
	}
	req, err := http.NewRequestWithContext(ctx, method, "", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = u, u.Host
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // on GET, too
	req.Header.Set("User-Agent", "rtmpd")
	// A kept connection that the hook has closed meanwhile is no dead hook: the
	// transport asks again on another. An empty value is not sent.
	req.Header["X-Idempotency-Key"] = nil
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	for name, value := range n.Headers {
		if strings.EqualFold(name, "Host") {
			req.Host = value.Reveal()
			continue
		}
		req.Header.Set(name, value.Reveal())
	}
	return req, nil
}

// spawn runs f beside, unless the client is closed.
func (c *Client) spawn(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.running++
	go func() {
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.running--; c.running == 0 && c.idle != nil {
				close(c.idle)
				c.idle = nil
			}
		}()
		f()
	}()
	return true
}

// Drain says that the server stops: what can't be told now is not tried again, and
// what waits for another try is given up.
func (c *Client) Drain() {
	c.mu.Lock()
	c.draining.Store(true)
	sleeping := slices.Collect(maps.Values(c.sleeping))
	c.mu.Unlock()
	for _, wake := range sleeping {
		wake()
	}
}

// asleep notes who is to be woken when the server stops; false: it does.
func (c *Client) asleep(b *told, wake func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining.Load() {
		return false
	}
	if c.sleeping == nil {
		c.sleeping = make(map[*told]func())
	}
	c.sleeping[b] = wake
	return true
}

func (c *Client) awake(b *told) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sleeping, b)
}

// Close makes the calls that wait, each once, and gives up what is left of them
// at deadline. Nothing may be asked any more.
func (c *Client) Close(deadline time.Time) {
	c.Drain()
	t := time.NewTimer(time.Until(deadline))
	defer t.Stop()
	if idle := c.whenIdle(false); idle != nil {
		select {
		case <-idle:
		case <-t.C:
		}
	}
	c.cancel()
	if idle := c.whenIdle(true); idle != nil {
		<-idle
	}
	c.transport.CloseIdleConnections()
}

// whenIdle is closed once no worker runs; nil: none runs now.
func (c *Client) whenIdle(closed bool) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = closed
	if c.running == 0 {
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	return c.idle
}
