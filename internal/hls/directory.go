package hls

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Kind says what a live file is.
type Kind uint8

// The kinds of live files.
const (
	Playlist Kind = iota // of one stream
	Master               // of the variants of one base name
	Segment
	Key // never to be served by a root location
)

// A File is what HTTP needs to know about one live file.
type File struct {
	App, Stream string
	Kind        Kind
	// Body is a playlist as it is on disk and Gzip the same compressed; both
	// are shared and immutable. Nil for segments and keys.
	Body, Gzip []byte
	ModTime    time.Time
	ETag       string // with quotes
	MaxAge     time.Duration
	Target     time.Duration // of a playlist: its TARGETDURATION; 0: not known
	Size       int64         // bytes on disk
}

// DirectoryOptions are what a Directory needs besides its path.
type DirectoryOptions struct {
	Log     *zap.Logger
	Now     func() time.Time // default time.Now
	Metrics *Metrics         // default: some that nobody sees

	fault func(op, name string) error // tests
}

// A Directory owns one hls.path: which files in it are ours, which are live,
// and when they are removed. There is one for each distinct path.
type Directory struct {
	path  string
	log   *zap.Logger
	now   func() time.Time
	count *Metrics
	fault func(op, name string) error
	main  *store
	wake  chan struct{} // the cleaner's

	// slots holds one scratch buffer for each core: as many fragments are
	// muxed at once, however many streams cut at the same moment.
	slots chan []byte
	gzip  gzipper

	mu        sync.Mutex
	claims    map[string]*Packager // playlist name to who writes it
	keyStores map[string]*store    // by absolute path, outside of main
	masters   map[string]*master   // by file name
}

// OpenDirectory makes path (0755) if it is missing, shows that it is writable
// and takes up what an earlier process left there. The caller runs Run and
// calls Close when Run and every packager have returned.
//
// A directory that can't be used now (its disk is full, read-only, not mounted,
// not ours) is no error: one line is logged, the packagers fail until it can be
// used, and Run and they try again. Errors: a path that can't be a directory.
func OpenDirectory(path string, o DirectoryOptions) (*Directory, error) {
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	wake := make(chan struct{}, 1)
	main := newStore(path, ledgerPrefix, wake, o.fault)
	d := &Directory{
		path: path, log: o.Log, now: o.Now, count: o.Metrics, fault: o.fault, main: main, wake: wake,
		slots:     make(chan []byte, runtime.GOMAXPROCS(0)),
		claims:    make(map[string]*Packager),
		keyStores: make(map[string]*store),
		masters:   make(map[string]*master),
	}
	for range cap(d.slots) {
		d.slots <- nil
	}
	if err := d.settle(main); mistyped(err) {
		return nil, err
	}
	return d, nil
}

// Close lets go of the directory; files stay.
func (d *Directory) Close() {
	for _, s := range d.stores() {
		s.close()
	}
}

// Empty says that nothing of ours is left in the directory and nobody writes to it.
func (d *Directory) Empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.keyStores {
		if !s.empty() {
			return false
		}
	}
	return len(d.claims) == 0 && d.main.empty()
}

// Lookup tells about the live file of that name, relative to the directory and
// slash separated. It allocates nothing.
func (d *Directory) Lookup(name string) (File, bool) { return d.main.lookup(name) }

// LookupKey is Lookup for a key in a keys.path outside of the directory.
func (d *Directory) LookupKey(absPath string) (File, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, s := range d.keyStores {
		if name, below := strings.CutPrefix(absPath, path+"/"); below {
			if f, ok := s.lookup(filepath.ToSlash(name)); ok {
				return f, true
			}
		}
	}
	return File{}, false
}

// Streams returns the names of the playlists that exist, sorted.
func (d *Directory) Streams() []string {
	d.main.mu.RLock()
	defer d.main.mu.RUnlock()
	var names []string
	for name, f := range d.main.files {
		if f.visible && (f.live.Kind == Playlist || f.live.Kind == Master) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var errTaken = errors.New("being written")

// claim makes p the only writer of a playlist.
func (d *Directory) claim(playlist string, p *Packager) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if other := d.claims[playlist]; other != nil && other != p {
		return fmt.Errorf("%s: %w by stream %s/%s", playlist, errTaken, other.app, other.name)
	}
	d.claims[playlist] = p
	return nil
}

// claimed says whether somebody writes a playlist.
func (d *Directory) claimed(playlist string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.claims[playlist] != nil
}

func (d *Directory) unclaim(playlist string, p *Packager) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.claims[playlist] == p {
		delete(d.claims, playlist)
	}
}

// keyStore returns where keys under path (absolute) are written and the prefix
// of their names there: the directory itself when path is inside it, so that
// HTTP knows them as keys and keeps them to itself.
func (d *Directory) keyStore(path string) (*store, string, error) {
	if rel, err := filepath.Rel(d.path, path); err == nil && filepath.IsLocal(rel) {
		if rel == "." {
			return d.main, "", nil
		}
		rel = filepath.ToSlash(rel)
		if !cleanName(rel) {
			return nil, "", fmt.Errorf("hls keys path %s: a directory below hls path must not start with a dot", path)
		}
		return d.main, rel + "/", nil
	}
	d.mu.Lock()
	s := d.keyStores[path]
	if s == nil {
		// Two hls paths may share a keys path: a ledger for each.
		sum := sha256.Sum256([]byte(d.path))
		s = newStore(path, ledgerPrefix+"-"+hex.EncodeToString(sum[:6]), d.wake, d.fault)
		d.keyStores[path] = s
	}
	d.mu.Unlock()
	if err := d.settle(s); err != nil {
		return nil, "", fmt.Errorf("hls keys: %w", err)
	}
	return s, "", nil
}
