package packager

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rtmpd/rtmpd/internal/segmenter"
	"github.com/rtmpd/rtmpd/internal/segstore"
)

// DirectoryOptions are what a Directory needs besides its path.
type DirectoryOptions struct {
	What    string // the output in log lines; default "hls"
	Log     *zap.Logger
	Now     func() time.Time // default time.Now
	Metrics *Metrics         // default: metrics that are not registered
	Formats []Format         // of the manifests that are written here

	Fault func(op, name string) error // tests: fails the step before it happens
}

// A Directory owns one path of an output: which files in it are ours, which are live,
// and when they are removed. There is one for each distinct path.
type Directory struct {
	path    string
	what    string // the output in log lines
	log     *zap.Logger
	now     func() time.Time
	count   *Metrics
	fault   func(op, name string) error
	formats []Format
	main    *segstore.Dir
	wake    chan struct{} // wakes Run

	// slots holds scratch buffers for each core: as many segments are muxed at once,
	// however many streams cut at the same moment.
	slots chan segmenter.Files
	gzip  segstore.Gzipper
	moves atomic.Uint64 // how often main or the keys went on in another directory

	mu        sync.Mutex
	claims    map[string]*Packager     // by file of a manifest: its only writer
	keyStores map[string]*segstore.Dir // by absolute path, outside of main
}

// OpenDirectory makes path (0755) if it is missing, checks that it is writable, and
// schedules the removal of what an earlier process left there. The caller runs Run and
// calls Close when Run and every packager have returned.
//
// A directory that can't be used now (its disk is full, read-only, not mounted, or not
// ours) is no error: one line is logged, and Run and the packagers try again. Errors: a
// path that can't be a directory.
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
	d := &Directory{
		path: path, what: cmp.Or(o.What, "hls"), log: o.Log, now: o.Now, count: o.Metrics, fault: o.Fault, formats: o.Formats, wake: wake,
		slots:     make(chan segmenter.Files, runtime.GOMAXPROCS(0)),
		claims:    make(map[string]*Packager),
		keyStores: make(map[string]*segstore.Dir),
	}
	for range cap(d.slots) {
		d.slots <- segmenter.Files{}
	}
	for _, f := range d.formats {
		f.Attach(d)
	}
	d.main = d.newStore(path, segstore.LedgerName)
	if err := d.main.Settle(); segstore.Mistyped(err) {
		return nil, err
	}
	return d, nil
}

func (d *Directory) newStore(path, ledger string) *segstore.Dir {
	return segstore.New(segstore.Options{
		Path: path, What: d.what + " path", Ledger: ledger, Kinds: kinds, Log: d.log, Now: d.now, Wake: d.wake,
		Sweep: d.sweep, Moving: d.moving, Moved: d.moved, Removed: d.removed, InUse: d.Claimed, Fault: d.fault,
	})
}

// Close closes the directory. The files stay.
func (d *Directory) Close() {
	for _, s := range d.stores() {
		s.Close()
	}
}

// Empty says that nothing of ours is left in the directory and nobody writes to it.
func (d *Directory) Empty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.keyStores {
		if !s.Empty() {
			return false
		}
	}
	return len(d.claims) == 0 && d.main.Empty()
}

// Lookup returns the live file of that name, relative to the directory and slash
// separated. It allocates nothing.
func (d *Directory) Lookup(name string) (segstore.File, bool) {
	f, ok := d.main.Lookup(name)
	f.Dir = d.path
	return f, ok
}

// Hinted returns a part that a manifest announced, as soon as it is there; false: none was
// announced under that name, it will not come, or ctx has ended.
func (d *Directory) Hinted(ctx context.Context, name string) (segstore.File, bool) {
	f, ok := d.main.Hinted(ctx, name)
	f.Dir = d.path
	return f, ok
}

// StopWaits ends the waits for what low latency has not shown yet, for good.
func (d *Directory) StopWaits() { d.main.StopWaits() }

// Wait returns what Lookup does, as soon as there is such a file. Errors: ctx.Err().
func (d *Directory) Wait(ctx context.Context, name string) (segstore.File, error) {
	return d.main.Wait(ctx, name)
}

// LookupKey is Lookup for a key in a keys.path outside of the directory.
func (d *Directory) LookupKey(absPath string) (segstore.File, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, s := range d.keyStores {
		if name, below := strings.CutPrefix(absPath, path+"/"); below {
			if f, ok := s.Lookup(filepath.ToSlash(name)); ok {
				f.Dir = d.path
				return f, true
			}
		}
	}
	return segstore.File{}, false
}

// Streams returns the names of the playlists that exist, sorted.
func (d *Directory) Streams() []string {
	return d.main.Names(func(f segstore.File) bool { return f.Kind == segstore.Playlist || f.Kind == segstore.Master })
}

var errTaken = errors.New("being written")

// claim makes p the only writer of the files.
func (d *Directory) claim(files []string, p *Packager) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range files {
		if other := d.claims[name]; other != nil && other != p {
			return fmt.Errorf("%s: %w by stream %s/%s", name, errTaken, other.app, other.name)
		}
	}
	for _, name := range files {
		d.claims[name] = p
	}
	return nil
}

// Claimed says whether a stream writes a manifest's file.
func (d *Directory) Claimed(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.claims[name] != nil
}

func (d *Directory) unclaim(files []string, p *Packager) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range files {
		if d.claims[name] == p {
			delete(d.claims, name)
		}
	}
}

// Path is the directory as the configuration spells it.
func (d *Directory) Path() string { return d.path }

// Log is where what happens in the directory is logged.
func (d *Directory) Log() *zap.Logger { return d.log }

// Now is the wall clock.
func (d *Directory) Now() time.Time { return d.now() }

// Gzipper compresses the directory's manifests.
func (d *Directory) Gzipper() *segstore.Gzipper { return &d.gzip }

// Store has the files.
func (d *Directory) Store() *segstore.Dir { return d.main }

// keyStore returns where keys under path (absolute) are written, and the prefix of their
// names there. If path is in the directory that is d.main, so that HTTP knows them as
// keys and does not serve them.
func (d *Directory) keyStore(path string) (*segstore.Dir, string, error) {
	if rel, err := filepath.Rel(d.path, path); err == nil && filepath.IsLocal(rel) {
		if rel == "." {
			return d.main, "", nil
		}
		rel = filepath.ToSlash(rel)
		if !segstore.CleanName(rel) {
			return nil, "", fmt.Errorf("hls keys path %s: a directory below hls path must not start with a dot", path)
		}
		return d.main, rel + "/", nil
	}
	d.mu.Lock()
	s := d.keyStores[path]
	if s == nil {
		// Two hls paths may share a keys path: a ledger for each.
		sum := sha256.Sum256([]byte(d.path))
		s = d.newStore(path, segstore.LedgerName+"-"+hex.EncodeToString(sum[:6]))
		d.keyStores[path] = s
	}
	d.mu.Unlock()
	if err := s.Settle(); err != nil {
		return nil, "", fmt.Errorf("hls keys: %w", err)
	}
	return s, "", nil
}
