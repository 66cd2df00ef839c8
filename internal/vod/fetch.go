package vod

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxFetch    = 16 << 30 // bytes of one file
	minFree     = 512 << 20
	maxFetches  = 8 // at a time
	fetchIdle   = 30 * time.Second
	headTimeout = 10 * time.Second
	lookEvery   = time.Second // whether who waits is still there
	redirects   = 3
)

// A Fetcher fetches files over HTTP. Players that want the same file at the same time
// wait for one transfer.
type Fetcher struct {
	ctx     context.Context
	start   func(func()) bool // a goroutine; false: none is started any more
	client  *http.Client
	tickets chan struct{}

	mu      sync.Mutex
	running map[string]*transfer
}

// A transfer is a file that is being fetched.
type transfer struct {
	key     string
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int         // guarded by Fetcher.mu
	file    *sharedFile // after done
	err     error
}

// NewFetcher returns a Fetcher whose transfers end with ctx. start starts a goroutine
// for each, or reports that it does not any more.
func NewFetcher(ctx context.Context, start func(func()) bool) *Fetcher {
	return &Fetcher{
		ctx: ctx, start: start, tickets: make(chan struct{}, maxFetches), running: make(map[string]*transfer),
		client: &http.Client{
			Transport: &http.Transport{
				DialContext:           (&net.Dialer{Timeout: headTimeout}).DialContext,
				TLSHandshakeTimeout:   headTimeout,
				ResponseHeaderTimeout: headTimeout,
				DisableKeepAlives:     true,
				DisableCompression:    true,
			},
			CheckRedirect: func(_ *http.Request, via []*http.Request) error {
				if len(via) > redirects {
					return errors.New("too many redirects")
				}
				return nil
			},
		},
	}
}

// fetch returns the file name of a source, from l.LocalPath if it is there.
func (f *Fetcher) fetch(ctx context.Context, l *Library, source, name string, r Request) (handle, error) {
	if l.LocalPath != "" {
		if file, err := openIn(l.LocalPath, name); err == nil {
			return osFile{file}, nil
		}
	}
	if r.Fetching != nil {
		r.Fetching()
	}
	t := f.join(l, source, name, r)
	defer f.leave(t)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.done:
			if t.err != nil {
				return nil, t.err
			}
			return t.file.another(), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
			if r.Away != nil && r.Away() {
				return nil, context.Canceled
			}
		}
	}
}

// join waits for a transfer that runs, or begins one.
func (f *Fetcher) join(l *Library, source, name string, r Request) *transfer {
	key := source + "\x00" + name + "\x00" + l.TempPath + "\x00" + l.LocalPath + "\x00" + r.RawArgs
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.running[key]; t != nil {
		t.waiting++
		return t
	}
	ctx, cancel := context.WithCancel(f.ctx)
	t := &transfer{key: key, done: make(chan struct{}), cancel: cancel, waiting: 1}
	f.running[key] = t
	running := f.start(func() {
		defer cancel()
		file, err := f.transfer(ctx, l, source, name, r)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.forget(t)
		if t.file, t.err = file, err; file != nil && t.waiting == 0 {
			file.Close()
		}
		close(t.done)
	})
	if !running {
		cancel()
		f.forget(t)
		t.err = context.Canceled
		close(t.done)
	}
	return t
}

// forget has the next player who wants the file begin anew. f.mu is held.
func (f *Fetcher) forget(t *transfer) {
	if f.running[t.key] == t {
		delete(f.running, t.key)
	}
}

// leave ends the waiting for t. The last one ends the transfer.
func (f *Fetcher) leave(t *transfer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.waiting--; t.waiting > 0 {
		return
	}
	t.cancel()
	f.forget(t)
	select {
	case <-t.done:
		if t.file != nil {
			t.file.Close()
		}
	default:
	}
}

// transfer fetches a file into a temporary one, which is kept under its name if the
// library has a LocalPath.
func (f *Fetcher) transfer(ctx context.Context, l *Library, source, name string, r Request) (*sharedFile, error) {
	select {
	case f.tickets <- struct{}{}:
		defer func() { <-f.tickets }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := f.get(ctx, source, name, r)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	dir := l.TempPath
	if dir == "" {
		dir = l.LocalPath
	}
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	out, err := os.CreateTemp(dir, ".rtmpd-vod-*")
	if err != nil {
		return nil, err
	}
	err = save(out, body, cancel)
	kept := false
	if err == nil && l.LocalPath != "" {
		err = keep(out, l.LocalPath, name)
		kept = err == nil
	}
	if !kept {
		_ = os.Remove(out.Name()) // the file lives as long as it is open
	}
	if err != nil {
		out.Close()
		return nil, fmt.Errorf("%s from %s: %w", name, shown(source), err)
	}
	s := &sharedFile{File: out}
	s.users.Store(1)
	return s, nil
}

// shown is a source for people: a URL may hold a password.
func shown(source string) string {
	u, err := url.Parse(source)
	if err != nil {
		return "a URL"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// get asks for a file as nginx-rtmp does: with the player's address and arguments.
func (f *Fetcher) get(ctx context.Context, source, name string, r Request) (io.ReadCloser, error) {
	u, err := url.Parse(source)
	if err != nil {
		return nil, err
	}
	u = u.JoinPath((&url.URL{Path: name}).EscapedPath())
	query := "addr=" + url.QueryEscape(r.Address)
	if r.RawArgs != "" {
		query += "&" + r.RawArgs
	}
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, errors.New("its URL is none")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err // without the URL, whose arguments may be secrets
		}
		return nil, fmt.Errorf("%s: %w", shown(source), err)
	}
	if resp.StatusCode/100 == 2 && resp.ContentLength <= maxFetch {
		return resp.Body, nil
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode/100 == 2:
		return nil, fmt.Errorf("%s: the file has %d bytes, at most %d are fetched", shown(source), resp.ContentLength, int64(maxFetch))
	case resp.StatusCode == http.StatusNotFound:
		return nil, fs.ErrNotExist
	}
	return nil, fmt.Errorf("%s answers %s", shown(source), resp.Status)
}

// save writes body to out. cancel ends a body that brings nothing for fetchIdle.
func save(out *os.File, body io.Reader, cancel context.CancelFunc) error {
	idle := time.AfterFunc(fetchIdle, cancel)
	defer idle.Stop()
	buf := make([]byte, 256<<10)
	for size := int64(0); ; {
		n, err := body.Read(buf)
		idle.Reset(fetchIdle)
		if n > 0 {
			if size += int64(n); size > maxFetch {
				return fmt.Errorf("the file has more than %d bytes", int64(maxFetch))
			}
			if size%(16<<20) < int64(n) && free(out) < minFree {
				return errors.New("less than 512 MiB are free where files are fetched to")
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// keep gives a file its name below dir.
func keep(out *os.File, dir, name string) error {
	if err := out.Chmod(0o644); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	if parent := path.Dir(name); parent != "." {
		if err := root.MkdirAll(parent, 0o755); err != nil {
			return err
		}
	}
	base := path.Base(out.Name())
	if path.Dir(out.Name()) != path.Clean(dir) { // temp_path has to be on the same file system
		if err := os.Rename(out.Name(), path.Join(dir, base)); err != nil {
			return err
		}
	}
	if err := root.Rename(base, name); err != nil {
		_ = root.Remove(base)
		return err
	}
	return nil
}

// A sharedFile is a file that several players read. It is closed with the last.
type sharedFile struct {
	*os.File
	users atomic.Int32
}

// another is the file for one more player.
func (s *sharedFile) another() *sharedUse {
	s.users.Add(1)
	return &sharedUse{sharedFile: s}
}

// Close ends the use of one player.
func (s *sharedFile) Close() error {
	if s.users.Add(-1) > 0 {
		return nil
	}
	return s.File.Close()
}

// A sharedUse is one player's. It is closed once.
type sharedUse struct {
	*sharedFile
	closed sync.Once
}

// Close implements handle.
func (u *sharedUse) Close() (err error) {
	u.closed.Do(func() { err = u.sharedFile.Close() })
	return err
}

// Size implements handle.
func (u *sharedUse) Size() int64 { return osFile{u.File}.Size() }
