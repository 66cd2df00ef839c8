package vod

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rtmpd/rtmpd/internal/flv"
)

// A web is a site with files, and what is seen of its requests.
type web struct {
	*httptest.Server
	asked atomic.Int32
	query atomic.Value
	hold  chan struct{} // a slow file waits for it
	gone  chan struct{} // closed when the client of a slow file has left
}

func newWeb(t *testing.T) *web {
	w := &web{hold: make(chan struct{}), gone: make(chan struct{})}
	film, err := os.ReadFile("testdata/h264.flv")
	if err != nil {
		t.Fatal(err)
	}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		w.query.Store(r.URL.RawQuery)
		switch r.URL.Path {
		case "/dir/film.flv", "/dir/sub/a film.flv":
			_, _ = rw.Write(film)
		case "/dir/cut.flv":
			rw.Header().Set("Content-Length", "100000")
			_, _ = rw.Write(film)
		case "/dir/huge.flv":
			rw.Header().Set("Content-Length", "99999999999999")
			_, _ = rw.Write(film)
		case "/dir/slow.flv":
			_, _ = rw.Write(film[:5000])
			rw.(http.Flusher).Flush()
			select {
			case <-w.hold:
				_, _ = rw.Write(film[5000:])
			case <-r.Context().Done():
				close(w.gone)
			}
		case "/dir/denied.flv":
			http.Error(rw, "no", http.StatusForbidden)
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(w.Close)
	return w
}

func library(t *testing.T, w *web) *Library {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	return &Library{
		Sources: []string{w.URL + "/dir"}, TempPath: filepath.Join(t.TempDir(), "temp"),
		Fetcher: NewFetcher(ctx, func(f func()) bool { all.Go(f); return true }),
	}
}

// left are the files below a directory.
func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func TestAFileIsFetched(t *testing.T) {
	w := newWeb(t)
	l := library(t, w)
	for _, name := range []string{"film", "film.flv", "sub/a film"} {
		f, path, err := l.Open(context.Background(), Request{Name: name, Address: "192.0.2.1", RawArgs: "token=x"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(frames(t, f, flv.TagVideo)); n != 30 || !strings.HasSuffix(path, ".flv") {
			t.Errorf("%s: %d frames of %s", name, n, path)
		}
		if q := w.query.Load(); q != "addr=192.0.2.1&token=x" {
			t.Errorf("%s: the site is asked with %q", name, q)
		}
		f.Close()
		f.Close()
	}
	if names := left(t, l.TempPath); len(names) > 0 {
		t.Errorf("left are %q", names)
	}
}

func TestFetchedFilesAreKept(t *testing.T) {
	for _, temp := range []bool{true, false} {
		w := newWeb(t)
		l := library(t, w)
		l.LocalPath = filepath.Join(filepath.Dir(l.TempPath), "local")
		if err := os.Mkdir(l.LocalPath, 0o755); err != nil {
			t.Fatal(err)
		}
		if !temp {
			l.TempPath = ""
		}
		for range 3 {
			f, _, err := l.Open(context.Background(), Request{Name: "sub/a film"})
			if err != nil {
				t.Fatal(err)
			}
			if n := len(frames(t, f, flv.TagVideo)); n != 30 {
				t.Errorf("%d frames", n)
			}
			f.Close()
		}
		if n := w.asked.Load(); n != 1 {
			t.Errorf("the site is asked %d times", n)
		}
		if names := left(t, l.LocalPath); len(names) != 1 || names[0] != "sub/a film.flv" {
			t.Errorf("kept are %q", names)
		}
		if !l.Has(Request{Name: "sub/a film"}) || l.Has(Request{Name: "film"}) {
			t.Error("what is kept is not known")
		}
	}
}

func TestFilesThatCantBeFetched(t *testing.T) {
	w := newWeb(t)
	l := library(t, w)
	for name, word := range map[string]string{"nothing": "", "denied.flv": "403", "cut.flv": "unexpected EOF", "huge.flv": "at most"} {
		_, _, err := l.Open(context.Background(), Request{Name: name})
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.Close()
	if _, _, err := l.Open(context.Background(), Request{Name: "film"}); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v", err)
	}
	if names := left(t, l.TempPath); len(names) > 0 {
		t.Errorf("left are %q", names)
	}
}

// Players that want one file wait for one transfer, and it ends when all have left.
func TestOneTransferForManyPlayers(t *testing.T) {
	w := newWeb(t)
	l := library(t, w)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			f, _, err := l.Open(context.Background(), Request{Name: "slow.flv"})
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if n := len(frames(t, f, flv.TagVideo)); n != 30 {
				t.Errorf("%d frames", n)
			}
		})
	}
	waiting := func() (n int) {
		l.Fetcher.mu.Lock()
		defer l.Fetcher.mu.Unlock()
		for _, t := range l.Fetcher.running {
			n += t.waiting
		}
		return n
	}
	for waiting() < 20 {
		time.Sleep(time.Millisecond)
	}
	close(w.hold)
	all.Wait()
	if n := w.asked.Load(); n != 1 {
		t.Errorf("the site is asked %d times", n)
	}

	w = newWeb(t)
	l.Sources = []string{w.URL + "/dir"}
	var away atomic.Bool
	ended := make(chan error, 1)
	go func() {
		_, _, err := l.Open(context.Background(), Request{Name: "slow.flv", Away: away.Load})
		ended <- err
	}()
	for w.asked.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	away.Store(true)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	<-w.gone
}
