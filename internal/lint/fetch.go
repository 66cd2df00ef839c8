package lint

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Bounds of what a server may make of a run.
const (
	maxSegment   = 64 << 20 // bytes of a segment
	maxKey       = 1 << 10
	maxRedirects = 5
	maxHeaders   = 64 << 10

	requestsAtOnce = 6
	blockedAtOnce  = 2 * maxFollowed       // requests that the server holds back
	requestGap     = 20 * time.Millisecond // between two requests, on average

	dialTimeout   = 10 * time.Second
	headerTimeout = 15 * time.Second // a server that blocks may take longer: see fetcher.get
	bodyTimeout   = 60 * time.Second
)

// origin is where the requests come from: a page of another site, as browsers have it.
const origin = "https://player.example"

// A fetcher makes all requests of a run.
type fetcher struct {
	client    *http.Client
	userAgent string
	slots     chan struct{} // requests under way
	blocked   chan struct{} // and those that the server holds back
	next      atomic.Int64  // when the next request may begin, in ns since start
	start     time.Time

	requests, bytes atomic.Int64
}

// newFetcher makes a fetcher. transport is nil but in tests.
func newFetcher(start *url.URL, transport http.RoundTripper, userAgent string) *fetcher {
	f := &fetcher{slots: make(chan struct{}, requestsAtOnce), blocked: make(chan struct{}, blockedAtOnce), start: time.Now(), userAgent: userAgent}
	if transport == nil {
		transport = newTransport(start)
	}
	f.client = &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	return f
}

func newTransport(start *url.URL) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: start}); err == nil && proxy == nil && isPublic(start.Hostname()) {
		dialer.Control = refusePrivate
	}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTimeout, MaxResponseHeaderBytes: maxHeaders, DisableCompression: true,
		MaxConnsPerHost: requestsAtOnce + blockedAtOnce, MaxIdleConnsPerHost: requestsAtOnce, IdleConnTimeout: 30 * time.Second,
	}
}

// isPublic is true of a host whose addresses are all public. A playlist from such a host
// has no reason to name machines of this network.
func isPublic(host string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil || len(addresses) == 0 {
		return false
	}
	for _, a := range addresses {
		if isPrivate(a) {
			return false
		}
	}
	return true
}

func isPrivate(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast() || a.IsInterfaceLocalMulticast()
}

// refusePrivate is a net.Dialer's Control.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err == nil && isPrivate(a.Addr()) {
		return fmt.Errorf("%s is not public, and the playlist is", a.Addr())
	}
	return nil
}

// checkRedirect is an http.Client's.
func checkRedirect(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) >= maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case r.URL.Scheme != "https" && (r.URL.Scheme != "http" || via[0].URL.Scheme == "https"):
		return fmt.Errorf("a redirect from %s to %s is not followed", via[0].URL.Scheme, r.URL.Scheme)
	}
	return nil
}

// A request is what to get.
type request struct {
	url   *url.URL
	bytes byteRange     // of the resource; length 0: all of it
	limit int64         // of the body
	wait  time.Duration // how long the server may take to answer; 0: headerTimeout
	block bool          // the server waits with the answer until it has something
}

// A response is what came.
type response struct {
	url       *url.URL // after redirects
	redirects int
	status    int
	proto     string
	header    http.Header
	body      []byte
	gzipped   bool
	tooLong   bool

	sent     time.Time     // when the request began
	answered time.Time     // when the headers were there
	flowed   time.Time     // when the first bytes of the body were
	done     time.Time     // when the body was
	age      time.Duration // how long a cache has had it
}

// errNotHTTP is a URL that is not followed.
var errNotHTTP = errors.New("only http and https are followed")

// get makes a request. An answer with a status that is no success is no error; one that
// can't be read is.
func (f *fetcher) get(ctx context.Context, q request) (*response, error) {
	if q.url.Scheme != "http" && q.url.Scheme != "https" || q.url.Host == "" {
		return nil, fmt.Errorf("%s: %w", clip(q.url.Redacted()), errNotHTTP)
	}
	slots := f.slots
	if q.block {
		slots = f.blocked
	}
	release, err := f.admit(ctx, slots)
	if err != nil {
		return nil, err
	}
	defer release()
	if q.wait == 0 {
		q.wait = headerTimeout
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deadline := time.AfterFunc(q.wait, func() { cancel(fmt.Errorf("no answer within %v", q.wait)) })
	defer deadline.Stop()
	r, err := f.request(ctx, q)
	if err != nil {
		return nil, err
	}
	f.requests.Add(1)
	out := &response{sent: time.Now()}
	h, err := f.client.Do(r)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer func() { _ = h.Body.Close() }()
	deadline.Stop()
	slow := time.AfterFunc(bodyTimeout, func() { cancel(fmt.Errorf("the answer takes more than %v", bodyTimeout)) })
	defer slow.Stop()
	out.answered = time.Now()
	out.url, out.status, out.proto, out.header = h.Request.URL, h.StatusCode, h.Proto, h.Header
	for r := h.Request; r.Response != nil; r = r.Response.Request {
		out.redirects++
	}
	if n, ok := parseInteger(h.Header.Get("Age")); ok && n < 1<<31 {
		out.age = time.Duration(n) * time.Second
	}
	err = out.read(&firstRead{Reader: h.Body, at: &out.flowed}, q.limit)
	out.done = time.Now()
	f.bytes.Add(int64(len(out.body)))
	if err != nil {
		return nil, because(ctx, err)
	}
	return out, nil
}

// because prefers the reason for which ctx ended.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (f *fetcher) request(ctx context.Context, q request) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, q.url.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", f.userAgent)
	r.Header.Set("Origin", origin)
	r.Header.Set("Accept-Encoding", "gzip")
	if q.bytes.length > 0 {
		r.Header.Set("Range", "bytes="+strconv.FormatUint(q.bytes.offset, 10)+"-"+strconv.FormatUint(q.bytes.offset+q.bytes.length-1, 10))
	}
	return r, nil
}

// A firstRead notes when the first bytes come.
type firstRead struct {
	io.Reader
	at *time.Time
}

func (r *firstRead) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 && r.at.IsZero() {
		*r.at = time.Now()
	}
	return n, err
}

// read reads a body, at most limit bytes of it, compressed or not.
func (r *response) read(body io.Reader, limit int64) error {
	switch coding := strings.ToLower(r.header.Get("Content-Encoding")); coding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(io.LimitReader(body, limit))
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		r.gzipped, body = true, z
	default:
		return fmt.Errorf("Content-Encoding %s, which was not asked for", quote(coding))
	}
	var err error
	r.body, err = io.ReadAll(io.LimitReader(body, limit+1))
	if int64(len(r.body)) > limit {
		r.body, r.tooLong = r.body[:limit], true
	}
	return err
}

// admit waits until a request may begin: not too many at once, not too many in a second.
func (f *fetcher) admit(ctx context.Context, slots chan struct{}) (release func(), err error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	release = func() { <-slots }
	for {
		now := int64(time.Since(f.start))
		next := f.next.Load()
		// A second's worth of requests may come together.
		at := max(next, now-int64(time.Second))
		if !f.next.CompareAndSwap(next, at+int64(requestGap)) {
			continue
		}
		if wait := time.Duration(at - now); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				release()
				return nil, ctx.Err()
			}
		}
		return release, nil
	}
}
