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
	// maxBody bounds how much of a response body is read, in bytes. The body does
	// not affect the verdict, but a connection is reused only after it was read.
	maxBody = 64 << 10
	// maxHeader bounds the headers of a response, in bytes.
	maxHeader = 64 << 10
	// bodyTime bounds how long reading the body may delay the verdict.
	bodyTime = 100 * time.Millisecond
	// defaultTimeout applies where a configuration has no notify_timeout.
	defaultTimeout = 10 * time.Second
)

// A Client makes the calls of all callers and keeps the connections open.
type Client struct {
	Awake *awake.Clock // times notify_timeout; nil: a clock without pauses. Set it before the first call

	log       *zap.Logger
	transport *http.Transport
	stats     stats

	ctx      context.Context // of queued calls
	cancel   context.CancelFunc
	draining atomic.Bool // failed calls are not retried

	mu       sync.Mutex
	sleeping map[*delivery]func() // ends the back-off of each
	running  int                  // workers
	closed   bool                 // no worker starts any more
	idle     chan struct{}        // closed when the last worker ends; nil: nothing waits for that
}

// New returns a client. Close ends it.
func New(log *zap.Logger) *Client {
	c := &Client{
		log: log,
		transport: &http.Transport{
			// Each dial resolves the host again, so that a hook may move. No proxy
			// from the environment: calls carry data meant for the hook alone.
			DialContext:            (&net.Dialer{Timeout: defaultTimeout, KeepAlive: 30 * time.Second}).DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           256,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        60 * time.Second,
			TLSHandshakeTimeout:    defaultTimeout,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true,
			// HTTP/2 pings detect a dead connection before its calls time out.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// call makes one call. sent reports that the hook may have received it, even if
// the call failed. Errors contain addresses, but neither the URL nor the form.
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
	// RoundTrip, not http.Client.Do, because a redirect is a verdict.
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

// request builds the HTTP request: the form is the body of a POST, or the query of
// a GET.
func request(ctx context.Context, target value.URL, n *config.Notify, e Event) (*http.Request, error) {
	u, err := url.Parse(target.Reveal())
	if err != nil {
		return nil, errors.New("the URL of the hook is none") // err would contain the URL
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
	// The hook may have closed an idle connection. With this key set, the transport
	// retries on a new one. A nil value is not sent.
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

// spawn runs f in a goroutine that Close waits for, unless the client is closed.
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

// Drain begins the shutdown: failed calls are not retried, and calls in back-off
// are given up.
func (c *Client) Drain() {
	c.mu.Lock()
	c.draining.Store(true)
	sleeping := slices.Collect(maps.Values(c.sleeping))
	c.mu.Unlock()
	for _, wake := range sleeping {
		wake()
	}
}

// asleep registers wake, which Drain calls to end b's back-off. It returns false
// while draining.
func (c *Client) asleep(b *delivery, wake func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining.Load() {
		return false
	}
	if c.sleeping == nil {
		c.sleeping = make(map[*delivery]func())
	}
	c.sleeping[b] = wake
	return true
}

// awake undoes asleep.
func (c *Client) awake(b *delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.sleeping, b)
}

// Close makes each queued call once and gives up at deadline. Ask must not be
// called after Close.
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

// whenIdle returns a channel that is closed once no worker runs; nil: none runs now.
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
