package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a file in memory.
type memory struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	block  chan struct{} // Write waits for it to close, if there is one
	fail   error
	closed bool
}

func (m *memory) Write(p []byte) (int, error) {
	if m.block != nil {
		<-m.block
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return 0, m.fail
	}
	return m.buf.Write(p)
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

func (m *memory) lines() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Count(m.buf.Bytes(), []byte("\n"))
}

// plain is a format whose lines are the words they are about.
func plain(b []byte, x string, _ Time) []byte { return append(b, x...) }

func open(t *testing.T, out *memory) (*Log[string], *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	l, err := Open("x", plain, Options{Open: func(string) (io.WriteCloser, error) { return out, nil }, Log: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, logs
}

func TestALineIsWrittenWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &memory{}
		l, _ := open(t, out)
		for i := range 3 {
			if !l.Add("line") {
				t.Error("an open log takes no line")
			}
			time.Sleep(time.Second)
			synctest.Wait()
			if got := out.lines(); got != i+1 {
				t.Errorf("%d lines after %d s, want %d", got, i+1, i+1)
			}
		}
	})
}

func TestASlowDiskCostsLinesAndNotCallers(t *testing.T) {
	t.Parallel()
	out := &memory{block: make(chan struct{})}
	l, logs := open(t, out)
	long := strings.Repeat("a", 8000)
	const lines = 2000 // 16 MB
	for range lines {
		l.Add(long) // would hang if it waited for the disk
	}
	close(out.block)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	n := out.lines()
	if n == 0 || n == lines || out.buf.Len() > 3*maxWaiting {
		t.Errorf("%d lines, %d bytes were written", n, out.buf.Len())
	}
	lost := 0
	for _, e := range logs.FilterMessage("access log lines lost: the disk is too slow").All() {
		lost += int(e.ContextMap()["lines"].(int64))
	}
	if n+lost != lines {
		t.Errorf("%d lines written and %d lost, want %d in all", n, lost, lines)
	}
}

func TestAWriteErrorIsReportedOnceAndOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &memory{fail: errors.New("disk full")}
		l, logs := open(t, out)
		for i := range 4 {
			if i == 3 {
				out.mu.Lock()
				out.fail = nil
				out.mu.Unlock()
			}
			l.Add("line")
			time.Sleep(time.Second)
			synctest.Wait()
		}
		for _, message := range []string{"access log not written", "access log is written again"} {
			if n := logs.FilterMessage(message).Len(); n != 1 {
				t.Errorf("%q is said %d times, want once", message, n)
			}
		}
	})
}

func TestAClosedLogTakesNoLine(t *testing.T) {
	t.Parallel()
	out := &memory{}
	l, _ := open(t, out)
	l.Add("in time")
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if l.Add("too late") {
		t.Error("a closed log takes a line")
	}
	if got := out.buf.String(); got != "in time\n" || !out.closed {
		t.Errorf("the file is %q, closed: %v", got, out.closed)
	}
}

// Lines that come while the file is opened anew go into one of the two files,
// whole.
func TestNoLineIsLostWhenTheFileIsOpenedAnew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "made", "access.log")
	l, err := Open(path, plain, Options{})
	if err != nil {
		t.Fatal(err)
	}
	const writers, each, rotations = 4, 500, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Add(fmt.Sprintf("%d.%d", w, i))
			}
		})
	}
	for i := range rotations {
		if err := os.Rename(path, path+"."+strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	files, _ := filepath.Glob(path + "*")
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(b)) {
			seen[line] = true
		}
		if fi, err := os.Stat(f); err != nil || fi.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s is open to all: %v, %v", f, fi.Mode(), err)
		}
	}
	if len(files) != rotations+1 || len(seen) != writers*each {
		t.Errorf("%d different lines in %d files, want %d in %d", len(seen), len(files), writers*each, rotations+1)
	}
}

func TestALogThatCantBeReopenedGoesOn(t *testing.T) {
	t.Parallel()
	out, fail := &memory{}, false
	l, err := Open("x", plain, Options{Open: func(string) (io.WriteCloser, error) {
		if fail {
			return nil, errors.New("no such directory")
		}
		return out, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	fail = true
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), "access_log") {
		t.Errorf("got %v, want an error that names access_log", err)
	}
	l.Add("line")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if out.buf.String() != "line\n" {
		t.Errorf("the old file has %q", out.buf.String())
	}
	for _, why := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG} { // no time will mend these
		if _, err := Open("x", plain, Options{Open: func(string) (io.WriteCloser, error) { return nil, why }}); !errors.Is(err, why) {
			t.Errorf("got %v, want an error of the file's", err)
		}
	}
}

// A disk that is full, read-only or not mounted at the start costs lines, never the
// server.
func TestALogWhoseDiskIsNotThereBeginsLater(t *testing.T) {
	t.Parallel()
	for _, why := range []error{syscall.ENOSPC, syscall.EROFS, syscall.EACCES, syscall.EIO, syscall.EMFILE} {
		synctest.Test(t, func(t *testing.T) {
			core, logs := observer.New(zap.DebugLevel)
			out := &memory{}
			var works atomic.Bool
			l, err := Open("x", plain, Options{Log: zap.New(core), Open: func(string) (io.WriteCloser, error) {
				if !works.Load() {
					return nil, why
				}
				return out, nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				l.Add("lost")
				time.Sleep(time.Second)
			}
			works.Store(true)
			l.Add("line")
			time.Sleep(time.Second)
			synctest.Wait()
			if got := out.buf.String(); got != "line\n" {
				t.Errorf("%v: the file has %q", why, got)
			}
			if err := l.Close(); err != nil || !out.closed {
				t.Errorf("not closed: %v", err)
			}
			var said []string
			for _, e := range logs.All() {
				said = append(said, e.Message)
			}
			if want := "access log not written|access log is written again"; strings.Join(said, "|") != want {
				t.Errorf("%v: logged %q", why, said)
			}
		})
	}
	l, err := Open("x", plain, Options{Open: func(string) (io.WriteCloser, error) { return nil, syscall.EROFS }})
	if err != nil || l.Close() != nil {
		t.Errorf("one that never began: %v", err)
	}
}

func TestALogFileFollowsItsPath(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		replace func(dir string) error
		want    string
	}{
		{"its directory is renamed and made anew", func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o755))
		}, "two\n"},
		{"its directory is deleted", os.RemoveAll, "two\n"},
		{"its directory is another link", func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir+".new", 0o755), os.Symlink(dir+".new", dir))
		}, "two\n"},
		{"it is renamed, as for a rotation", func(dir string) error {
			return os.Rename(filepath.Join(dir, "x.log"), filepath.Join(dir, "x.log.1"))
		}, ""},
	} {
		dir := filepath.Join(t.TempDir(), "log")
		path := filepath.Join(dir, "x.log")
		w, err := OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, "one\n"); err != nil {
			t.Fatal(err)
		}
		if err := c.replace(dir); err != nil {
			t.Fatal(err)
		}
		w.(*File).looked = time.Now().Add(-lookEvery)
		if _, err := io.WriteString(w, "two\n"); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got, _ := os.ReadFile(path); string(got) != c.want {
			t.Errorf("%s: %s holds %q, want %q", c.name, path, got, c.want)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}
