package web

import (
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/rtmpd/rtmpd/internal/segstore"
)

const (
	maxOpenFiles = 128
	// openFor is how long a fragment stays open that nobody reads. An open file
	// keeps the disk space of a deleted fragment, so it is short.
	openFor = 5 * time.Second
)

// openFiles keeps fragments open between requests, so that many viewers of a fragment
// share one descriptor. Only live fragments are kept: their bytes never change under
// their name and version.
type openFiles struct {
	now func() time.Time

	mu     sync.Mutex
	byName map[fileKey]*openFile
	byID   map[fileID]*sharedFile // other files, while they are sent
	timer  *time.Timer            // closes idle files; nil when there are none
	closed bool
}

type fileKey struct {
	m    *mount
	name string
}

// openFile is one fragment; the header values are shared by all its answers.
type openFile struct {
	f       *os.File
	size    int64
	modTime time.Time
	ctype   []string
	etag    []string
	cache   []string
	private []string // Cache-Control of a fragment that is for one viewer only

	key     fileKey
	version string        // segstore.File.ETag
	written time.Time     // segstore.File.ModTime
	maxAge  time.Duration // segstore.File.MaxAge
	users   int           // guarded by openFiles.mu, as are the next two
	used    time.Time     // last
	stale   bool          // not in byName: closed by its last user
}

func newOpenFiles(now func() time.Time) *openFiles {
	return &openFiles{now: now, byName: make(map[fileKey]*openFile), byID: make(map[fileID]*sharedFile)}
}

// get returns an open fragment. The caller must call put.
func (o *openFiles) get(m *mount, name string, lf *segstore.File, now time.Time) (*openFile, error) {
	key := fileKey{m, name}
	if f := o.cached(key, lf, now); f != nil {
		return f, nil
	}
	file, fi, err := m.open(name, now)
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() {
		_ = file.Close()
		return nil, fs.ErrNotExist
	}
	f := &openFile{
		f: file, size: fi.Size(), modTime: fi.ModTime(), ctype: contentType(name), cache: maxAge(lf.MaxAge), private: []string{"private, " + maxAge(lf.MaxAge)[0]},
		key: key, version: lf.ETag, written: lf.ModTime, maxAge: lf.MaxAge, users: 1, used: now, stale: true,
	}
	if f.etag = []string{lf.ETag}; lf.ETag == "" {
		f.etag = []string{etagOf(fi)}
	}
	o.keep(f)
	return f, nil
}

func (o *openFiles) cached(key fileKey, lf *segstore.File, now time.Time) *openFile {
	o.mu.Lock()
	defer o.mu.Unlock()
	f := o.byName[key]
	if f == nil {
		return nil
	}
	if f.version != lf.ETag || !f.written.Equal(lf.ModTime) || f.maxAge != lf.MaxAge {
		o.drop(f)
		return nil
	}
	f.users++
	f.used = now
	return f
}

// keep adds a file that was just opened, unless there is no room.
func (o *openFiles) keep(f *openFile) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if old := o.byName[f.key]; old != nil {
		o.drop(old)
	}
	if len(o.byName) >= maxOpenFiles {
		o.dropIdle(f.used)
	}
	if o.closed || len(o.byName) >= maxOpenFiles {
		return
	}
	f.stale = false
	o.byName[f.key] = f
	if o.timer == nil {
		o.timer = time.AfterFunc(openFor, o.sweep)
	}
}

// put ends the use of a fragment that get returned.
func (o *openFiles) put(f *openFile) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f.users--
	if f.users == 0 && f.stale {
		_ = f.f.Close()
	}
}

func (o *openFiles) drop(f *openFile) {
	delete(o.byName, f.key)
	f.stale = true
	if f.users == 0 {
		_ = f.f.Close()
	}
}

// dropIdle closes fragments without a reader for half of openFor.
func (o *openFiles) dropIdle(now time.Time) {
	for _, f := range o.byName {
		if f.users == 0 && now.Sub(f.used) >= openFor/2 {
			o.drop(f)
		}
	}
}

func (o *openFiles) sweep() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.dropIdle(o.now())
	if len(o.byName) == 0 {
		o.timer = nil
		return
	}
	o.timer.Reset(openFor)
}

func (o *openFiles) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
		o.timer = nil
	}
	for _, f := range o.byName {
		o.drop(f)
	}
}
